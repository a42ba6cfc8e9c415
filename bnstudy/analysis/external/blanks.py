"""Values that are not there: whether a run failed, or its row was of something else."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnstudy.analysis.external.asked import Asked
from bnstudy.analysis.external.tables import Table, counted
from bnstudy.study.errors import InputError

ABSENT, THERE, DIVERGED = 0, 1, 2  # what became of a row: dropped, a number, failure from here on
STATUS = "status"  # a column of what became of each run, as this package's own export has it
STATUSES = {"pending", "done", "diverged", "failed"}

Values = tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]


def resolved(
    table: Table,
    asked: Asked,
    values: Values,
    run: NDArray[np.intp],
    step: NDArray[np.float64],
    is_known: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.int8], NDArray[np.bool_], list[str]]:
    """What every row is: a number, failure from there on, or nothing.

    A value that is written as no number (``nan``, ``inf``) is failure. A blank is nothing, since rows of other metrics
    have blanks. Only runs that a column `status` calls ``diverged`` failed where their blanks begin for good.

    A DataFrame, and a Parquet file written from one, hold NaN for either. There NaN is failure where no number comes
    later in its run, none before it was NaN, and the row holds no other measurement: a curve that breaks off in a table
    that logs nothing else. Elsewhere it is a blank. A run of nothing but such NaN could have failed at once or never
    been started: refused.

    Parameters
    ----------
    table, asked
    values : float array, bool array, bool array (rows)
        The numbers; where it is written that there is none; where nothing is written.
    run, step, is_known : arrays (rows)
        And whether the row says of which run it is.

    Returns
    -------
    value : float array (rows)
    fate : int array (rows)
        `ABSENT`, `THERE` or `DIVERGED`.
    crashed : bool array (runs)
        Runs that `status` calls diverged.
    notes : list of str

    Raises
    ------
    InputError
        Nothing is there, or what is not could be either.
    """
    value, written, blank = values
    if blank.all():
        raise InputError(f"all values of {asked.value!r} are blank", "value")
    fate = np.where(written, DIVERGED, np.where(blank, ABSENT, THERE)).astype(np.int8)
    n = int(run.max()) + 1
    crashed = np.zeros(n, bool)
    notes = []
    status = _status(table, asked)
    is_there = fate == THERE
    last = _extreme(np.fmax, step, run, n, is_there)
    if status is not None:
        crashed[run[status == "diverged"]] = True
        dead = blank & crashed[run] & (step > last[run])
        fate[dead] = DIVERGED
        if crashed.any():
            notes.append(f"{counted(int(crashed.sum()), 'run')} diverged, as the column {STATUS!r} says")
    elif not table.tells_blanks and blank.any():
        alone = blank & is_known & ~_measures_else(table, asked)
        before = _extreme(np.fmin, step, run, n, blank)
        broken = alone & (step > last[run]) & (before > last)[run]
        empty = np.zeros(n, bool)
        empty[run[alone]] = True
        empty[run[fate != ABSENT]] = False
        if empty.any():
            row = int((alone & empty[run]).argmax()) + 1
            runs = counted(int(empty.sum()), "run")
            raise InputError(
                f"{runs} of NaN alone, e.g. in row {row}: failed at once, or never run? Write inf where a run failed, "
                "and leave out what was not run", "value",
            )  # fmt: skip
        fate[broken] = DIVERGED
        if broken.any():
            runs = counted(len(np.unique(run[broken])), "run")
            notes.append(f"{runs} with NaN from some step to the end: taken as failed there (a blank cannot be told)")
    dropped = int((fate == ABSENT).sum())
    if dropped:
        notes.append(f"{counted(dropped, 'row')} without a value of {asked.value!r} dropped")
    lost = n - len(np.unique(run[fate != ABSENT]))
    if lost and lost < n:
        notes.append(f"{counted(lost, 'run')} without any value left out, as not run")
    return value, fate, crashed, notes


def _extreme(of: Any, step: NDArray[np.float64], run: NDArray[np.intp], n: int, where: Any) -> NDArray[np.float64]:
    """The first or last step of each run among some of its rows; infinite where there is none."""
    found = np.full(n, -np.inf if of is np.fmax else np.inf)
    of.at(found, run[where], step[where])
    return found


def _status(table: Table, asked: Asked) -> NDArray[Any] | None:
    """What became of the run of every row, in this package's own words; None where no column says so."""
    if STATUS not in table.frame or STATUS in {*asked.factors, asked.step, asked.value}:
        return None
    column = table.frame[STATUS].astype(str).str.strip().str.lower()
    return column.to_numpy() if set(column.unique()) <= STATUSES else None


def _measures_else(table: Table, asked: Asked) -> NDArray[np.bool_]:
    """Rows with a number in a column that was not asked for and is not always the same in a run's rows."""
    named = {*asked.factors, asked.step, asked.value, table.name}
    numbers = table.frame.select_dtypes("float")
    others = [name for name in numbers if name not in named and numbers[name].isna().any()]
    return numbers[others].notna().any(axis=1).to_numpy(bool)
