"""The factors of runs from a table of its own, one row a run, joined to their curves by the runs' names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd

from bnstudy.analysis.external.asked import Asked
from bnstudy.analysis.external.files import checked, paths_of
from bnstudy.analysis.external.formats import read_file
from bnstudy.analysis.external.names import NAMES, name_column, stem_of
from bnstudy.analysis.external.tables import Table, counted, listed, nearest, shortened
from bnstudy.study.errors import InputError

KEY = "runs"
STATE = "State"  # a column of W&B's table of runs
IDENTIFIERS = (*NAMES, "id")  # columns that hold what a run is called, in small letters


def with_run_table(table: Table, asked: Asked) -> Table:
    """A table of curves with those columns that it lacks, from the row of each curve's run in the table of runs.

    A run goes by the name of its column in a wide table, of its file, or in a column called ``name``, ``run`` or the
    like; and there by the first such column that holds every name.

    Raises
    ------
    InputError
        The table of runs cannot be read, lacks a column or a run, or has different rows for one name.
    """
    runs, told = _read(asked.runs)
    frame = table.frame
    lacking = {name: key for name, key in asked.factors.items() if name not in frame}
    if not lacking:
        raise InputError("is not needed: the curves have every column that is asked for", KEY)
    for name, key in lacking.items():
        if name not in runs:
            there = list(runs.columns)
            raise InputError(
                f"neither the curves nor {told} have a column {shortened(name)!r}{nearest(name, there)}; {told} has "
                f"{listed(there)}", key,
            )  # fmt: skip
    if both := [name for name in asked.factors if name in frame and name in runs]:
        raise InputError(f"{shortened(both[0])!r} is a column of the curves and of {told}: remove one", KEY)
    column = name_column(table, KEY)
    codes, names = frame[column].factorize()
    if (codes < 0).any():
        raise InputError(f"row {int((codes < 0).argmax()) + 1} has no name", KEY)
    called = [stem_of(str(name)) if table.are_paths else str(name).strip() for name in names]
    rows, without = _rows(runs, called, list(lacking), told)
    about = rows[[one for one in rows if one not in lacking and one not in frame]].iloc[codes].reset_index(drop=True)
    frame = frame.assign(**{name: rows[name].to_numpy()[codes] for name in lacking})
    passed = [f"{told}: {counted(without, 'run')} without curves passed over"] if without else []
    return replace(table, frame=frame, name=column, notes=(*table.notes, *passed, *_unfinished(rows)), about=about)


def _unfinished(rows: Any) -> list[str]:
    """A note of runs that W&B does not call finished."""
    if STATE not in rows:
        return []
    states = rows[STATE].astype(str).str.strip().str.lower()
    others = states[states != "finished"]
    told = f"{counted(len(others), 'run')} {'was' if len(others) == 1 else 'were'} not finished"
    return [f"{told} ({STATE} {listed(sorted(set(others)))})"] if len(others) else []


def _read(source: Any) -> tuple[Any, str]:
    """The table of runs, and how it is called in messages."""
    if isinstance(source, pd.DataFrame):
        return checked(source, "the table of runs"), "the table of runs"
    paths, _ = paths_of([source])
    if len(paths) > 1:
        raise InputError("is one file, with a row for each run", KEY)
    path = next(iter(paths.values()))
    return checked(read_file(path, "")[0], str(path)), str(path)


def _rows(runs: Any, called: list[str], wanted: list[str], told: str) -> tuple[Any, int]:
    """The rows of runs by these names, in their order, and how many others there are."""
    columns = [name for name in runs.columns if name.lower() in IDENTIFIERS]
    if not columns:
        raise InputError(f"{told} has no column {' or '.join(NAMES[:2])} that says which run a row is of", KEY)
    texts = {column: runs[column].astype(str).str.strip() for column in columns}
    column = next((one for one in columns if set(called) <= set(texts[one])), columns[0])
    there = texts[column]
    if missing := [name for name in called if name not in set(there)]:
        raise InputError(
            f"{told} has no row for {shortened(missing[0])!r}{nearest(missing[0], list(there))}"
            f"{f', nor for {len(missing) - 1} more' if len(missing) > 1 else ''}: add it, or leave its curve out", KEY,
        )  # fmt: skip
    first = ~runs[wanted].assign(**{column: there}).duplicated()
    each = runs.drop(columns=column)[first].set_index(there[first])
    twice = each.index[each.index.duplicated()]
    if len(found := [name for name in called if name in set(twice)]):
        raise InputError(f"{told} has several rows for {shortened(found[0])!r}, which differ: rename the runs", KEY)
    return each.loc[called], int((~there.isin(called)).sum())
