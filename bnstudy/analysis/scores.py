"""The score of a run, by which studies are judged: the mean over its epochs of log2 of the test error.

A difference of 1 between two runs means that over the training the error of one was half the other's, of the geometric
means over the epochs. It needs no target, and slow, stuck and diverged runs are one number alike. With the best error
so far in place of the current one, epochs times a difference is the time saved, integrated over all targets on a log
scale.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from bnstudy.analysis.criteria import study_of
from bnstudy.analysis.responses import chance, diverged, observed

DIGITS = 9  # scores are rounded to: runs that are equal have equal scores, however their epochs were summed
RESOLVED = 1e-7  # steps between accuracies smaller than this are what single precision makes of equal ones
LEARNT = 0.5  # of the error of guessing: a run that never gets below it failed


def samples(dataset: xr.Dataset, part: str = "test") -> int | None:
    """Samples that an accuracy was measured on; None where the dataset does not tell."""
    size = dataset.attrs.get("test_size") if part == "test" else study_of(dataset).get("validation_size")
    return int(size) if size else None


def finest(accuracy: xr.DataArray) -> float:
    """Half the smallest step between the accuracies seen: how small an error they can tell, where nothing says so."""
    steps = np.diff(np.unique(accuracy.values[np.isfinite(accuracy.values)]).astype(np.float64))
    return float(steps[steps > RESOLVED].min(initial=1.0)) / 2


def error(dataset: xr.Dataset, part: str = "test", best: bool = False) -> xr.DataArray:
    """The error as it counts, epoch by epoch: (wrong + 1/2)/(N + 1), at most that of guessing.

    Where N is not told it is 1 - accuracy, no less than half the smallest step between accuracies that are there. From
    the epoch in which a run diverged it is that of guessing; NaN where nothing was observed.

    Parameters
    ----------
    dataset : Dataset
        With ``test_accuracy`` (or ``validation_accuracy``) over run dimensions and epoch, and the attributes
        ``test_size`` (N) and ``classes``.
    part : str
        ``test`` or ``validation``.
    best : bool
        The least so far in place of the current one.
    """
    n, guess = samples(dataset, part), 1.0 - chance(dataset)
    accuracy = dataset[f"{part}_accuracy"]
    wrong = 1.0 - accuracy.astype(np.float64)
    counted = (wrong.clip(min=finest(accuracy)) if n is None else ((wrong * n).round() + 0.5) / (n + 1)).clip(max=guess)
    counted = counted.where(counted.notnull() | ~diverged(dataset), guess).where(observed(dataset))
    if best:
        axis = counted.get_axis_num("epoch")
        counted = counted.copy(data=np.minimum.accumulate(counted.values, axis=axis))
    return counted.rename("error")


def score(dataset: xr.Dataset, part: str = "test", best: bool = False, epochs: int | None = None) -> xr.DataArray:
    """The mean of log2 of the error over the epochs (the first `epochs`), over the run dimensions.

    In halvings of the error; the lower, the better. NaN where nothing was observed, or an epoch is missing.
    """
    errors = error(dataset, part, best).isel(epoch=slice(epochs))
    logs = errors.copy(data=np.log2(errors.values))
    return logs.mean("epoch", skipna=False).round(DIGITS).rename("score")


def failed(dataset: xr.Dataset) -> xr.DataArray:
    """Observed runs that diverged, or never got below half the error of guessing; bool over the run dimensions."""
    stuck = (error(dataset) >= LEARNT * (1.0 - chance(dataset))).all("epoch")
    return (observed(dataset) & (diverged(dataset) | stuck)).rename("failed")
