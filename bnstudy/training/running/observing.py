"""Who is told what happens while a study runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bnstudy.storage.store import Store
    from bnstudy.study.curves import Curves, Progress
    from bnstudy.study.plan import Ensemble


class Observer:
    """Told what happens while a study runs; does nothing by itself."""

    def started(self, store: Store, todo: Sequence[Ensemble]) -> None:
        """Training begins, of the ensembles that are left."""

    def progress(self, ensemble: Ensemble, progress: Progress) -> None:
        """An ensemble finished an epoch."""

    def done(self, ensemble: Ensemble, curves: Curves) -> None:
        """An ensemble is stored."""

    def failed(self, ensemble: Ensemble, reason: str) -> None:
        """An ensemble failed twice and is given up for now."""

    def renewed(self) -> None:
        """The datasets in the study's folder hold what was stored so far; at most once a minute."""


class Observers(Observer):
    """Several observers as one, told in their order."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self.observers = observers

    def started(self, store: Store, todo: Sequence[Ensemble]) -> None:
        for observer in self.observers:
            observer.started(store, todo)

    def progress(self, ensemble: Ensemble, progress: Progress) -> None:
        for observer in self.observers:
            observer.progress(ensemble, progress)

    def done(self, ensemble: Ensemble, curves: Curves) -> None:
        for observer in self.observers:
            observer.done(ensemble, curves)

    def failed(self, ensemble: Ensemble, reason: str) -> None:
        for observer in self.observers:
            observer.failed(ensemble, reason)

    def renewed(self) -> None:
        for observer in self.observers:
            observer.renewed()
