"""Rows that repeat a run and step: logged twice, of several metrics, or of runs that nothing tells apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnstudy.analysis.external.asked import Asked
from bnstudy.analysis.external.files import NAME
from bnstudy.analysis.external.tables import counted, listed, shortened
from bnstudy.study.errors import InputError

# Columns that say of what a row's value is, in tables that have the values of several metrics below one another.
KINDS = {"metric", "metrics", "metric_name", "tag", "split", "phase", "stage", "subset", "partition", "variable",
         "measure", "eval_set", "dataset_split"}  # fmt: skip
FEW = 50  # levels of a column that could be a factor


def check_one_metric(frame: Any, asked: Asked, kept: NDArray[np.intp], run: NDArray[np.intp]) -> None:
    """InputError where a column such as ``metric`` or ``split`` has several levels within a run."""
    for name in frame.columns:
        if name.lower() not in KINDS or name in {*asked.factors, asked.step, asked.value}:
            continue
        column = frame[name].iloc[kept].astype(str)
        several = column.groupby(run).nunique()
        if several.max() > 1:
            there = listed(column.unique())
            raise InputError(f"{name!r} has {there} in one run: keep the rows of one, or say --by {name} to judge each",
                             "value")  # fmt: skip


def without_repeats(
    frame: Any, asked: Asked, kept: NDArray[np.intp], run: NDArray[np.intp], step: NDArray[np.float64],
    value: NDArray[np.float64],
) -> tuple[NDArray[np.bool_], list[str]]:  # fmt: skip
    """Which rows to keep of such as are the same, and a note of it.

    Parameters
    ----------
    frame, asked
    kept : int array (rows)
        The rows of `frame`, ordered by run and step.
    run, step, value : arrays (rows)

    Raises
    ------
    InputError
        Rows of a run and step have different values.
    """
    again = np.zeros(len(run), bool)
    again[1:] = (run[1:] == run[:-1]) & (step[1:] == step[:-1])
    if not again.any():
        return ~again, []
    differs = again.copy()
    differs[1:] &= ~((value[1:] == value[:-1]) | (np.isnan(value[1:]) & np.isnan(value[:-1])))
    if not differs.any():
        return ~again, [f"{counted(int(again.sum()), 'row')} that repeat another, value and all, dropped"]
    at = int(differs.argmax())
    one, other = frame.iloc[kept[at - 1]], frame.iloc[kept[at]]
    which = ", ".join(f"{name} {shortened(one[name], 30)}" for name in asked.factors)
    where = f"{which} at {asked.step} {step[at]:g}: {value[at - 1]:g} and {value[at]:g}"
    what = f"{counted(int(differs.sum()), 'row')} repeat a run and step with another value, e.g. {where}"
    named = {*asked.factors, asked.step, asked.value}
    apart = [name for name in frame.columns if name not in named and str(one[name]) != str(other[name])]
    factors = [name for name in apart if frame[name].dtype.kind != "f" or frame[name].nunique() <= FEW]
    factors = [name for name in factors if _nunique(frame[name]) <= max(FEW, len(np.unique(run)) * 2)]
    if NAME in factors:
        raise InputError(f"{what}, in other files: name the factors that stand in their paths", "from_name")
    if factors:
        told = listed([repr(shortened(name, 30)) for name in factors], 4)
        raise InputError(f"{what}; they differ in {told}: name what is a factor with --by, or keep the rows of one")
    raise InputError(f"{what}: repeats need a column for --seed; of a resumed run that was logged twice keep one row")


def _nunique(column: Any) -> int:
    try:
        return int(column.nunique())
    except TypeError:  # lists
        return len(column)
