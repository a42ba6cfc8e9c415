"""The learning rate that each run would have been given by validation, and the scores there.

A fixed rate favours the arm it suits (Bjorck et al. 2018, Understanding batch normalization). So each run gets the rate
at which the *other* seeds of its cell have the lowest mean validation score: what is compared are test results, which
had no say in the choice, and how much the choice varies with the seeds is part of the result.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from bnstudy.analysis import scores
from bnstudy.study.errors import InputError
from bnstudy.study.schema import Status

SELECTED = "selected"  # the learning rate's label in a dataset that holds each run at the rate selected for it


def can_select(dataset: xr.Dataset) -> bool:
    """Whether a dataset has what :func:`select_lr` needs: several learning rates and seeds, and a validation split."""
    return dataset.sizes.get("lr", 1) > 1 and dataset.sizes.get("seed", 1) > 1 and "validation_accuracy" in dataset


def select_lr(dataset: xr.Dataset) -> tuple[xr.Dataset, xr.DataArray]:
    """Each run at its selected learning rate, and these rates.

    Parameters
    ----------
    dataset : Dataset
        With every factor as a dimension.

    Returns
    -------
    Dataset
        The same, with one label of ``lr``: ``selected``.
    DataArray
        The rates over the other run dimensions; the smallest of those that tie; NaN where no other seed was observed.

    Raises
    ------
    InputError
        There is no validation split, one learning rate alone, or one seed.
    """
    if "validation_accuracy" not in dataset:
        raise InputError("nothing to select by: the study held out no validation samples (--validation-size)")
    if dataset.sizes.get("lr", 1) < 2:
        raise InputError("nothing to select from: the study has one learning rate (--lr 0.001,0.01,0.1 has three)")
    if dataset.sizes["seed"] < 2:
        raise InputError("nothing to select by: a run's rate is chosen by the other seeds, and the study has one seed")
    rising = dataset.sortby("lr")
    score = scores.score(rising, "validation")
    there = score.notnull()
    others = there.sum("seed") - there
    mean = ((score.fillna(0.0).sum("seed") - score.fillna(0.0)) / others.where(others > 0)).round(scores.DIGITS)
    best = mean.fillna(np.inf).argmin("lr")
    selected = mean.notnull().any("lr")
    rates = rising.lr[best].where(selected)
    chosen = rising.isel(lr=best)
    # A run without a rate is not there.
    chosen = chosen.assign(test_accuracy=chosen.test_accuracy.where(selected))
    if "status" in chosen:
        chosen = chosen.assign(status=chosen.status.where(selected, np.int8(Status.PENDING)))
    # Facts of an arm have no rate, and no seed.
    kept = {name: values for name, values in rising.data_vars.items() if "lr" not in values.dims}
    chosen = chosen.assign(kept).drop_vars("lr")
    chosen = chosen.assign({name: values.expand_dims(lr=[SELECTED]) for name, values in chosen.data_vars.items()
                            if name not in kept})  # fmt: skip
    return chosen, rates.drop_vars("lr").rename("selected_lr")
