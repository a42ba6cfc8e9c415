"""A page that is kept up to date while a study trains: by the process that trains it, or by one that looks on."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bnstudy.analysis.report import checked, write_page, write_waiting
from bnstudy.storage.manifest import DATASET, PAGE
from bnstudy.storage.store import Store
from bnstudy.study.errors import InputError, one_line, reason_of
from bnstudy.training.running.observing import Observer

if TYPE_CHECKING:
    from bnstudy.study.plan import Ensemble

LOOK_EVERY = 2.0  # seconds between looks at a study that another process trains


def write(store: Store, page: Path, reloads: bool) -> str:
    """Write a study's page from what is stored of it; how many runs it shows, if not all."""
    from bnstudy.analysis.results import Results

    if not (store.folder / DATASET).is_file():
        so_far = f"0 of {store.study.n_runs} runs so far"
        write_waiting(store.study, so_far, page, reloads)
        return so_far
    results = Results.open(store.folder)
    write_page(results, page, reloads)
    return results.so_far


class LivePage(Observer):
    """Keeps a page while this process trains a study; :meth:`close` makes it one that no longer reloads itself."""

    def __init__(self, page: str) -> None:
        try:
            self.page = checked(page)
        except InputError as error:
            raise InputError(error.problem, "report") from None
        self.store: Store | None = None

    def started(self, store: Store, todo: Sequence[Ensemble]) -> None:
        self.store = store
        if todo:
            self._write(reloads=True)

    def renewed(self) -> None:
        self._write(reloads=True)

    def close(self) -> None:
        """Write the page for the last time."""
        self._write(reloads=False)

    def _write(self, reloads: bool) -> None:
        if self.store is None:
            return
        try:
            write(self.store, self.page, reloads)
        except Exception as error:  # such as a figure of the user's own: no reason for training to stop
            text = str(error) if isinstance(error, InputError) else reason_of(error)
            print(f"bnstudy: {self.page}: not written: {one_line(text)}", file=sys.stderr, flush=True)


def watch(folder: str, page: str | None) -> None:
    """Keep the page of a study that another process trains, until no run is left to train."""
    store = Store.open(folder)
    target = checked(page or store.folder / PAGE)
    print(target, flush=True)
    shown: tuple[int, ...] | None = None
    while True:
        # In this order: what was stored before the lock was let go is seen after.
        finished = not store.is_locked() and not store.counts()["pending"]
        if (there := _state(store.folder / DATASET)) != shown or finished:
            told = write(store, target, not finished)
            print(told or f"all {store.study.n_runs} runs", file=sys.stderr, flush=True)
            shown = there
        if finished:
            return
        time.sleep(LOOK_EVERY)
        store = Store.open(folder)  # it may have been extended


def _state(file: Path) -> tuple[int, ...]:
    """What changes when a file is replaced."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return ()
    return (found.st_ino, found.st_mtime_ns, found.st_size)
