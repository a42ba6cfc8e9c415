"""Progress of a running study: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bnstudy.training.running.observing import Observer

if TYPE_CHECKING:
    from bnstudy.storage.store import Store
    from bnstudy.study.plan import Ensemble
    from bnstudy.training import ensembles

LINE_EVERY = 10.0  # seconds between plain lines


class Reporter(Observer):
    """Shows runs finished, run-epochs, the time left and the best test accuracy so far, on standard error."""

    def __init__(self, verbose: bool = False) -> None:
        self.console = Console(file=sys.stderr)
        self.verbose = verbose
        self.epochs = 0
        self.total = 0
        self.runs_done = 0
        self.runs = 0
        self.best = 0.0
        self.seen: dict[int, int] = {}
        self.shown = time.monotonic()
        self.bar: Progress | None = None
        self.task: TaskID | None = None

    def started(self, store: Store, todo: Sequence[Ensemble]) -> None:
        self.epochs = store.study.epochs
        self.runs = sum(len(ensemble.runs) for ensemble in todo)
        self.total = self.runs * self.epochs
        pending = sum(len(ensemble.runs) for ensemble in store.pending())
        before, others = store.study.n_runs - pending, pending - self.runs
        if not todo:
            left = f" of this shard are finished; {others} of others are not" if others else " are finished"
            self._line(f"{store.folder}: all {store.study.n_runs - others} runs{left}")
            return
        resumed = f" ({before} were finished before)" if before else ""
        shard = f" ({others} runs are left to other shards)" if others else ""
        self._line(f"{store.folder}: {self.runs} runs of {self.epochs} epochs in {len(todo)} ensembles{resumed}{shard}")
        if self.console.is_terminal:
            self.bar = Progress(
                TextColumn("{task.fields[runs]} runs"),
                BarColumn(),
                TextColumn("{task.fields[epoch]}"),
                TimeElapsedColumn(),
                TextColumn("ETA"),
                TimeRemainingColumn(),
                TextColumn("best {task.fields[best]}"),
                console=self.console,
            )
            self.task = self.bar.add_task("train", total=self.total, runs=f"0/{self.runs}", epoch="epoch 0", best="-")
            self.bar.start()

    def progress(self, ensemble: Ensemble, progress: ensembles.Progress) -> None:
        self.seen[ensemble.index] = progress.epoch * len(ensemble.runs)
        self.best = max(self.best, progress.best_accuracy)
        self._show(f"epoch {progress.epoch}/{self.epochs}")

    def done(self, ensemble: Ensemble, curves: ensembles.Curves) -> None:
        self.seen[ensemble.index] = self.epochs * len(ensemble.runs)
        self.runs_done += len(ensemble.runs)
        if self.verbose:
            run = ensemble.runs[0]
            arm = f"{run.model} {run.norm}, {len(ensemble.runs)} runs"
            self._line(f"{ensemble.name}: {arm}, {curves.seconds:.1f} s")
        self._show(f"epoch {self.epochs}/{self.epochs}", last=self.runs_done == self.runs)

    def failed(self, ensemble: Ensemble, reason: str) -> None:
        self._line(f"{ensemble.name} failed twice and is left for later: {reason}")

    def close(self) -> None:
        """Take the bar off the terminal."""
        if self.bar:
            self.bar.stop()

    def _show(self, epoch: str, last: bool = False) -> None:
        runs, done = f"{self.runs_done}/{self.runs}", sum(self.seen.values())
        if self.bar and self.task is not None:
            self.bar.update(self.task, completed=done, runs=runs, epoch=epoch, best=f"{self.best:.2%}")
        elif last or time.monotonic() - self.shown > LINE_EVERY:
            self.shown = time.monotonic()
            self._line(f"{runs} runs, {done / self.total:.0%} of the epochs, best test accuracy {self.best:.2%}")

    def _line(self, text: str) -> None:
        with suppress(OSError):  # a log that cannot be written is no reason to stop
            self.console.print(text, highlight=False, markup=False, soft_wrap=True)
