"""Worker processes: each trains one ensemble at a time on one thread, and answers over a pipe.

The parent alone writes to disk. A worker says first that it is ready, or why it cannot be; one that dies later loses
only the ensemble it had, and another takes its place. A worker whose parent dies ends at its next message.
"""

from __future__ import annotations

import multiprocessing
import signal
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

from bnstudy.study import main_guard
from bnstudy.study.errors import BnstudyError, DataWarning, InputError, reason_of
from bnstudy.training.running.workers import ATTEMPTS, Queue, Setup, StoppedError, UnfitError, Watch, load, trainer_of

if TYPE_CHECKING:
    from bnstudy.study.plan import Ensemble
    from bnstudy.training.datasets.data import Data

POLL = 0.2  # seconds between looks at whether to stop


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    is_ready: bool = False
    ensemble: Ensemble | None = None


@dataclass
class _Pool:
    """The worker processes of one study, and what is left for them."""

    setup: Setup
    queue: Queue
    watch: Watch
    workers: list[_Worker] = field(default_factory=list)
    died_starting: int = 0  # one after the other

    def start(self, count: int) -> None:
        self.workers += [_start(self.setup) for _ in range(count)]

    def work(self) -> None:
        """Hand out ensembles until none is left."""
        while self.queue.waiting or any(worker.ensemble for worker in self.workers):
            handed_out = [_hand_out(worker, self.queue) for worker in self.workers]
            if any(handed_out):
                self.watch.running([worker.ensemble for worker in self.workers if worker.ensemble])
            heard: list[Any] = [w.pipe for w in self.workers if w.ensemble or not w.is_ready]
            ready = wait(heard, timeout=POLL)
            if self.watch.stop():
                raise StoppedError("stopped")
            for worker in [worker for worker in self.workers if worker.pipe in ready]:
                self._hear(worker)

    def _hear(self, worker: _Worker) -> None:
        """Deal with one message, or with the death of the worker."""
        try:
            kind, content = worker.pipe.recv()
        except (EOFError, OSError):
            self._replace(worker)
            return
        if kind == "unfit":
            raise UnfitError(content)
        if kind == "ready":
            worker.is_ready, self.died_starting = True, 0
            return
        ensemble = worker.ensemble
        assert ensemble is not None
        if kind == "progress":
            self.watch.progress(ensemble, content)
            return
        worker.ensemble = None
        if kind == "done":
            self.watch.done(ensemble, content, None)
        elif not self.queue.again(ensemble):
            self.watch.failed(ensemble, content)

    def _replace(self, worker: _Worker) -> None:
        worker.process.join()
        code, ensemble = worker.process.exitcode, worker.ensemble
        self.workers.remove(worker)
        if ensemble is None:
            self.died_starting += 1
            if code == main_guard.NO_GUARD:
                raise InputError(main_guard.ADVICE, "jobs")
            if (code or 0) > 0 or self.died_starting >= ATTEMPTS:  # what was killed may fare better once more
                raise InputError(f"a worker process ended as it started ({_ending(code)}); jobs=1 needs none", "jobs")
        elif not self.queue.again(ensemble):
            self.watch.failed(ensemble, f"its worker process died ({_ending(code)})")
        if self.queue.waiting:
            self.start(1)


def train_in_processes(
    setup: Setup, ensembles: Sequence[Ensemble], jobs: int, watch: Watch, loaded: Data | None = None
) -> None:
    """Train ensembles in `jobs` worker processes, which share the data.

    The numbers are those of :func:`~bnstudy.training.running.workers.train_here`.

    Parameters
    ----------
    setup, ensembles, watch
        What to train, and who is told.
    jobs : int
        How many processes at most.
    loaded : Data, optional
        The study's data, which spares reading them again.

    Raises
    ------
    InputError
        No worker gets ready: it is told why.
    """
    if not ensembles:
        return
    from bnstudy.training.running.shared_data import share

    with share(loaded or load(setup)) as shared:
        pool = _Pool(replace(setup, data=shared), Queue(list(ensembles)), watch)
        try:
            pool.start(min(jobs, len(ensembles)))
            pool.work()
        finally:
            for worker in pool.workers:
                worker.process.kill()
                worker.process.join()


def kill_workers() -> None:
    """End every worker of this process at once."""
    for process in multiprocessing.active_children():
        process.kill()


def _hand_out(worker: _Worker, queue: Queue) -> bool:
    """Give an idle worker its next ensemble; whether there was one."""
    if not worker.is_ready or worker.ensemble or (ensemble := queue.next()) is None:
        return False
    worker.ensemble = ensemble
    try:
        worker.pipe.send(ensemble)
    except OSError:
        pass  # it died; its pipe says so when it is read
    return True


def _ending(code: int | None) -> str:
    """How a process ended."""
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}" if -code in signal.valid_signals() else f"signal {-code}"
    return f"exit code {code}"


def _start(setup: Setup) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(setup, theirs), name=main_guard.WORKER, daemon=True)
    if multiprocessing.current_process().daemon:
        raise InputError("this process is a worker of a pool, which can have none of its own; use jobs=1", "jobs")
    try:
        process.start()
    except RuntimeError:  # in a process of somebody else's that still imports its script
        raise InputError(main_guard.ADVICE, "jobs") from None
    except OSError as error:
        raise InputError(f"cannot start a worker process: {error.strerror or error}; use fewer", "jobs") from None
    finally:
        theirs.close()
    return _Worker(process, ours)


# ------------------------------------------------------------------ in a worker


def _work(setup: Setup, pipe: Connection) -> None:
    """A worker's life: get ready, then receive an ensemble, train it, answer; until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    warnings.filterwarnings("ignore", category=DataWarning)  # it has told of them
    try:
        try:
            import torch

            torch.set_num_threads(1)
            train = trainer_of(setup)
        except BnstudyError as error:
            _send(pipe, ("unfit", str(error)))
            return
        except Exception as error:  # whatever else: no ensemble would fare better
            _send(pipe, ("unfit", f"workers cannot train this study: {reason_of(error)}"))
            return
        _send(pipe, ("ready", None))
        while True:
            ensemble = pipe.recv()
            answer: tuple[str, Any]
            try:
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
