"""The learning rate each cell would have been given by its validation accuracy, and the verdicts there.

A fixed rate favours the arm it suits (Bjorck et al. 2018, Understanding batch normalization). So each cell, a setting
without its seed, gets the rate of the highest validation accuracy at the last epoch, averaged over its seeds; what is
then compared are test results, which had no say in the choice.
"""

from __future__ import annotations

import xarray as xr

from bnstudy.analysis import responses
from bnstudy.analysis.normal_form import normal_form
from bnstudy.study.errors import InputError

SELECTED = "selected"  # the learning rate's label in a dataset that holds each cell at the rate selected for it
CHOSEN = ("model", "norm", "init", "optimizer")


def can_select(dataset: xr.Dataset) -> bool:
    """Whether a dataset has what :func:`select_lr` needs: several learning rates, and a validation split."""
    return dataset.sizes.get("lr", 1) > 1 and "validation_accuracy" in dataset


def select_lr(dataset: xr.Dataset) -> tuple[xr.Dataset, xr.DataArray]:
    """Each cell at its selected learning rate, and these rates.

    Returns
    -------
    Dataset
        The same in normal form, with one label of ``lr``: ``selected``.
    DataArray
        The rates over model, norm, init and optimizer; the smallest of those that tie; NaN where nothing was observed.

    Raises
    ------
    InputError
        There is no validation split, or one learning rate alone.
    """
    if "validation_accuracy" not in dataset:
        raise InputError("nothing to select by: the study held out no validation samples (--validation-size)")
    if dataset.sizes.get("lr", 1) < 2:
        raise InputError("nothing to select from: the study has one learning rate (--lr 0.001,0.01,0.1 has three)")
    rising = normal_form(dataset).sortby("lr")
    score = responses.final(rising, "validation_accuracy").mean("seed").transpose(*CHOSEN, "lr").round(7)
    best = score.fillna(-1.0).argmax("lr")
    rates = rising.lr[best].where(score.notnull().any("lr"))
    return rising.isel(lr=best).drop_vars("lr").expand_dims(lr=[SELECTED]), rates.drop_vars("lr").rename("selected_lr")
