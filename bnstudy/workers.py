"""Worker processes: each trains one ensemble at a time on one thread, and answers over a pipe.

The parent alone writes to disk. A worker that dies loses only the ensemble it had; a worker whose parent dies ends at
its next message.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

from bnstudy import registry
from bnstudy.errors import BnstudyError

if TYPE_CHECKING:
    from bnstudy.data import Data
    from bnstudy.plan import Ensemble
    from bnstudy.sharing import Shared
    from bnstudy.study import Study
    from bnstudy.training import Curves, Progress

ATTEMPTS = 2  # an ensemble that fails is tried once more


class StoppedError(BnstudyError):
    """Asked to stop; whatever is finished is stored."""


@dataclass(frozen=True)
class Setup:
    """What a worker needs to train any ensemble of a study. Settings travel as text, so that nothing else is shared."""

    study_toml: str
    data_dir: str | None
    device: str
    compiled: bool = True
    data: Shared | None = None  # where the data lie in memory; else they are read from `data_dir`
    plugins: tuple[str, ...] = field(default_factory=registry.plugins)  # modules that this process was told to load

    def study(self) -> Study:
        """The study itself."""
        import tomllib

        from bnstudy.study import Study

        for name in self.plugins:
            registry.load_plugin(name)
        return Study.make(tomllib.loads(self.study_toml))


@dataclass(frozen=True)
class Watch:
    """What the parent does as workers answer."""

    running: Callable[[Sequence[Ensemble]], None]  # all that are in training now
    progress: Callable[[Ensemble, Progress], None]
    done: Callable[[Ensemble, Curves, dict[str, str] | None], None]  # with what computed it, if not this machine
    failed: Callable[[Ensemble, str], None]
    stop: Callable[[], bool]


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    ensemble: Ensemble | None = None


@dataclass
class Queue:
    """Ensembles still to be handed out, and how often each was tried."""

    waiting: list[Ensemble]
    attempts: dict[int, int] = field(default_factory=dict)

    def next(self) -> Ensemble | None:
        if not self.waiting:
            return None
        ensemble = self.waiting.pop(0)
        self.attempts[ensemble.index] = self.attempts.get(ensemble.index, 0) + 1
        return ensemble

    def again(self, ensemble: Ensemble) -> bool:
        """Put a failed ensemble back, unless it has been tried often enough."""
        if self.attempts[ensemble.index] >= ATTEMPTS:
            return False
        self.waiting.append(ensemble)
        return True


def train_here(setup: Setup, ensembles: Sequence[Ensemble], watch: Watch, loaded: Data | None = None) -> None:
    """Train ensembles one after the other in this process, on one thread; `loaded` spares reading the data again."""
    if not ensembles:
        return
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        train = trainer_of(setup, loaded)
        queue = Queue(list(ensembles))
        while (ensemble := queue.next()) is not None:
            watch.running([ensemble])
            try:
                curves = train(ensemble, _reporter(ensemble, watch))
            except StoppedError:
                raise
            except Exception as error:  # whatever a model raises must not end the study
                if not queue.again(ensemble):
                    watch.failed(ensemble, reason_of(error))
                continue
            watch.done(ensemble, curves, None)
    finally:
        torch.set_num_threads(threads)


def train_in_processes(
    setup: Setup, ensembles: Sequence[Ensemble], jobs: int, watch: Watch, loaded: Data | None = None
) -> None:
    """Train ensembles in `jobs` worker processes, which share the data; the numbers are those of :func:`train_here`."""
    if not ensembles:
        return
    from bnstudy.sharing import share

    with share(loaded or load(setup)) as shared:
        _train_in_processes(replace(setup, data=shared), ensembles, jobs, watch)


def _train_in_processes(setup: Setup, ensembles: Sequence[Ensemble], jobs: int, watch: Watch) -> None:
    queue = Queue(list(ensembles))
    workers = [_start(setup) for _ in range(min(jobs, len(ensembles)))]
    try:
        while queue.waiting or any(worker.ensemble for worker in workers):
            idle = [worker for worker in workers if worker.ensemble is None]
            for worker in idle:
                _hand_out(worker, queue)
            if idle:
                watch.running([worker.ensemble for worker in workers if worker.ensemble])
            busy: list[Any] = [worker.pipe for worker in workers if worker.ensemble]
            ready = wait(busy, timeout=0.2)
            if watch.stop():
                raise StoppedError("stopped")
            for worker in list(workers):
                if worker.pipe in ready and not _answer(worker, queue, watch):
                    workers.remove(worker)
                    if queue.waiting:
                        workers.append(_start(setup))
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.join()


def _hand_out(worker: _Worker, queue: Queue) -> None:
    worker.ensemble = queue.next()
    if worker.ensemble:
        try:
            worker.pipe.send(worker.ensemble)
        except OSError:
            pass  # it died; its pipe says so when it is read


def _answer(worker: _Worker, queue: Queue, watch: Watch) -> bool:
    """Deal with one message; False if the worker is dead."""
    ensemble = worker.ensemble
    assert ensemble is not None
    try:
        kind, content = worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join()
        if not queue.again(ensemble):
            watch.failed(ensemble, f"its worker process died (exit code {worker.process.exitcode})")
        return False
    if kind == "progress":
        watch.progress(ensemble, content)
        return True
    worker.ensemble = None
    if kind == "done":
        watch.done(ensemble, content, None)
    elif not queue.again(ensemble):
        watch.failed(ensemble, content)
    return True


def kill_workers() -> None:
    """End every worker of this process at once."""
    for process in multiprocessing.active_children():
        process.kill()


def _start(setup: Setup) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(setup, theirs), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _work(setup: Setup, pipe: Connection) -> None:
    """A worker's life: receive an ensemble, train it, answer; until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    import torch

    torch.set_num_threads(1)
    train: Callable[..., Curves] | None = None
    while True:
        try:
            ensemble = pipe.recv()
            answer: tuple[str, Any]
            try:
                train = train or trainer_of(setup)
                answer = ("done", train(ensemble, lambda progress: _send(pipe, ("progress", progress))))
            except _ParentGoneError:
                return
            except Exception as error:  # whatever a model raises must not end the worker
                answer = ("failed", reason_of(error))
            _send(pipe, answer)
        except (EOFError, OSError, _ParentGoneError):
            return


class _ParentGoneError(Exception):
    """Nobody reads what a worker sends."""


def _send(pipe: Connection, message: tuple[str, Any]) -> None:
    try:
        pipe.send(message)
    except OSError:
        raise _ParentGoneError from None


def load(setup: Setup) -> Data:
    """The study's data, from memory or from disk."""
    from bnstudy import data

    return setup.data.open() if setup.data else data.load(setup.study(), setup.data_dir)


def trainer_of(setup: Setup, loaded: Data | None = None) -> Callable[[Ensemble, Callable[[Progress], None]], Curves]:
    """Read the study, and its data unless they are `loaded`; the result trains one ensemble."""
    import torch

    from bnstudy import training

    study = setup.study()
    device = torch.device(setup.device)
    ready = (loaded or load(setup)).to(device)

    def train(ensemble: Ensemble, report: Callable[[Progress], None]) -> Curves:
        return training.train_ensemble(study, ensemble, ready, device, report=report, compiled=setup.compiled)

    return train


def _reporter(ensemble: Ensemble, watch: Watch) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        watch.progress(ensemble, progress)
        if watch.stop():
            raise StoppedError("stopped")

    return report


def reason_of(error: BaseException) -> str:
    """An error as one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"
