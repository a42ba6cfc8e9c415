"""One run of a study: from what is asked to the stored dataset, wherever it trains."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bnstudy.storage import atomic
from bnstudy.storage.consolidation import consolidate
from bnstudy.storage.extension import amended, refuse_less
from bnstudy.storage.locking import hold
from bnstudy.storage.opening import open_results
from bnstudy.storage.store import Store
from bnstudy.study import main_guard, required_plugins
from bnstudy.study.errors import DataWarning, FailedRunsError, InputError
from bnstudy.study.plan import Ensemble, Shard
from bnstudy.study.preferences import setting
from bnstudy.study.provenance import changed_since_sealed, computed_by, differing
from bnstudy.study.study import Study
from bnstudy.training.datasets import data
from bnstudy.training.running.events import Done, EpochDone, Event, Failed, InTraining
from bnstudy.training.running.observing import Observer
from bnstudy.training.running.renewal import Renewal
from bnstudy.training.running.stopping import Flag, StoppedError, stop_flag
from bnstudy.training.running.this_machine import Machine, resolve_device
from bnstudy.training.running.workers import Forms

if TYPE_CHECKING:
    import xarray as xr

    from bnstudy.storage.store import Arm


class Place(Protocol):
    """Where a study trains: this machine (:class:`~bnstudy.training.running.this_machine.Machine`) or a cluster."""

    device: str

    def prepare(self, study: Study) -> None:
        """Make sure of the data; InputError if they are not to be had."""

    def plan(self, study: Study) -> tuple[Ensemble, ...]:
        """Which runs train together."""

    def attributes(self, study: Study) -> dict[str, str]:
        """What computes a study, as the attributes of what is stored: its data and plugins included."""

    def measure_arms(self, study: Study) -> dict[Arm, dict[str, Any]]:
        """Facts of each arm's plain network."""

    def train(self, study: Study, ensembles: Sequence[Ensemble], forms: Forms) -> Generator[Event]:
        """Train ensembles, each in one of its arm's forms, and tell what happens; closed, it stops."""

    def close(self) -> None:
        """Let go of what is held."""


def run(
    study: Study,
    out: str | Path | None = None,
    *,
    data_dir: str | Path | None = None,
    device: str | None = None,
    jobs: int | None = None,
    shard: Shard | None = None,
    scheduler: str | None = None,
    compiled: bool = True,
    allow_mixed: bool = False,
    wait: bool = False,
    extends: bool = False,
    quiet: bool = True,
    observer: Observer | None = None,
) -> xr.Dataset:
    """Run a study, or what is left of it, and return its dataset; :func:`bnstudy.run` says what it takes and raises.

    Besides, `extends` says that the folder holds a smaller study, which becomes this one once all that could be refused
    was not.
    """
    main_guard.leave_if_starting()
    folder = Path(out) if out else default_folder(study, shard)
    with atomic.disk_errors(folder):
        store = Store.open(folder) if extends else Store.find(folder, study)  # a wrong folder is told at once
        if extends and store:
            refuse_less(store, study)
        needed = extends or _is_needed(store, shard)
    if needed and scheduler is None:
        data.check(study.dataset, data_dir)  # likewise
    with closing(_trainer(device, data_dir, jobs, compiled, quiet, scheduler)) as trainer, atomic.disk_errors(folder):
        if needed:
            trainer.prepare(study)  # before anything is written: the data may not be there
        with hold(folder, wait) as check_lock, stop_flag() as flag:
            # Again: the last holder of the lock may have made or extended it.
            store = _extended(folder, study, trainer, allow_mixed) if extends else Store.find(folder, study)
            if not needed and _is_needed(store, shard):
                trainer.prepare(study)
            store = store or Store.create(folder, study, trainer.device.split(":")[0], trainer.plan(study))
            store.clean()
            if not _arms_known(store):
                store.save_arms(trainer.measure_arms(study))
            failed = _train(store, shard, trainer, observer or Observer(), flag, allow_mixed, check_lock)
            consolidate(store)
        if failed:
            raise FailedRunsError(f"{failed} of {study.n_runs} runs failed; the same command tries them again")
        return open_results(store.folder)


def default_folder(study: Study, shard: Shard | None = None) -> Path:
    """Where a study is stored unless one says otherwise."""
    whole = Path("results") / study.name
    return whole.with_name(f"{study.name}.shards") / f"{shard.index}-of-{shard.count}" if shard else whole


def _trainer(
    device: str | None,
    data_dir: str | Path | None,
    jobs: int | None,
    compiled: bool,
    quiet: bool,
    scheduler: str | None,
) -> Place:
    if scheduler is None:
        return Machine(resolve_device(device), data_dir, setting("jobs", jobs, 1).value, compiled, quiet)
    from bnstudy.training.running.cluster import Cluster

    return Cluster(scheduler, setting("device", device, "auto").value, data_dir, compiled)


def _extended(folder: Path, study: Study, trainer: Place, allow_mixed: bool) -> Store:
    """The folder's study made the larger one, unless what would compute the rest is something else."""
    store = Store.open(folder)
    if not allow_mixed:
        _refuse_mixture(store, computed_by(trainer.attributes(study)))
    return amended(store, study)


def _refuse_mixture(store: Store, now: dict[str, str]) -> None:
    """InputError if what would compute the rest of a study differs from what computed the part that is stored."""
    for before in store.computed_by():
        if listed := differing(before, now):
            raise InputError(
                f"{store.folder} was computed in part by something else ({listed}), and mixing changes last digits; "
                "resume it as it was begun, choose another folder with --out, or add --allow-mixed",
                "out",
                topic="resume",
            )


def _tell_of_other_plugins(store: Store) -> None:
    """Warn where what is finished was computed with plugins whose code is another by now: it is not computed again."""
    now = {"plugins": required_plugins.digests(store.study)}
    for before in store.computed_by():
        if listed := differing({"plugins": before.get("plugins", "")}, now):
            warnings.warn(
                f"{store.folder}: code that its runs were computed with has changed since ({listed}), and what is "
                "stored is of the code before; choose another folder with --out to compute it anew",
                DataWarning,
                stacklevel=2,
            )
            return


def _train(
    store: Store, shard: Shard | None, trainer: Place, observer: Observer, flag: Flag, allow_mixed: bool,
    check_lock: Callable[[], None],
) -> int:  # fmt: skip
    """Train what is left; returns how many runs failed."""
    todo = _left(store, shard)
    here = trainer.attributes(store.study) if todo else {}
    if todo and not allow_mixed:
        _refuse_mixture(store, computed_by(here))
    if changed := changed_since_sealed(store.sealed, here or {"plugins": required_plugins.digests(store.study)}):
        warnings.warn(f"{store.folder}: not what was sealed on {store.preregistered}: {changed}", DataWarning, 2)
    if not todo:
        _tell_of_other_plugins(store)
    observer.started(store, todo)
    failed, renewal = 0, Renewal(store, observer.renewed)
    with closing(trainer.train(store.study, todo, _forms(store))) as happening:
        for event in happening:
            check_lock()
            match event:
                case InTraining():
                    store.note_running(event.ensembles)
                case EpochDone():
                    observer.progress(event.ensemble, event.progress)
                case Done():
                    store.save(event.ensemble, event.curves, event.computed_by or here)
                    renewal.stored()
                    observer.done(event.ensemble, event.curves)
                case Failed():
                    failed += len(event.ensemble.runs)
                    store.mark_failed(event.ensemble, event.reason)
                    observer.failed(event.ensemble, event.reason)
            if flag.signal is not None:
                break
            renewal.look()
    if flag.signal is None or not _left(store, shard):
        return failed
    consolidate(store)
    counts = store.counts()
    stopped = StoppedError(f"stopped; {counts['done'] + counts['diverged']} runs are stored, the same command resumes")
    stopped.exit_code = 128 + flag.signal
    raise stopped


def _is_needed(store: Store | None, shard: Shard | None) -> bool:
    """Whether there is anything to do that takes data and a device."""
    return store is None or bool(_left(store, shard)) or not _arms_known(store)


def _left(store: Store, shard: Shard | None) -> list[Ensemble]:
    """What is still to be trained, of one shard or of all; seed by seed, so that there soon are pairs to look at."""
    left = [ensemble for ensemble in store.pending() if shard is None or shard.holds(ensemble)]
    return sorted(left, key=lambda ensemble: store.study.seeds.index(ensemble.runs[0].seed))


def _forms(store: Store) -> Forms:
    """The forms in which each arm may train, as found where the study began."""
    return tuple((arm, tuple(facts["forms"])) for arm, facts in store.arms().items() if "forms" in facts)


def _arms_known(store: Store) -> bool:
    known = store.arms()
    return all(arm in known for arm in store.study.arms())
