"""The learning rate each cell would have been given by its validation accuracy, and the verdicts there.

A fixed rate favours the arm it suits (Bjorck et al. 2018, Understanding batch normalization). So each cell, a setting
without its seed, gets the rate of the highest validation accuracy at the last epoch, averaged over its seeds; what is
then compared are test results, which had no say in the choice.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from bnstudy.analysis import responses
from bnstudy.analysis.assessment import PLAIN
from bnstudy.analysis.comparisons import Cell, cells
from bnstudy.analysis.further import folded
from bnstudy.analysis.table import Table
from bnstudy.analysis.verdicts import quantity, rows
from bnstudy.study.errors import InputError

SELECTED = 0.0  # the learning rate's label in a dataset that holds each cell at the rate selected for it
CHOSEN = ("model", "norm", "init", "optimizer")


def can_select(dataset: xr.Dataset) -> bool:
    """Whether a dataset has what :func:`select_lr` needs: several learning rates, and a validation split."""
    return dataset.sizes["lr"] > 1 and "validation_accuracy" in dataset


def select_lr(dataset: xr.Dataset) -> tuple[xr.Dataset, xr.DataArray]:
    """Each cell at its selected learning rate, and these rates.

    Returns
    -------
    Dataset
        The same with one label of ``lr``, 0, which stands for the selected one.
    DataArray
        The rates over model, norm, init and optimizer; the smallest of those that tie; NaN where nothing was observed.

    Raises
    ------
    InputError
        There is no validation split, or one learning rate alone.
    """
    if "validation_accuracy" not in dataset:
        raise InputError("nothing to select by: the study held out no validation samples (--validation-size)")
    if dataset.sizes["lr"] < 2:
        raise InputError("nothing to select from: the study has one learning rate (--lr 0.001,0.01,0.1 has three)")
    rising = folded(dataset).sortby("lr")
    score = responses.final(rising, "validation_accuracy").mean("seed").transpose(*CHOSEN, "lr").round(7)
    best = score.fillna(-1.0).argmax("lr")
    rates = rising.lr[best].where(score.notnull().any("lr"))
    return rising.isel(lr=best).drop_vars("lr").expand_dims(lr=[SELECTED]), rates.drop_vars("lr").rename("selected_lr")


def selected_rows(result: xr.Dataset, rates: xr.DataArray) -> list[dict[str, Any]]:
    """The rows of :func:`~bnstudy.analysis.verdicts.rows`, with the rates selected in place of the label."""
    found = []
    for row in rows(result):
        here = rates.sel(model=row["model"], init=row["init"], optimizer=row["optimizer"])
        chosen = {arm: _number(here.sel(norm=arm)) for arm in (PLAIN, row["norm"])}
        found.append({**row, "lr": "selected", "selected_lr": chosen})
    return found


def _number(rate: xr.DataArray) -> float | None:
    return None if np.isnan(rate) else float(rate)


def selection_table(fixed: xr.Dataset, chosen: xr.Dataset, rates: xr.DataArray) -> Table:
    """A row a (model, norm, optimizer, poor init): the verdict at every rate, and at the selected ones.

    Parameters
    ----------
    fixed, chosen : Dataset
        Assessments of a dataset, and of what :func:`select_lr` made of it.
    rates : DataArray
        The rates it selected.
    """
    at_rate, at_choice = cells(fixed), cells(chosen)
    lrs = fixed.lr.values.tolist()
    listed = []
    names = ("model", "norm", "optimizer", "init")
    for model, norm, optimizer, init in product(*(fixed[name].values.tolist() for name in names)):
        cell = at_choice[(model, norm, optimizer, SELECTED, init)]
        if cell.role != "poor":
            continue
        here = rates.sel(model=model, init=init, optimizer=optimizer)
        both = "/".join(f"{float(here.sel(norm=arm)):g}" for arm in (PLAIN, norm))
        listed.append((
            model, norm, *([optimizer] if fixed.sizes["optimizer"] > 1 else []), init,
            *(at_rate[(model, norm, optimizer, lr, init)].verdict for lr in lrs), cell.verdict, _difference(cell), both,
        ))  # fmt: skip
    header = ("model", "norm", *(["optimizer"] if fixed.sizes["optimizer"] > 1 else []), "poor init",
              *(f"lr {lr:g}" for lr in lrs), "lr selected", "difference there", "lr none/norm")  # fmt: skip
    notes = (
        "lr selected: each cell at the rate of its highest validation accuracy, mean over seeds; none/norm: which",
        "difference: what the norm gains at the poor init minus at the reference, each at its selected rates",
    )
    return Table("Verdicts by learning rate", header, tuple(listed), notes, labels=len(header) - 2)


def _difference(cell: Cell) -> str:
    one, response = cell.deciding
    return "–" if cell.verdict == "both-fail" else quantity(one.did, one.did_low, one.did_high, response)
