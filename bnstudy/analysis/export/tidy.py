"""Tidy tables, one row an observation: of curves a row a run and epoch, of runs a row a run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bnstudy.analysis import responses, scores
from bnstudy.analysis.criteria import criteria_of
from bnstudy.analysis.normal_form import factor_form
from bnstudy.study.factors import FACTORS
from bnstudy.study.schema import Status

HASH = "study_hash"
CODES = ("init_family", "init_value", "init_role")


def curve_table(dataset: xr.Dataset) -> pd.DataFrame:
    """A row a run and epoch: the factors, the epoch, every curve, and what became of the run.

    Without the last, what a run that diverged lacks could not be told from what was never run.
    """
    dims = _columns(dataset)
    over = set(dataset.test_accuracy.dims)
    curves = [str(name) for name, values in dataset.data_vars.items() if set(values.dims) == over]
    return _with_words(_table(dataset, [*curves, *({"status"} & set(dataset.data_vars))], dims))


def run_table(dataset: xr.Dataset) -> pd.DataFrame:
    """A row a run: the factors, the init's role, status, what was measured once, its responses, and of which study."""
    target = criteria_of(factor_form(dataset)).target_accuracy
    crossing = responses.epochs_to_target(dataset, target)
    runs = dataset.assign(
        score=scores.score(dataset),
        failed=scores.failed(dataset),
        epochs_to_target=crossing.epochs,
        reached_target=crossing.reached,
        epochs_to_stay=responses.epochs_to_stay(dataset, target),
        final_accuracy=responses.final(dataset, "test_accuracy"),
        mean_accuracy=responses.mean_accuracy(dataset),
    )
    dims = _columns(dataset)[:-1]
    names = [str(name) for name, values in runs.data_vars.items() if values.dims and set(values.dims) <= set(dims)]
    table = _table(runs, names, dims)
    for code in reversed(CODES):
        if code in dataset.coords:
            table.insert(len(dims), code, table["init"].map(dict(zip(dataset.init.values, dataset[code].values,
                                                                         strict=True))))  # fmt: skip
    table = _with_words(table)
    if HASH in dataset.attrs:
        table[HASH] = dataset.attrs[HASH]
    return table


def _table(dataset: xr.Dataset, names: list[str], dims: tuple[str, ...]) -> pd.DataFrame:
    """Variables side by side, in the order of `dims`; every factor is a column, also one of a single level."""
    over = [dim for dim in dims if dim in dataset.dims]
    like = dataset.test_accuracy.isel({dim: 0 for dim in dataset.test_accuracy.dims if dim not in over}, drop=True)
    columns: dict[str, Any] = {}
    sizes = [dataset.sizes.get(dim, 1) for dim in dims]
    for position, dim in enumerate(dims):
        shape = [-1 if i == position else 1 for i in range(len(dims))]
        columns[dim] = np.broadcast_to(np.atleast_1d(dataset[dim].values).reshape(shape), sizes).ravel()
    for name in names:
        columns[name] = dataset[name].broadcast_like(like).transpose(*over).values.ravel()
    return pd.DataFrame(columns)


def _with_words(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose ``status``, where it has one, is in words."""
    if "status" in table:
        table["status"] = table["status"].map({int(status): status.name.lower() for status in Status})
    return table


def _columns(dataset: xr.Dataset) -> tuple[str, ...]:
    """What tells observations apart: the factors, the seed and the epoch."""
    return (*(factor.name for factor in FACTORS if factor.name in dataset.coords), "seed", "epoch")
