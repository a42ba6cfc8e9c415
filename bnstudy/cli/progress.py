"""Progress of a running study: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bnstudy.training.running.observing import Observer
from bnstudy.training.running.tally import Tally

if TYPE_CHECKING:
    from bnstudy.storage.store import Store
    from bnstudy.study.plan import Ensemble
    from bnstudy.training import ensembles

LINE_EVERY = 10.0  # seconds between plain lines
MOST_ARMS = 8  # that are told of one by one


class Reporter(Observer):
    """Shows runs finished, run-epochs, the time left and the best test accuracy so far, on standard error.

    And of each arm how many of its runs are finished, and how good they are.
    """

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
        self.bars: _Bars | None = None
        self.tally: Tally | None = None

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
        self.tally = Tally(store.study, todo)
        if self.console.is_terminal:
            self.bars = _Bars(self.console, self.tally, self.total)

    def progress(self, ensemble: Ensemble, progress: ensembles.Progress) -> None:
        self.seen[ensemble.index] = progress.epoch * len(ensemble.runs)
        self.best = max(self.best, progress.best_accuracy)
        self._show(f"epoch {progress.epoch}/{self.epochs}")

    def done(self, ensemble: Ensemble, curves: ensembles.Curves) -> None:
        self.seen[ensemble.index] = self.epochs * len(ensemble.runs)
        self.runs_done += len(ensemble.runs)
        if self.tally:
            self.tally.add(ensemble, curves)
            if any(self.tally.diverged.values()):  # such a run counts as guessing
                self.best = max(self.best, self.tally.guessing)
        if self.verbose:
            run = ensemble.runs[0]
            arm = f"{run.model} {run.norm}, {len(ensemble.runs)} runs"
            self._line(f"{ensemble.name}: {arm}, {curves.seconds:.1f} s")
        self._show(f"epoch {self.epochs}/{self.epochs}", last=self.runs_done == self.runs)

    def failed(self, ensemble: Ensemble, reason: str) -> None:
        self._line(f"{ensemble.name} failed twice and is left for later: {reason}")

    def close(self) -> None:
        """Take the bars off the terminal."""
        if self.bars:
            self.bars.live.stop()

    def _show(self, epoch: str, last: bool = False) -> None:
        runs, done = f"{self.runs_done}/{self.runs} runs", sum(self.seen.values())
        if self.bars:
            self.bars.show(done, f"{runs}, {epoch}, best {self.best:.2%}")
        elif self.tally and (last or time.monotonic() - self.shown > LINE_EVERY):
            self.shown = time.monotonic()
            self._line(f"{runs}, {done / self.total:.0%} of the epochs, best test accuracy {self.best:.2%}")
            for arm in _listed(self.tally):
                self._line(f"  {arm} {self.tally.told(arm)}")

    def _line(self, text: str) -> None:
        with suppress(OSError):  # a log that cannot be written is no reason to stop
            self.console.print(text, highlight=False, markup=False, soft_wrap=True)


class _Bars:
    """A bar an arm, of its runs, and one of all, of their epochs."""

    def __init__(self, console: Console, tally: Tally, total: int) -> None:
        self.tally = tally
        self.arms = Progress(TextColumn("{task.description}", markup=False), BarColumn(20))
        self.all = Progress(
            BarColumn(20),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
        )
        self.tasks = {arm: self.arms.add_task("", total=tally.planned[arm]) for arm in _listed(tally)}
        self.task = self.all.add_task("", total=total)
        self.live = Live(Group(self.arms, self.all), console=console, refresh_per_second=4)
        self.show(0, "epoch 0")
        self.live.start()

    def show(self, done: int, text: str) -> None:
        for arm, task in self.tasks.items():
            told = f"{arm} {self.tally.told(arm)}"
            self.arms.update(task, completed=len(self.tally.accuracies[arm]), description=told)
        self.all.update(self.task, completed=done, description=text)


def _listed(tally: Tally) -> list[str]:
    """The arms that are told of: none where there are too many."""
    return list(tally.planned) if len(tally.planned) <= MOST_ARMS else []
