"""TensorBoard's event files while a study trains: one a run, written epoch by epoch."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bnstudy.analysis.export import need
from bnstudy.analysis.export.scalars import EVENTS, add_scalars, folder_name, tag, write_scalars
from bnstudy.storage import atomic
from bnstudy.storage.consolidation import read_curves
from bnstudy.study import schema
from bnstudy.study.errors import InputError, one_line, reason_of
from bnstudy.training.running.observing import Observer

if TYPE_CHECKING:
    from bnstudy.storage.store import Store
    from bnstudy.study.curves import Curves, Progress
    from bnstudy.study.plan import Ensemble
    from bnstudy.study.study import Run, Study


class EventStream(Observer):
    """Writes a folder of scalars for each run, as ``bnstudy export --format tensorboard`` does in the end.

    A file is begun with a run's first epoch and grows with each; where nothing is told of epochs, as on a cluster, it
    is written when the run is stored. One that is older than what is stored of its run was left by a process that died.

    InputError if TensorBoard's package is not there, or the folder cannot be one of event files.
    """

    def __init__(self, folder: str) -> None:
        need("tensorboard", "tensorboard", "tensorboard")
        self.folder = Path(folder)
        if self.folder.is_file():
            raise InputError(f"{self.folder} is a file; name a folder", "tensorboard")
        self.epochs: dict[int, int] = {}  # by ensemble in training, how many are written
        try:
            atomic.check_folder(self.folder)
        except InputError:
            raise InputError(f"{self.folder} cannot be a folder; name another", "tensorboard") from None

    def started(self, store: Store, todo: Sequence[Ensemble]) -> None:
        study = store.study
        self.names, self.ending = _folders(study), f".{study.digest}"
        own = {study.digest, *(str(amendment["study_hash"]) for amendment in store.amendments)}
        for path in self.folder.rglob("*"):
            if path.is_file() and not (path.name.startswith(EVENTS) and path.name.rpartition(".")[2] in own):
                raise InputError(f"{path} is of another study, or no event file; name another folder", "tensorboard")
        pending = {ensemble.index for ensemble in store.pending()}
        for ensemble in store.plan:  # what was trained before, or by others
            if ensemble.index in pending:
                continue
            stored = store.path(ensemble).stat()
            if not all(any(f.stat().st_mtime_ns >= stored.st_mtime_ns for f in self._files(run))
                       for run in ensemble.runs):  # fmt: skip
                curves, _ = read_curves(store, ensemble)
                seconds = float(curves["train_seconds"].sum())
                self._write(ensemble, curves, stored.st_mtime - seconds, seconds)

    def progress(self, ensemble: Ensemble, progress: Progress) -> None:
        now = time.time()
        if progress.epoch == 1:  # of a second attempt too
            written = self._write(ensemble, {name: one[:, None] for name, one in progress.values.items()}, now - 1, 1.0)
        elif self.epochs.get(ensemble.index) == progress.epoch - 1:
            written = self._add(ensemble, progress, now)
        else:
            return
        self.epochs[ensemble.index] = progress.epoch if written else 0

    def done(self, ensemble: Ensemble, curves: Curves) -> None:
        epochs = self.epochs.pop(ensemble.index, 0)
        if not epochs or any(np.isfinite(values[:, epochs:]).any() for values in curves.values.values()):
            self._write(ensemble, curves.values, time.time() - curves.seconds, curves.seconds)
        else:
            with suppress(OSError):
                for path in (path for run in ensemble.runs for path in self._files(run)):
                    os.utime(path)  # newer than what is stored, which says that it is whole

    def _files(self, run: Run) -> list[Path]:
        return list((self.folder / self.names[run]).glob(f"{EVENTS}*"))

    def _add(self, ensemble: Ensemble, progress: Progress, now: float) -> bool:
        """Write one more epoch of an ensemble; whether that could be done."""
        with self._told():
            for i, run in enumerate(ensemble.runs):
                scalars = {tag(name): float(values[i]) for name, values in progress.values.items()}
                add_scalars(self.folder / self.names[run], progress.epoch, scalars, now)
            return True
        return False

    def _write(self, ensemble: Ensemble, values: Mapping[str, np.ndarray], begun: float, seconds: float) -> bool:
        """Write the files of an ensemble anew; whether that could be done."""
        with self._told():
            for i, run in enumerate(ensemble.runs):
                scalars = {tag(name): array[i] for name, array in values.items() if array.ndim == 2}
                folder = self.folder / self.names[run]
                aside = atomic.temporary(folder)
                atomic.remove(aside)
                epochs = range(1, len(next(iter(scalars.values()))) + 1)
                write_scalars(aside, epochs, scalars, begun, seconds / len(epochs), self.ending)
                atomic.remove(folder)
                aside.rename(folder)
            return True
        return False

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What cannot be written is told: whatever TensorBoard's writer raises is no reason for training to stop."""
        try:
            yield
        except Exception as error:
            print(f"bnstudy: {self.folder}: not written: {one_line(reason_of(error))}", file=sys.stderr, flush=True)


def _folders(study: Study) -> dict[Run, str]:
    """The folder of each run, named by what tells it from the others."""
    dims = schema.with_further(schema.RUN_DIMS, study.further)
    names: dict[Run, str] = {}
    used: set[str] = set()
    for run in study.runs():
        name = "/".join(folder_name(dim, getattr(run, dim)) for dim in dims)
        while name in used:  # two labels may become one word
            name += "_"
        used.add(name)
        names[run] = name
    return names
