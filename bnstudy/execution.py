"""Who runs the ensembles: this process or several, from a study to its stored dataset."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from bnstudy import data, files, provenance
from bnstudy.errors import FailedRunsError, InputError
from bnstudy.plan import Ensemble, make_plan
from bnstudy.store import Store, computed_by, open_results
from bnstudy.study import Study
from bnstudy.workers import Setup, StoppedError, Watch, train_here, train_in_processes

if TYPE_CHECKING:
    import xarray as xr

    from bnstudy.training import Curves, Progress

MAX_JOBS = 1024


class Observer:
    """Told what happens while a study runs; does nothing by itself."""

    def started(self, store: Store, todo: int) -> None:
        """Training begins: `todo` ensembles are left."""

    def progress(self, ensemble: Ensemble, progress: Progress) -> None:
        """An ensemble finished an epoch."""

    def done(self, ensemble: Ensemble, curves: Curves) -> None:
        """An ensemble is stored."""

    def failed(self, ensemble: Ensemble, reason: str) -> None:
        """An ensemble failed twice and is given up for now."""


def run(
    study: Study,
    out: str | Path | None = None,
    *,
    data_dir: str | Path | None = None,
    device: str = "auto",
    jobs: int = 1,
    compiled: bool = True,
    allow_mixed: bool = False,
    wait: bool = False,
    quiet: bool = True,
    observer: Observer | None = None,
) -> xr.Dataset:
    """Run a study, or what is left of it, and return its dataset.

    Parameters
    ----------
    study : Study
        What to run.
    out : path, optional
        The study folder; ``results/NAME`` by default. If it holds the same study, that study is resumed.
    data_dir : path, optional
        Where data sets lie; see :func:`bnstudy.data.data_folder`.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    jobs : int
        Worker processes, of one thread each; with 1 the runs train in this process. The numbers do not depend on it.
    compiled : bool
        Whether code of bnstudy's own may be built, where there is a C++ compiler, and used.
    allow_mixed : bool
        Whether to resume a study of which another device, kernel, processor or other versions computed a part.
    wait : bool
        Whether to wait while another process is at work on the folder, rather than to give up.
    quiet : bool
        Whether a download shows no progress.
    observer : Observer, optional
        Told of progress.

    Raises
    ------
    InputError
        The study, folder or data are not fit to run.
    LockedError
        Another process is at work on the folder.
    FailedRunsError
        Some ensembles failed; all others are stored.
    StoppedError
        A signal came; what is finished is stored, and the same call resumes.
    """
    observer = observer or Observer()
    if not 1 <= jobs <= MAX_JOBS:
        raise InputError(f"must be from 1 to {MAX_JOBS}, not {jobs}", "jobs")
    chosen = resolve_device(device)
    folder = Path(out or Path("results") / study.name)
    with files.disk_errors(folder):
        store = Store.find(folder, study)
        loaded = None
        if store is None or store.pending() or not _arms_known(store):
            loaded = data.load(study, data_dir, quiet)  # before anything is written: it may not be there
        store = store or Store.create(folder, study, chosen.split(":")[0], plan_for(study, chosen))
        with store.locked(wait), _stop_flag() as flag:
            store.clean()
            if loaded and not _arms_known(store):
                _measure_arms(store, loaded, chosen)
            setup = Setup(study.to_toml(), str(data_dir) if data_dir else None, chosen, compiled)
            failed = _train(store, setup, loaded, jobs, observer, flag, allow_mixed)
            store.consolidate()
        if failed:
            raise FailedRunsError(f"{failed} of {study.n_runs} runs failed; the same command tries them again")
        return open_results(store.folder)


def _refuse_mixture(store: Store, now: dict[str, str]) -> None:
    """InputError if what would compute the rest of a study differs from what computed the part that is stored."""
    for before in store.computed_by():
        differing = [name for name in before if before[name] != now.get(name)]
        if differing:
            listed = "; ".join(f"{name}: {_without(before[name], now.get(name, ''))}" for name in differing)
            raise InputError(
                f"{store.folder} was computed in part by something else ({listed}), and mixing changes last digits; "
                "resume it as it was begun, choose another folder with --out, or add --allow-mixed",
                "out",
            )


def _without(before: str, now: str) -> str:
    """What differs between two lists of words, or the two as they are."""
    there, here = before.split(), now.split()
    return f"{' '.join(w for w in there if w not in here)} before, {' '.join(w for w in here if w not in there)} now"


def _train(
    store: Store,
    setup: Setup,
    loaded: data.Data | None,
    jobs: int,
    observer: Observer,
    flag: _Flag,
    allow_mixed: bool,
) -> int:
    """Train what is pending; returns how many runs failed."""
    pending = store.pending()
    attributes = provenance.attributes(setup.device)
    if pending:
        attributes["kernel"] = _kernel(setup)
        if not allow_mixed:
            _refuse_mixture(store, computed_by(attributes))
    observer.started(store, len(pending))
    failed = 0

    def done(ensemble: Ensemble, curves: Curves) -> None:
        store.save(ensemble, curves, attributes)
        observer.done(ensemble, curves)

    def fail(ensemble: Ensemble, reason: str) -> None:
        nonlocal failed
        failed += len(ensemble.runs)
        store.mark_failed(ensemble, reason)
        observer.failed(ensemble, reason)

    watch = Watch(observer.progress, done, fail, lambda: flag.signal is not None)
    try:
        if jobs == 1 or setup.device != "cpu":
            train_here(setup, pending, watch, loaded)
        else:
            train_in_processes(setup, pending, jobs, watch, loaded)
    except StoppedError:
        store.consolidate()
        error = StoppedError(
            f"stopped; {sum(store.counts().values()) - _left(store)} runs are stored, the same command resumes"
        )
        error.exit_code = 128 + (flag.signal or signal.SIGINT)
        raise error from None
    return failed


def _kernel(setup: Setup) -> str:
    """What compiled code computes, built now so that no worker has to; "none" where there is none."""
    from bnstudy.replicas import kernel

    found = kernel.load() if setup.compiled and setup.device == "cpu" else None
    return f"lanes, {found.compiler}" if found else "none"


def plan_for(study: Study, device: str) -> tuple[Ensemble, ...]:
    """The plan of a study on this machine and one of its devices."""
    kind = device.split(":")[0]
    capacity = None
    if kind == "cuda":
        from bnstudy import training

        capacity = training.capacity(study, device)
    return make_plan(study, kind, capacity, usable_cores())


def _left(store: Store) -> int:
    return sum(len(ensemble.runs) for ensemble in store.pending())


def _arms(study: Study) -> list[tuple[str, str]]:
    return [(model, norm) for model in study.models for norm in study.norms]


def _arms_known(store: Store) -> bool:
    known = store.arms()
    return all(arm in known for arm in _arms(store.study))


def _measure_arms(store: Store, loaded: data.Data, device: str) -> None:
    """Count each arm's parameters and time its plain network alone, once a study, before the workers start."""
    import torch

    from bnstudy import training

    study = store.study
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        loaded = loaded.to(torch.device(device))
        store.save_arms(
            {
                (model, norm): {
                    "n_parameters": training.count_parameters(study, model, norm, loaded.shape, loaded.classes),
                    "epoch_seconds_alone": training.seconds_alone(study, model, norm, loaded),
                }
                for model, norm in _arms(study)
            }
        )
    finally:
        torch.set_num_threads(threads)


def resolve_device(name: str) -> str:
    """The device to train on: ``cpu``, ``cuda`` or ``cuda:N``; InputError if it is not there."""
    import torch

    kind, _, index = name.partition(":")
    available = torch.cuda.is_available()
    if name == "auto":
        return "cuda" if available else "cpu"
    if name == "cpu":
        return name
    if kind == "cuda" and (not index or index.isdecimal()) and (index or ":" not in name):
        if not available:
            raise InputError("this machine has no CUDA device that torch can use; use auto or cpu", "device")
        if index and int(index) >= torch.cuda.device_count():
            raise InputError(f"there are {torch.cuda.device_count()} CUDA devices, counted from 0", "device")
        return name
    raise InputError(f"must be auto, cpu, cuda or cuda:N, not {name[:60]!r}", "device")


def usable_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass
class _Flag:
    signal: int | None = None


@contextmanager
def _stop_flag() -> Iterator[_Flag]:
    """Turn SIGINT and SIGTERM into a flag; a second one ends the process at once."""
    flag = _Flag()

    def note(number: int, frame: FrameType | None) -> None:
        flag.signal = number
        signal.signal(number, signal.SIG_DFL)

    previous = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            previous[number] = signal.signal(number, note)
    except ValueError:  # not the main thread: the host program handles its signals
        pass
    try:
        yield flag
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
