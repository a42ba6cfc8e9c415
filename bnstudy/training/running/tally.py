"""How far each arm is while a study trains, and how good its finished runs are."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from bnstudy.study import registry
from bnstudy.study.factors import BY_NAME
from bnstudy.study.schema import Status

if TYPE_CHECKING:
    from bnstudy.study.curves import Curves
    from bnstudy.study.plan import Ensemble
    from bnstudy.study.study import Study


class Tally:
    """Of the runs of some ensembles, those that are finished, arm by arm.

    Attributes
    ----------
    planned : dict
        Runs of each arm, by its label, such as ``norm=batch``.
    accuracies : dict
        The last test accuracy of each of them that is finished; one that diverged counts as guessing.
    diverged : dict
        How many of these diverged.
    """

    def __init__(self, study: Study, ensembles: Sequence[Ensemble]) -> None:
        self._treatment = BY_NAME[study.treatment]
        self.planned: dict[str, int] = {}
        for level in getattr(study, self._treatment.key):
            label = f"{study.treatment}={self._treatment.text(level)}"
            if n := sum(self._arm(run) == label for ensemble in ensembles for run in ensemble.runs):
                self.planned[label] = n
        self.accuracies: dict[str, list[float]] = {label: [] for label in self.planned}
        self.diverged = dict.fromkeys(self.planned, 0)
        self.guessing = 1 / registry.datasets[study.dataset].about["classes"]

    def add(self, ensemble: Ensemble, curves: Curves) -> None:
        """Count an ensemble's runs as finished."""
        last = np.nan_to_num(curves.values["test_accuracy"][:, -1], nan=self.guessing)
        diverged = curves.status == Status.DIVERGED
        for run, accuracy, lost in zip(ensemble.runs, last.tolist(), diverged.tolist(), strict=True):
            self.accuracies[self._arm(run)].append(accuracy)
            self.diverged[self._arm(run)] += lost

    def told(self, arm: str) -> str:
        """``120/300 runs, median accuracy 93%``."""
        found = self.accuracies[arm]
        quality = f", median accuracy {median(found):.0%}" if found else ""
        lost = self.diverged[arm]
        told = f", {'all' if lost == len(found) else lost} diverged" if lost else ""
        return f"{len(found)}/{self.planned[arm]} runs{quality}{told}"

    def _arm(self, run: object) -> str:
        return f"{self._treatment.name}={self._treatment.text(getattr(run, self._treatment.name))}"
