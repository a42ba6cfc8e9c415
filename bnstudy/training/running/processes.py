"""Worker processes: each trains one ensemble at a time on one thread, and answers over a pipe.

The parent alone writes to disk. A worker says first that it is ready, or why it cannot be; one that dies later loses
only the ensemble it had, and another takes its place. A worker whose parent dies ends at its next message.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

from bnstudy.study import main_guard
from bnstudy.study.errors import BnstudyError, DataWarning, InputError, reason_of, warning_line
from bnstudy.training.running.events import ATTEMPTS, POLL, Done, EpochDone, Event, Failed, News, events
from bnstudy.training.running.workers import Setup, UnfitError, load, trainer_of

if TYPE_CHECKING:
    from bnstudy.study.plan import Ensemble
    from bnstudy.training.datasets.data import Data


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    is_ready: bool = False
    ensemble: Ensemble | None = None


@dataclass
class _Pool:
    """A source of events: the worker processes of one study, `jobs` at most.

    The ready-made pools end with the first worker that dies, and with them all that was in training.
    """

    setup: Setup
    jobs: int
    workers: list[_Worker] = field(default_factory=list)
    died_starting: int = 0  # one after the other

    def submit(self, ensemble: Ensemble) -> bool:
        """Give an ensemble to an idle worker; where there is none yet, more are started."""
        while len(self.workers) < self.jobs:
            self.workers.append(_start(self.setup))
        idle = next((worker for worker in self.workers if worker.is_ready and not worker.ensemble), None)
        if idle is None:
            return False
        idle.ensemble = ensemble
        with suppress(OSError):  # it died; its pipe says so when it is read
            idle.pipe.send(ensemble)
        return True

    def news(self) -> Iterator[News]:
        """What workers sent."""
        heard: list[Any] = [w.pipe for w in self.workers if w.ensemble or not w.is_ready]
        ready = wait(heard, timeout=POLL)
        for worker in [worker for worker in self.workers if worker.pipe in ready]:
            yield from self._hear(worker)

    def _hear(self, worker: _Worker) -> Iterator[News]:
        """Deal with one message, or with the death of the worker."""
        try:
            kind, content = worker.pipe.recv()
        except (EOFError, OSError):
            yield from self._bury(worker)
            return
        if kind == "unfit":
            raise UnfitError(content)
        if kind == "ready":
            worker.is_ready, self.died_starting = True, 0
            return
        ensemble = worker.ensemble
        assert ensemble is not None
        if kind == "progress":
            yield EpochDone(ensemble, content)
            return
        worker.ensemble = None
        yield Done(ensemble, content) if kind == "done" else Failed(ensemble, content)

    def _bury(self, worker: _Worker) -> Iterator[News]:
        worker.process.join()
        code = worker.process.exitcode
        self.workers.remove(worker)
        if worker.ensemble:
            yield Failed(worker.ensemble, f"its worker process died ({_ending(code)})")
            return
        self.died_starting += 1
        if code == main_guard.NO_GUARD:
            raise InputError(main_guard.ADVICE, "jobs")
        if (code or 0) > 0 or self.died_starting >= ATTEMPTS:  # what was killed may fare better once more
            raise InputError(f"a worker process ended as it started ({_ending(code)}); jobs=1 needs none", "jobs")

    def close(self) -> None:
        """End all workers."""
        for worker in self.workers:
            worker.process.kill()
            worker.process.join()


def train_in_processes(
    setup: Setup, ensembles: Sequence[Ensemble], jobs: int, loaded: Data | None = None
) -> Generator[Event]:
    """Train ensembles in `jobs` worker processes, which share the data.

    The numbers are those of :func:`~bnstudy.training.running.workers.train_here`.

    Parameters
    ----------
    setup, ensembles
        What to train.
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

    with (
        share(loaded or load(setup)) as shared,
        closing(_Pool(replace(setup, data=shared), min(jobs, len(ensembles)))) as pool,
    ):
        yield from events(pool, ensembles)


def kill_workers() -> None:
    """End every worker of this process at once."""
    for process in multiprocessing.active_children():
        process.kill()


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
        with _interrupts_held():
            process.start()
    except RuntimeError:  # in a process of somebody else's that still imports its script
        raise InputError(main_guard.ADVICE, "jobs") from None
    except OSError as error:
        raise InputError(f"cannot start a worker process: {error.strerror or error}; use fewer", "jobs") from None
    finally:
        theirs.close()
    return _Worker(process, ours)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """What is started now never sees Ctrl-C, which reaches all processes of a terminal: the parent decides."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# ------------------------------------------------------------------ in a worker


def _work(setup: Setup, pipe: Connection) -> None:
    """A worker's life: get ready, then receive an ensemble, train it, answer; until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    warnings.filterwarnings("ignore", category=DataWarning)  # it has told of them
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    sys.stdout = sys.stderr  # what the user's code prints is not the command's answer
    try:
        try:
            from bnstudy.training.ensembles import end_of
            from bnstudy.training.one_thread import train_on_one_thread

            train_on_one_thread()
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
                answer = ("done", end_of(train(ensemble), lambda progress: _send(pipe, ("progress", progress))))
            except _ParentGoneError:
                return
            except Exception as error:  # whatever a model raises must not end the worker
                answer = ("failed", reason_of(error))
            _send(pipe, answer)
    except (EOFError, OSError, _ParentGoneError):
        return
    except MemoryError:
        sys.exit(1)  # the parent tells


def _show_warning(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any) -> None:
    with suppress(OSError, ValueError):
        print(warning_line(message, category, filename, lineno), file=sys.stderr, flush=True)  # noqa: T201


class _ParentGoneError(Exception):
    """Nobody reads what a worker sends."""


def _send(pipe: Connection, message: tuple[str, Any]) -> None:
    try:
        pipe.send(message)
    except OSError:
        raise _ParentGoneError from None
