"""Responses: one number a run, derived from its curves.

A diverged run counts: as never reaching the target, and at chance in accuracy. A pending or failed run has no response
(NaN): it was not observed.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from bnstudy.study.schema import Status


def observed(dataset: xr.Dataset) -> xr.DataArray:
    """Which runs ended, by finishing or by diverging; bool over the run dimensions.

    Where a dataset has no status, a run without any accuracy was not observed.
    """
    if "status" not in dataset:
        return dataset.test_accuracy.notnull().any("epoch")
    return dataset.status.isin([Status.DONE, Status.DIVERGED])


def diverged(dataset: xr.Dataset) -> xr.DataArray:
    """Which runs diverged; bool over the run dimensions.

    Where a dataset has no status, those whose accuracy is missing at the end.
    """
    if "status" not in dataset:
        return observed(dataset) & dataset.test_accuracy.isel(epoch=-1, drop=True).isnull()
    return dataset.status == Status.DIVERGED


def epochs_to_target(dataset: xr.Dataset, target: float) -> xr.Dataset:
    """Epochs until test accuracy first exceeds the target.

    Returns
    -------
    Dataset
        ``epochs`` (the last epoch where the target is not reached; NaN where nothing was observed) and ``reached``
        (bool), over the run dimensions.
    """
    over = dataset.test_accuracy > target
    reached = over.any("epoch")
    first = dataset.epoch.values[over.argmax("epoch").values]
    epochs = xr.where(reached, reached.copy(data=first), dataset.epoch.values[-1])
    return xr.Dataset({"epochs": epochs.where(observed(dataset)), "reached": reached})


def epochs_to_stay(dataset: xr.Dataset, target: float) -> xr.DataArray:
    """Epochs until test accuracy exceeds the target for good; the last epoch where it does not; NaN as above."""
    over = dataset.test_accuracy > target
    stays = over.isel(epoch=slice(None, None, -1)).cumprod("epoch").sum("epoch")  # epochs over it at the end
    first = dataset.epoch.values[np.minimum(dataset.sizes["epoch"] - stays.values, dataset.sizes["epoch"] - 1)]
    return stays.copy(data=first.astype(np.float64)).where(observed(dataset)).rename("epochs")


def mean_accuracy(dataset: xr.Dataset) -> xr.DataArray:
    """Area under the test accuracy over epochs, as its mean; at chance from where a run diverged; NaN as above."""
    return counted(dataset, "test_accuracy").mean("epoch", skipna=False).rename("mean_accuracy")


def final(dataset: xr.Dataset, name: str) -> xr.DataArray:
    """A curve at the last epoch, over the run dimensions; an accuracy is at chance where the run diverged.

    A loss of a diverged run stays NaN: it has no finite value.
    """
    last = dataset[name].isel(epoch=-1, drop=True)
    if name.endswith("accuracy"):
        last = last.where(~diverged(dataset), chance(dataset))
    return last.where(observed(dataset)).rename(name)


def counted(dataset: xr.Dataset, name: str) -> xr.DataArray:
    """A curve as it counts: an accuracy is at chance from the epoch in which its run diverged; NaN where pending."""
    values = dataset[name]
    if name.endswith("accuracy"):
        values = values.where(values.notnull() | ~diverged(dataset), chance(dataset))
    return values.where(observed(dataset))


def chance(dataset: xr.Dataset) -> float:
    """Accuracy of guessing: one over the number of classes."""
    return 1.0 / float(dataset.attrs.get("classes", 10))


def overfitting_gap(dataset: xr.Dataset) -> xr.DataArray:
    """Training minus test accuracy at the last epoch."""
    return final(dataset, "train_accuracy") - final(dataset, "test_accuracy")


def gap_at_best(dataset: xr.Dataset) -> xr.DataArray:
    """Training minus test accuracy at the epoch of the best test accuracy; a diverged run has none after it died."""
    best = dataset.test_accuracy.fillna(-1).argmax("epoch")
    gap = dataset.train_accuracy.isel(epoch=best) - dataset.test_accuracy.isel(epoch=best)
    return gap.where(observed(dataset)).drop_vars("epoch", errors="ignore")


def is_censored(dataset: xr.Dataset, target: float) -> xr.DataArray:
    """Observed runs that never exceeded the target; bool over the run dimensions."""
    return np.logical_and(observed(dataset), ~epochs_to_target(dataset, target).reached)
