"""A study on disk: ensembles that are absent or whole, a manifest of their checksums, and the one dataset.

A study folder holds::

    study.toml       the study as resolved
    plan.json        which runs train together, and on what kind of device
    ensembles/       one netCDF file each, written once
    manifest.jsonl   a line per file with its SHA-256; the last line of an ensemble counts
    arms.json        facts of each model and norm: parameters, time alone
    running.json     what is in training now, if a process holds the lock
    curves.nc        everything so far, rebuilt from the ensembles, while a study trains too

A file's line is written before the file is renamed into place. So a file that is there is always known, and a line
without its file means only that an ensemble is still to be trained. Once a dataset is in its place another line says
so: from then on no earlier one is taken for it. A process killed before that leaves either the old or the new one.
"""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnstudy.storage import atomic, checksummed_json, lock_file, locking, manifest, netcdf, plan_file
from bnstudy.storage.nearby import what_to_do
from bnstudy.study import differing, provenance
from bnstudy.study.enlarging import LISTED, enlarging_command
from bnstudy.study.errors import InputError
from bnstudy.study.plan import Ensemble, make_plan
from bnstudy.study.schema import Status
from bnstudy.study.study import Study, digest_of
from bnstudy.study.study_files import read_toml

if TYPE_CHECKING:
    from bnstudy.study.curves import Curves

Arm = tuple[str, str]  # model, norm

# Keys that are told only where nothing else differs: they follow from the levels, or are long texts.
FOLLOWING = ("roles", "predictions", "title")


@dataclass(frozen=True)
class Store:
    """One study folder. :meth:`create`, :meth:`find` and :meth:`open` make it."""

    folder: Path
    study: Study
    device: str
    plan: tuple[Ensemble, ...]
    amendments: tuple[dict[str, Any], ...] = ()
    preregistered: str = ""
    sealed: Mapping[str, str] = field(default_factory=dict)

    # ------------------------------------------------------------- open, lock

    @classmethod
    def find(cls, folder: str | Path, study: Study) -> Store | None:
        """The study's store if the folder holds it, its levels in whatever order; None if it holds nothing yet.

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
        if (folder / plan_file.NAME).exists():
            store = cls.open(folder)
            changes = store.study.differences(study)
            if any(key not in LISTED or set(there) != set(asked) for key, (there, asked) in changes.items()):
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
        preregistered: str = "",
        sealed: Mapping[str, str] | None = None,
    ) -> Store:
        """Make a study folder that holds a plan (by default the device's); InputError if it cannot be made."""
        planned = tuple(plan or make_plan(study, device))
        store = cls(Path(folder), study, device, planned, tuple(amendments), preregistered, dict(sealed or {}))
        atomic.write_text(store.folder / "study.toml", study.to_toml())
        # Last: a folder without its plan is one that was never made.
        store._write_plan()
        return store

    @classmethod
    def open(cls, folder: str | Path) -> Store:
        """Open an existing study folder; InputError if it is not one, or its study was changed by hand."""
        folder = Path(folder)
        manifest.refuse_strange_files(folder)
        if not (folder / plan_file.NAME).is_file():
            told = what_to_do(folder, "`bnstudy run` makes one")
            raise InputError(f"{folder}: no study there (no plan.json); {told}")
        while True:
            planned, text = plan_file.read(folder)
            store = cls(folder, *planned)
            # A process killed while it amended the study leaves the text of the one before.
            before = [amendment["study_hash"] for amendment in store.amendments]
            if digest_of(read_toml(folder / "study.toml")) in (store.study.digest, *before[-1:]):
                return store
            # Unless it is being amended right now: then the plan is another one by now.
            if (folder / plan_file.NAME).read_bytes() == text:
                raise InputError(
                    f"{folder / 'study.toml'} was changed after its plan was made; restore it or use a new folder"
                )

    def amend(self, study: Study, plan: Sequence[Ensemble]) -> Store:
        """Replace the study by a larger one whose plan goes on from this one's, and record what changed.

        Only under the lock.
        """
        changes = {key: list(values) for key, values in self.study.differences(study).items()}
        amendment = {"at": provenance.now(), "study_hash": self.study.digest, "changes": changes}
        store = replace(self, study=study, plan=tuple(plan), amendments=(*self.amendments, amendment))
        store._write_plan()
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
        store._write_plan()
        for ensemble in renamed:
            self.path(ensemble).unlink(missing_ok=True)
        return store

    def _is_another(self, study: Study, changes: Mapping[str, tuple[Any, Any]]) -> InputError:
        """Why this folder is no place for `study`."""
        plain = {key: both for key, both in changes.items() if key not in FOLLOWING} or changes
        listed, place = differing.told(plain), shlex.quote(str(self.folder))
        origin, advice = "", "choose another folder with --out"
        if study.digest in [amendment["study_hash"] for amendment in self.amendments]:
            origin = ", to which this one was extended"
            again = shlex.join(["bnstudy", "run", str(self.folder / "study.toml"), "--out", str(self.folder)])
            advice = f"`{again}` goes on with that one, or {advice}"
        elif more := enlarging_command(self.folder, self.study, study):
            return InputError(f"{self.folder} holds less of this study ({listed}); `{more}` adds what is new", "out")
        elif enlarging_command(self.folder, study, self.study):
            advice = f"`bnstudy analyze {place}` reads that one, which holds all of this and more, or {advice}"
        return InputError(f"{self.folder} holds another study{origin} ({listed}); {advice}", "out")

    def _write_plan(self) -> None:
        planned = plan_file.Planned(
            self.study, self.device, self.plan, self.amendments, self.preregistered, dict(self.sealed)
        )
        atomic.write_text(self.folder / plan_file.NAME, plan_file.text(planned))

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
        if read_toml(self.folder / "study.toml") != self.study.stored:  # killed while it amended the study
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
        """What was measured of each arm so far, by name."""
        try:
            listed = checksummed_json.unseal((self.folder / "arms.json").read_bytes())["arms"]
            return {(arm["model"], arm["norm"]): arm for arm in listed}
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise atomic.cannot_read(self.folder / "arms.json", error) from error
        except (ValueError, KeyError, TypeError):
            raise InputError(f"{self.folder / 'arms.json'}: damaged; delete it, so that it is measured again") from None

    def save_arms(self, arms: dict[Arm, dict[str, Any]]) -> None:
        """Store the facts of every arm."""
        listed = [{"model": model, "norm": norm, **facts} for (model, norm), facts in arms.items()]
        atomic.write_text(self.folder / "arms.json", checksummed_json.seal({"arms": listed}))

    # ------------------------------------------------------------------ files

    def publish_dataset(self, path: Path, write: Callable[[Path], None]) -> None:
        """Put a dataset of all ensembles into place: from then on no earlier one is taken for it."""
        digest = self._publish(path, {"file": path.name}, write)
        self._add_line({"file": path.name, "placed": digest})

    def checked(self, ensemble: Ensemble) -> Path:
        """Where an ensemble's curves lie, if they are as they were written; InputError if not."""
        path = self.path(ensemble)
        if atomic.sha256(path) != self.manifest()[self.name(ensemble)]["sha256"]:
            raise InputError(f"{path}: damaged (its checksum is not the manifest's); delete it and run the study again")
        return path

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


def _is_plain(path: Path) -> bool:
    """Whether a file is there; a link or pipe in its place is replaced."""
    return path.is_file() and not path.is_symlink()


def _is_ours(path: Path) -> bool:
    """Whether a file may lie in a folder whose study was not yet made."""
    return path.name in ("study.toml", plan_file.NAME, locking.NAME, lock_file.NAME) or atomic.is_temporary(path)
