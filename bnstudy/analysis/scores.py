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
from bnstudy.study.errors import InputError

DIGITS = 9  # scores are rounded to: runs that are equal have equal scores, however their epochs were summed
LEARNT = 0.5  # of the error of guessing: a run that never gets below it failed


def samples(dataset: xr.Dataset, part: str = "test") -> int:
    """Samples that an accuracy was measured on; InputError where the dataset does not tell."""
    size = dataset.attrs.get("test_size") if part == "test" else study_of(dataset).get("validation_size")
    if not size:
        raise InputError(
            f"the dataset has no {part}_size, so how small an error its accuracies can tell is not known; add the "
            f"attribute {part}_size, the number of {part} samples"
        )
    return int(size)


def error(dataset: xr.Dataset, part: str = "test", best: bool = False) -> xr.DataArray:
    """The error as it counts, epoch by epoch: (wrong + 1/2)/(N + 1), at most that of guessing.

    From the epoch in which a run diverged it is that of guessing; NaN where nothing was observed.

    Parameters
    ----------
    dataset : Dataset
        With ``test_accuracy`` (or ``validation_accuracy``) over run dimensions and epoch, and the attributes
        ``test_size`` and ``classes``.
    part : str
        ``test`` or ``validation``.
    best : bool
        The least so far in place of the current one.
    """
    n, guess = samples(dataset, part), 1.0 - chance(dataset)
    wrong = ((1.0 - dataset[f"{part}_accuracy"].astype(np.float64)) * n).round()
    counted = ((wrong + 0.5) / (n + 1)).clip(max=guess)
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
