"""A study on disk: ensembles that are absent or whole, a manifest of their checksums, and the one dataset.

A study folder holds::

    study.toml       the study as resolved
    plan.json        which runs train together, and on what kind of device
    ensembles/       one netCDF file each, written once
    manifest.jsonl   a line per file with its SHA-256; the last line of an ensemble counts
    arms.json        facts of each model and norm: parameters, time alone
    running.json     what is in training now, if a process holds the lock
    curves.nc        everything, rebuilt from the ensembles

A file's line is written before the file is renamed into place. So a file that is there is always known, and a line
without its file means only that an ensemble is still to be trained. Once a dataset is in its place another line says
so: from then on no earlier one is taken for it. A process killed before that leaves either the old or the new one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np
import xarray as xr

from bnstudy.storage import atomic, checksummed_json, locking, manifest, netcdf
from bnstudy.storage.manifest import DATASET, DIAGNOSTICS
from bnstudy.study import provenance, registry, required_plugins, schema
from bnstudy.study.errors import InputError
from bnstudy.study.plan import Ensemble, make_plan
from bnstudy.study.schema import Status
from bnstudy.study.study import Study

if TYPE_CHECKING:
    from bnstudy.training.ensembles import Curves

Arm = tuple[str, str]  # model, norm


@dataclass(frozen=True)
class Store:
    """One study folder. :meth:`create`, :meth:`find` and :meth:`open` make it."""

    folder: Path
    study: Study
    device: str
    plan: tuple[Ensemble, ...]
    amendments: tuple[dict[str, Any], ...] = ()

    # ------------------------------------------------------------- open, lock

    @classmethod
    def find(cls, folder: str | Path, study: Study) -> Store | None:
        """The study's store if the folder holds it, None if it holds nothing yet.

        Raises
        ------
        InputError
            The folder holds another study (the message lists the differences), or something else.
        """
        folder = Path(folder)
        # Looked at first: another process may be making the study, and a study's plan is there before the rest.
        atomic.check_folder(folder)
        manifest.refuse_strange_files(folder)
        strange = folder.is_dir() and any(not _is_ours(path) for path in folder.iterdir())
        if (folder / "plan.json").exists():
            store = cls.open(folder)
            if changes := store.study.differences(study):
                raise store._is_another(study, changes)
            return store
        if strange:
            raise InputError(f"{folder} is not empty and holds no study; choose another folder with --out", "out")
        return None

    @classmethod
    def create(
        cls,
        folder: str | Path,
        study: Study,
        device: str,
        plan: Sequence[Ensemble] | None = None,
        amendments: Sequence[dict[str, Any]] = (),
    ) -> Store:
        """Make a study folder that holds a plan (by default the device's); InputError if it cannot be made."""
        store = cls(Path(folder), study, device, tuple(plan or make_plan(study, device)), tuple(amendments))
        atomic.write_text(store.folder / "study.toml", study.to_toml())
        # Last: a folder without its plan is one that was never made.
        atomic.write_text(store.folder / "plan.json", store._plan_text())
        return store

    @classmethod
    def open(cls, folder: str | Path) -> Store:
        """Open an existing study folder; InputError if it is not one, or its study was changed by hand."""
        folder = Path(folder)
        manifest.refuse_strange_files(folder)
        if not (folder / "plan.json").is_file():
            raise InputError(f"{folder}: no study there (no plan.json); `bnstudy run` makes one")
        while True:
            store, text = cls._planned(folder)
            # A process killed while it amended the study leaves the text of the one before.
            before = [amendment["study_hash"] for amendment in store.amendments]
            if Study.load(folder / "study.toml").digest in (store.study.digest, *before[-1:]):
                return store
            # Unless it is being amended right now: then the plan is another one by now.
            if (folder / "plan.json").read_bytes() == text:
                raise InputError(
                    f"{folder / 'study.toml'} was changed after its plan was made; restore it or use a new folder"
                )

    @classmethod
    def _planned(cls, folder: Path) -> tuple[Store, bytes]:
        """The store as its plan tells it, and the plan's text; InputError if that is not one."""
        try:
            text = (folder / "plan.json").read_bytes()
            plan = checksummed_json.unseal(text)
            study = required_plugins.study_of(plan["study"], plan["plugins"])
            if study.digest != plan["study_hash"]:
                raise ValueError("its study is not the one of its hash")
            positions = plan["ensembles"]
            if sorted(position for some in positions for position in some) != list(range(study.n_runs)):
                raise ValueError("its ensembles are not the runs of its study")
            runs = list(study.runs())
            ensembles = (Ensemble(i, tuple(runs[position] for position in some)) for i, some in enumerate(positions))
            amendments = tuple(map(_amendment, plan["amendments"]))
            return cls(folder, study, str(plan["device"]), tuple(ensembles), amendments), text
        except required_plugins.LackingError as error:
            raise InputError(f"{folder}: {error}") from None
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise InputError(
                f"{folder / 'plan.json'}: damaged ({error}); restore it or start in a new folder"
            ) from None

    def amend(self, study: Study, plan: Sequence[Ensemble]) -> Store:
        """Replace the study by a larger one whose plan goes on from this one's, and record what changed.

        Only under the lock.
        """
        changes = {key: list(values) for key, values in self.study.differences(study).items()}
        amendment = {"at": provenance.now(), "study_hash": self.study.digest, "changes": changes}
        store = Store(self.folder, study, self.device, tuple(plan), (*self.amendments, amendment))
        atomic.write_text(self.folder / "plan.json", store._plan_text())
        atomic.write_text(self.folder / "study.toml", study.to_toml())
        return store

    def record(self, amendments: Sequence[dict[str, Any]]) -> Store:
        """Put a longer record of how the same study came about in place of this one; only under the lock.

        Ensembles go by the names that follow from it.
        """
        store = replace(self, amendments=tuple(amendments))
        entries, pending = self.manifest(), {ensemble.index for ensemble in self.pending()}
        stored = [ensemble for ensemble in self.plan if ensemble.index not in pending]
        renamed = [ensemble for ensemble in stored if store.name(ensemble) != self.name(ensemble)]
        for ensemble in renamed:
            store.adopt(ensemble, self.path(ensemble), entries[self.name(ensemble)])
        atomic.write_text(self.folder / "plan.json", store._plan_text())
        for ensemble in renamed:
            self.path(ensemble).unlink(missing_ok=True)
        return store

    def _is_another(self, study: Study, changes: Mapping[str, tuple[Any, Any]]) -> InputError:
        """Why this folder is no place for `study`."""
        listed = "; ".join(
            f"{key}: {_short(there)} there, {_short(asked)} asked" for key, (there, asked) in changes.items()
        )
        origin, advice = "", "choose another folder with --out"
        if study.digest in [amendment["study_hash"] for amendment in self.amendments]:
            origin = ", to which this one was extended"
            again = f"bnstudy run {self.folder / 'study.toml'} --out {self.folder}"
            advice = f"`{again}` goes on with that one, or {advice}"
        return InputError(f"{self.folder} holds another study{origin} ({listed}); {advice}", "out")

    def _plan_text(self) -> str:
        index = {run: i for i, run in enumerate(self.study.runs())}
        return checksummed_json.seal(
            {
                "study_hash": self.study.digest,
                "device": self.device,
                "amendments": list(self.amendments),
                "plugins": required_plugins.needed(self.study),
                "study": self.study.model_dump(mode="json"),
                "ensembles": [[index[run] for run in ensemble.runs] for ensemble in self.plan],
            }
        )

    @contextmanager
    def locked(self, wait: bool = False) -> Iterator[Store]:
        """Hold the study's lock, and have the store as it is then; see :func:`bnstudy.storage.locking.hold`."""
        with locking.hold(self.folder, wait):
            yield Store.open(self.folder)

    def is_locked(self) -> bool:
        """Whether a process is working on the study now."""
        return locking.is_held(self.folder)

    def clean(self) -> None:
        """Mend what a killed process left half-done; only under the lock."""
        own = tuple(f".{name}." for name in manifest.OWN_FILES)
        for path in [*self.folder.iterdir(), *self.folder.glob("ensembles/.*")]:
            # The lock's holder alone writes what is the study's own; a page may be in somebody else's hands.
            is_own = path.parent != self.folder or path.name.startswith(own)
            if atomic.is_temporary(path) and (is_own or atomic.is_left(path)):
                atomic.remove(path)
        if Study.load(self.folder / "study.toml") != self.study:  # killed while it amended the study
            atomic.write_text(self.folder / "study.toml", self.study.to_toml())

    # -------------------------------------------------------------- ensembles

    def path(self, ensemble: Ensemble) -> Path:
        """Where an ensemble's curves lie."""
        return self.folder / "ensembles" / f"{self.name(ensemble)}.nc"

    def name(self, ensemble: Ensemble) -> str:
        """What an ensemble is called in the manifest. With more epochs it is another one, stored beside the first."""
        return ensemble.name + (f"-{self.study.epochs}-epochs" if self._earlier_epochs() else "")

    def _earlier_epochs(self) -> list[int]:
        """How many epochs the study had before each amendment that gave it more."""
        return [amendment["changes"]["epochs"][0] for amendment in self.amendments if "epochs" in amendment["changes"]]

    def superseded(self, ensemble: Ensemble) -> list[Path]:
        """Where the ensemble lay when the study had fewer epochs."""
        earlier = self._earlier_epochs()
        names = [ensemble.name + (f"-{epochs}-epochs" if i else "") for i, epochs in enumerate(earlier)]
        return [self.folder / "ensembles" / f"{name}.nc" for name in names]

    def manifest(self) -> dict[str, dict[str, Any]]:
        """The last line of every ensemble, by its name."""
        return {entry["ensemble"]: entry for entry in manifest.lines(self.folder) if "ensemble" in entry}

    def pending(self) -> list[Ensemble]:
        """Ensembles that have no curves yet, failed ones among them."""
        entries = self.manifest()
        return [e for e in self.plan if "sha256" not in entries.get(self.name(e), {}) or not _is_plain(self.path(e))]

    def save(self, ensemble: Ensemble, curves: Curves, attributes: dict[str, str]) -> None:
        """Store an ensemble's curves: afterwards they are there, or InputError says why not and nothing changed."""
        dataset = netcdf.ensemble_dataset(
            ensemble, curves, {**attributes, "form": curves.form, "study_hash": self.study.digest}
        )
        path = self.path(ensemble)
        diverged = int((curves.status == Status.DIVERGED).sum())
        entry = {"ensemble": self.name(ensemble), "runs": len(ensemble.runs), "diverged": diverged}
        entry["computed"], entry["form"] = provenance.computed_by(attributes), curves.form
        self._publish(path, entry, lambda temporary: netcdf.write_netcdf(dataset, temporary))
        for earlier in self.superseded(ensemble):
            earlier.unlink(missing_ok=True)

    def adopt(self, ensemble: Ensemble, source: Path, entry: Mapping[str, Any]) -> None:
        """Copy an ensemble's file from another store of this study, with its line of that store's manifest.

        It goes by the name it has here: a study that was extended and one that was not call the same runs otherwise.
        """
        if not _is_plain(source):
            raise InputError(f"{source}: not there any more; try again when no process is at work on that folder")

        def copy(temporary: Path) -> None:
            shutil.copyfile(source, temporary)
            if atomic.sha256(temporary) != entry["sha256"]:
                raise InputError(f"{source}: damaged (its checksum is not the manifest's); run that shard again")

        self._publish(self.path(ensemble), {**entry, "ensemble": self.name(ensemble)}, copy)

    def computed_by(self) -> list[dict[str, str]]:
        """What computed the ensembles that are stored: each different answer once."""
        pending = {self.name(ensemble) for ensemble in self.pending()}
        found = [e["computed"] for name, e in self.manifest().items() if "computed" in e and name not in pending]
        return [one for i, one in enumerate(found) if one not in found[:i]]

    def mark_failed(self, ensemble: Ensemble, reason: str) -> None:
        """Record that an ensemble could not be trained; the next run tries again."""
        self._add_line({"ensemble": self.name(ensemble), "failed": reason[:500], "runs": len(ensemble.runs)})

    def note_running(self, ensembles: Sequence[Ensemble]) -> None:
        """Say which ensembles are in training now, for :meth:`running`; the holder of the lock does."""
        atomic.write_text(self.folder / "running.json", json.dumps([ensemble.index for ensemble in ensembles]))

    def running(self) -> list[Ensemble]:
        """Ensembles in training now: none when no process holds the lock, whatever a killed one left written."""
        if not self.is_locked():
            return []
        try:
            listed = json.loads((self.folder / "running.json").read_text())
            return [ensemble for ensemble in self.pending() if ensemble.index in listed]
        except (OSError, ValueError, TypeError):
            return []

    def counts(self) -> dict[str, int]:
        """Runs by what became of them: ``pending``, ``running``, ``done``, ``diverged``, ``failed``."""
        entries, pending = self.manifest(), {e.index for e in self.pending()}
        running = {e.index for e in self.running()}
        counts = dict.fromkeys(("pending", "running", "done", "diverged", "failed"), 0)
        for ensemble in self.plan:
            entry = entries.get(self.name(ensemble), {})
            if ensemble.index in running:
                counts["running"] += len(ensemble.runs)
            elif ensemble.index in pending:
                counts["failed" if "failed" in entry else "pending"] += len(ensemble.runs)
            else:
                counts["diverged"] += entry["diverged"]
                counts["done"] += len(ensemble.runs) - entry["diverged"]
        return counts

    # ------------------------------------------------------------------- arms

    def arms(self) -> dict[Arm, dict[str, Any]]:
        """``n_parameters``, ``epoch_seconds_alone`` and ``not_initialized`` of each arm measured so far."""
        try:
            listed = checksummed_json.unseal((self.folder / "arms.json").read_bytes())["arms"]
            return {(arm["model"], arm["norm"]): arm for arm in listed}
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError):
            raise InputError(f"{self.folder / 'arms.json'}: damaged; delete it, so that it is measured again") from None

    def save_arms(self, arms: dict[Arm, dict[str, Any]]) -> None:
        """Store the facts of every arm."""
        listed = [{"model": model, "norm": norm, **facts} for (model, norm), facts in arms.items()]
        atomic.write_text(self.folder / "arms.json", checksummed_json.seal({"arms": listed}))

    # ---------------------------------------------------------------- dataset

    def consolidate(self) -> Path:
        """Rebuild ``curves.nc`` from the ensembles and put it in place atomically; returns its path.

        Where the study asks for diagnostics, ``diagnostics.nc`` too.
        """
        path = self.folder / DATASET
        dataset = self.dataset()
        about = dict(dataset.attrs)
        dataset.attrs[netcdf.FINGERPRINT] = netcdf.fingerprint(dataset)
        self._publish_dataset(path, dataset)
        if self.study.diagnostics or self.study.mechanism:
            self._publish_dataset(self.folder / DIAGNOSTICS, self.diagnostics(about))
        return path

    def _publish_dataset(self, path: Path, dataset: xr.Dataset) -> None:
        digest = self._publish(path, {"file": path.name}, lambda temporary: netcdf.write_netcdf(dataset, temporary))
        self._add_line({"file": path.name, "placed": digest})

    def _publish(self, path: Path, entry: dict[str, Any], write: Callable[[Path], None]) -> str:
        """Write a file aside, put its checksum into the manifest, then put the file into place; the checksum."""
        staged = atomic.stage(path, write)
        try:
            self._add_line({**entry, "sha256": atomic.sha256(staged)})
        except BaseException:
            staged.unlink(missing_ok=True)
            raise
        return atomic.publish(staged, path)

    def _add_line(self, entry: dict[str, Any]) -> None:
        atomic.append_line(self.folder / "manifest.jsonl", checksummed_json.seal(entry))

    def dataset(self) -> xr.Dataset:
        """Everything stored so far, in the layout of the schema; runs without curves are pending or failed."""
        study = self.study
        variables = schema.variables(study.validation_size > 0)
        coords = netcdf.coords(study)
        sizes = {name: len(values) for name, (_, values, _) in coords.items()}
        dims = {v.name: v.over(study.further) for v in variables}
        arrays = {v.name: np.full([sizes[d] for d in dims[v.name]], v.fill, np.dtype(v.dtype)) for v in variables}
        shape = [sizes[dim] for dim in schema.with_further(schema.RUN_DIMS, study.further)]
        index = {run: i for i, run in enumerate(study.runs())}
        entries, pending = self.manifest(), {e.index for e in self.pending()}
        attributes: dict[str, str] = {}
        forms: dict[str, dict[str, None]] = {}
        for ensemble in self.plan:
            where = np.unravel_index([index[run] for run in ensemble.runs], shape)
            entry = entries.get(self.name(ensemble), {})
            if ensemble.index in pending:
                arrays["status"][where] = Status.FAILED if "failed" in entry else Status.PENDING
                continue
            stored, attributes = self._read(ensemble, entry["sha256"])
            first = ensemble.runs[0]
            forms.setdefault(f"{first.model}, {first.norm}", {})[attributes.pop("form", "")] = None
            for name, values in stored.items():
                arrays[name][where] = values
        for (model, norm), facts in self.arms().items():
            for name in ("n_parameters", "epoch_seconds_alone"):
                arrays[name][study.models.index(model), study.norms.index(norm)] = facts[name]
        data = {v.name: (dims[v.name], arrays[v.name], schema.attributes(v)) for v in variables}
        attributes["forms"] = "; ".join(f"{arm}: {' or '.join(found)}" for arm, found in forms.items())
        return xr.Dataset(data, coords, {**self._attributes(), **attributes})

    def diagnostics(self, attributes: Mapping[str, Any]) -> xr.Dataset:
        """What was looked at in training, as :func:`~bnstudy.storage.netcdf.diagnostics_dataset` lays it out."""
        entries, pending = self.manifest(), {e.index for e in self.pending()}
        parts = [
            (ensemble, netcdf.read_diagnostics(self._checked(ensemble, entries[self.name(ensemble)]["sha256"])))
            for ensemble in self.plan if ensemble.index not in pending
        ]  # fmt: skip
        return netcdf.diagnostics_dataset(self.study, parts, attributes)

    def _checked(self, ensemble: Ensemble, digest: str) -> Path:
        """Where an ensemble lies, if it is as it was written."""
        path = self.path(ensemble)
        if atomic.sha256(path) != digest:
            raise InputError(f"{path}: damaged (its checksum is not the manifest's); delete it and run the study again")
        return path

    def _read(self, ensemble: Ensemble, digest: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
        with netCDF4.Dataset(self._checked(ensemble, digest)) as file:
            file.set_auto_mask(False)
            names = [v.name for v in schema.variables(self.study.validation_size > 0) if v.name in file.variables]
            attributes = {name: file.getncattr(name) for name in file.ncattrs() if name != "study_hash"}
            return {name: file.variables[name][:] for name in names}, attributes

    def _attributes(self) -> dict[str, Any]:
        study = self.study
        return {
            "Conventions": "CF-1.11",
            "title": study.title or study.name,
            "study_name": study.name,
            "study": study.to_toml(),
            "study_hash": study.digest,
            "dataset": study.dataset,
            "classes": registry.datasets[study.dataset].about["classes"],
            "target_accuracy": study.target_accuracy,
            "amendments": json.dumps(self.amendments),
            "not_initialized": schema.told_by_model(
                {arm: facts.get("not_initialized", []) for arm, facts in self.arms().items()}
            ),
        }


def _is_plain(path: Path) -> bool:
    """Whether a file is there; a link or pipe in its place is replaced."""
    return path.is_file() and not path.is_symlink()


def _amendment(said: Any) -> dict[str, Any]:
    """An amendment as a plan holds it; ValueError if it is not one."""
    if not isinstance(said, dict) or not isinstance(said.get("changes"), dict):
        raise ValueError("one of its amendments is none")
    pairs = said["changes"].values()
    told = all(isinstance(said.get(key), str) for key in ("at", "study_hash"))
    if not told or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise ValueError("one of its amendments does not say what changed")
    if not isinstance(said["changes"].get("epochs", [0])[0], int):
        raise ValueError("one of its amendments has no number of epochs")
    return said


def _is_ours(path: Path) -> bool:
    """Whether a file may lie in a folder whose study was not yet made."""
    return path.name in ("study.toml", "plan.json", "lock") or atomic.is_temporary(path)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
