"""TensorBoard's event files while a study trains: one a run, written when its ensemble is finished."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bnstudy.analysis.export import need
from bnstudy.analysis.export.scalars import EVENTS, folder_name, tag, write_scalars
from bnstudy.storage import atomic
from bnstudy.storage.consolidation import read_curves
from bnstudy.study import schema
from bnstudy.study.errors import InputError, one_line, reason_of
from bnstudy.training.running.observing import Observer

if TYPE_CHECKING:
    from bnstudy.storage.store import Store
    from bnstudy.study.curves import Curves
    from bnstudy.study.plan import Ensemble
    from bnstudy.study.study import Run, Study


class EventStream(Observer):
    """Writes a folder of scalars for each run, as ``bnstudy export --format tensorboard`` does in the end.

    InputError if TensorBoard's package is not there, or the folder cannot be one of event files.
    """

    def __init__(self, folder: str) -> None:
        need("tensorboard", "tensorboard", "tensorboard")
        self.folder = Path(folder)
        if self.folder.is_file():
            raise InputError(f"{self.folder} is a file; name a folder", "tensorboard")
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
            there = all(any((self.folder / self.names[run]).glob(f"{EVENTS}*")) for run in ensemble.runs)
            if ensemble.index not in pending and not there:
                curves, _ = read_curves(store, ensemble)
                begun = store.path(ensemble).stat().st_mtime - float(curves["train_seconds"].sum())
                self._write(ensemble, curves, begun, float(curves["train_seconds"].sum()))

    def done(self, ensemble: Ensemble, curves: Curves) -> None:
        self._write(ensemble, curves.values, time.time() - curves.seconds, curves.seconds)

    def _write(self, ensemble: Ensemble, values: Mapping[str, np.ndarray], begun: float, seconds: float) -> None:
        try:
            for i, run in enumerate(ensemble.runs):
                scalars = {tag(name): array[i] for name, array in values.items() if array.ndim == 2}
                folder = self.folder / self.names[run]
                aside = atomic.temporary(folder)
                atomic.remove(aside)
                epochs = range(1, len(next(iter(scalars.values()))) + 1)
                write_scalars(aside, epochs, scalars, begun, seconds / len(epochs), self.ending)
                atomic.remove(folder)
                aside.rename(folder)
        except Exception as error:  # whatever TensorBoard's writer raises is no reason for training to stop
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
