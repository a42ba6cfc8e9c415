"""Columns of somebody else's table: found by name, melted where each is a run, read as numbers or as levels."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bnstudy.analysis.external.asked import Asked
from bnstudy.analysis.external.formats import WIDE
from bnstudy.analysis.external.tables import Table, counted, listed, nearest, shortened
from bnstudy.study.errors import InputError

RUN = "name of the run"  # the column that holds it where each run is a column
NAMES = ("Name", "name", "run", "Run", "run_name")  # columns that hold a run's name
RANGES = ("__MIN", "__MAX")  # of the points that a chart draws as one
BLANK = ("", "na", "n/a", "<na>", "null", "none")  # how text says that there is no value
NO_NUMBER = ("nan", "inf", "infinity")  # how it says that a value is no number
SPREADS = {"std", "stdev", "stderr", "sem", "sd", "ci", "variance", "var"}  # words in names of columns
TRUTH = {"false": "False", "0": "False", "true": "True", "1": "True"}  # how a truth may be named
LONGEST = 120  # characters of a label
RUNS_TABLE = {"State", "Created", "Runtime"}  # in the table of runs, one row each, that Weights & Biases writes


@dataclass(frozen=True)
class Levels:
    """A column as levels: the number of each row's, or -1 where it is blank, and their labels in order."""

    codes: NDArray[np.intp]
    labels: list[str]
    are_numbers: bool

    def label_of(self, said: object) -> str:
        """How a level that somebody named is written here; it need not be there."""
        text = str(said).strip()
        try:
            if set(self.labels) <= set(TRUTH.values()):
                return TRUTH.get(text.lower(), text)
            return number_label(float(text)) if self.are_numbers else text
        except ValueError:
            return str(said)

    def find(self, said: object, column: str, key: str) -> str:
        """The label of a level that somebody named; InputError where there is none."""
        label = self.label_of(said)
        if label not in self.labels:
            there = f"{column!r} has {listed(self.labels)}"
            raise InputError(f"no level {shortened(said)!r}{nearest(label, self.labels)}: {there}", key)
        return label


def check_columns(frame: Any, asked: Asked) -> None:
    """InputError where a column that was asked for is not there."""
    there = list(frame.columns)
    if there and set(there) >= RUNS_TABLE:
        raise InputError(
            "the table of runs that W&B exports has no curves: export a chart's data, read that with --wide, and give "
            "this table with --runs; or write run.history() of each run"
        )
    lacking = {name: key for name, key in asked.factors.items() if name not in there}
    if len(lacking) == len(asked.factors):
        told = listed(map(repr, lacking))
        pattern = "".join(f"{{{name}}}-" for name in lacking).rstrip("-")
        if any(WIDE in name for name in there):
            raise InputError(
                f"none of {told} is a column, and columns are called as in a chart's export of W&B "
                f"({listed(there[:3])}): read it with --wide, and with "
                f"--from-name '{pattern}' where the factors stand in the runs' names, or --runs with the table of runs"
            )
        if named := next((name for name in (RUN, *NAMES) if name in there), None):
            raise InputError(
                f"none of {told} is a column: with --from-name '{pattern}' they are read from the runs' names in "
                f"column {named!r}, with --runs from a table of one row a run; or add them (config columns); there are "
                f"{listed(there)}"
            )
        raise InputError(
            f"none of {told} is a column: these are the curves of one run; give the files of several, with --from-name "
            f"where the factors stand in their paths{_will_be_asked(frame, asked)} (columns: {listed(there)})"
        )
    for name, key in {asked.step: "step", asked.value: "value", **lacking}.items():
        if name not in there:
            what = "no curves can be read without steps: " if key == "step" else ""
            hint = nearest(name, there)
            if key == "seed" and (spread := spread_of(there)):
                raise InputError(f"no column {shortened(name)!r}: {spread}", key)
            raise InputError(f"{what}no column {shortened(name)!r}{hint}; there are {listed(there)}", key)


def _will_be_asked(frame: Any, asked: Asked) -> str:
    """What the curves of several such runs will need to have said besides, so that it is not asked one by one."""
    needed = []
    if asked.value in frame and asked.best is None and (numbers_of(frame[asked.value]) < 0).any():
        needed.append(f"what {shortened(asked.value)!r}, which goes below 0, can be (--best, --worst)")
    if len(frame) == 1 and asked.stopped is None:
        needed.append("whether a run that stopped at its first row crashed or is lost (--stopped)")
    return f", and say {' and '.join(needed)}" if needed else ""


def spread_of(names: Sequence[str]) -> str:
    """Why a table seems to hold means over runs: a column of their spread; empty where there is none."""
    found = [name for name in names if set(re.split(r"[^a-z]+", name.lower())) & SPREADS]
    return f"with {shortened(found[0])!r} these are means over runs; give the runs themselves" if found else ""


def melted(table: Table, asked: Asked) -> Table:
    """A long table of a wide one, whose runs are columns called ``NAME - METRIC``; its blanks are dropped.

    Columns of other metrics are left out, and so are those of the least and greatest of the points that a chart draws
    as one, called ``…__MIN`` and ``…__MAX``.

    Raises
    ------
    InputError
        No column is of the metric.
    """
    frame, end = table.frame, WIDE + asked.value
    if asked.step not in frame:
        hint = nearest(asked.step, list(frame.columns))
        raise InputError(f"no column {shortened(asked.step)!r}{hint}; there are {listed(frame.columns)}", "step")
    runs = [name for name in frame.columns if name.endswith(end) and name != end]
    if not runs:
        metrics = {name.rpartition(WIDE)[2] for name in frame.columns if WIDE in name and not name.endswith(RANGES)}
        found = f"there are {listed(sorted(metrics))}" if metrics else "no column is called 'NAME - METRIC' (--wide)"
        raise InputError(
            f"no run has {shortened(asked.value)!r}{nearest(asked.value, sorted(metrics))}: {found}", "value"
        )
    notes = [*table.notes]
    ranges = [name for name in frame.columns if name.endswith(RANGES)]
    others = len(frame.columns) - len(runs) - len(ranges) - 1
    if others:
        notes.append(f"{counted(others, 'column')} of other metrics left out")
    if asked.value.endswith(RANGES):
        least = "least" if asked.value.endswith(RANGES[0]) else "greatest"
        notes.append(f"{asked.value!r} is the {least} of the points that a chart draws as one, not the value (--value)")
    if any(_spreads(frame, name) for name in runs):
        notes.append("some points are means of several, of a run or of a group (MIN and MAX differ): a group is no run")
    long = frame[[asked.step, *runs]].melt([asked.step], runs, RUN, asked.value)
    long[RUN] = long[RUN].str.slice(stop=-len(end))
    long = long[long[asked.value].notna()].reset_index(drop=True)
    if not len(long):
        raise InputError(f"all values of {asked.value!r} are blank", "value")
    return replace(table, frame=long, tells_blanks=True, name=RUN, are_paths=False, notes=tuple(notes))


def _spreads(frame: Any, name: str) -> bool:
    least, most = (name + end for end in RANGES)
    if least not in frame or most not in frame:
        return False
    return bool((pd.to_numeric(frame[most], "coerce") > pd.to_numeric(frame[least], "coerce")).any())


def numbers_of(column: Any) -> NDArray[np.float64]:
    """A column as numbers; NaN where a cell holds none, infinite where it is beyond those of a double."""
    try:
        found = pd.to_numeric(column, errors="coerce")
    except OverflowError:  # of whole numbers, not of their texts
        found = pd.to_numeric(column.map(_at_most_infinite), errors="coerce")
    return np.asarray(found.to_numpy(np.float64, na_value=np.nan))


def _at_most_infinite(value: Any) -> Any:
    too_large = isinstance(value, int) and abs(value) > sys.float_info.max
    return (math.inf if value > 0 else -math.inf) if too_large else value


def steps_of(column: Any, name: str) -> NDArray[np.float64]:
    """A column of steps as numbers; InputError where one is blank, or none."""
    numbers = numbers_of(column)
    wrong = ~np.isfinite(numbers) if column.dtype.kind not in "mM" else np.ones(len(column), bool)
    if wrong.any():
        row = int(wrong.argmax())
        raise InputError(f"{shortened(name)!r} must hold numbers, not {shortened(column.iloc[row])!r} (row "
                         f"{column.index[row] + 1})", "step")  # fmt: skip
    return numbers


def values_of(column: Any, name: str) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """A column of values as numbers, where it is written that one is no number, and where nothing is written.

    Infinity is no number either. Returns what is NaN in both other cases, and these two.
    """
    if column.dtype.kind in "biuf":
        numbers = column.to_numpy(np.float64)
        return np.where(np.isfinite(numbers), numbers, np.nan), np.isinf(numbers), np.isnan(numbers)
    if column.dtype.kind in "mM":
        raise InputError(f"{shortened(name)!r} holds dates, not numbers", "value")
    numbers = numbers_of(column)
    empty = column.isna().to_numpy(bool)
    odd = np.flatnonzero(~np.isfinite(numbers) & ~empty)
    words = column.iloc[odd].astype(str).str.strip().str.lower()
    is_blank = words.isin(BLANK).to_numpy(bool)
    is_written = words.str.lstrip("+-").isin(NO_NUMBER).to_numpy(bool) | np.isinf(numbers[odd])
    wrong = ~is_blank & ~is_written
    if wrong.any():
        row = odd[wrong.argmax()]
        raise InputError(f"{shortened(column.iloc[row])!r} is no number (row {column.index[row] + 1}): write it with a "
                         f"point, without a unit or %", "value")  # fmt: skip
    written, blank = np.zeros(len(column), bool), empty.copy()
    written[odd], blank[odd] = is_written, is_blank
    return np.where(np.isfinite(numbers), numbers, np.nan), written, blank


def levels_of(column: Any, name: str, key: str) -> Levels:
    """A column as levels: ``0`` and ``0.0`` are one where all are numbers; ascending then, else as they come.

    Raises
    ------
    InputError
        A label is no plain text of a line, or begins with ``=`` as a formula does.
    """
    try:
        codes, found = pd.factorize(column)
    except TypeError:
        raise InputError(f"{shortened(name)!r} holds lists or objects: give it texts or numbers", key) from None
    labels, are_numbers = _labels(found)
    for label in labels:
        if len(label) > LONGEST or not label.isprintable() or label.startswith("="):
            raise InputError(
                f"{shortened(name)!r} has the label {shortened(label)!r}: give it a short, plain text", key
            )
    order = sorted(dict.fromkeys(labels), key=float) if are_numbers else [*dict.fromkeys(labels)]
    order = [label for label in order if label]
    place = {label: i for i, label in enumerate(order)}
    moved = np.array([place.get(label, -1) for label in labels] + [-1], np.intp)
    return Levels(moved[codes], order, are_numbers)


def _labels(found: Any) -> tuple[list[str], bool]:
    """The labels of distinct values, and whether all are numbers."""
    dtype = getattr(found, "dtype", np.dtype(object))
    if dtype.kind in "iuf":
        return [number_label(one) for one in np.asarray(found)], True
    texts = [str(one).strip() for one in found]
    if dtype.kind == "b" or not any(texts):
        return texts, False
    numbers = pd.to_numeric(pd.Series([text or "0" for text in texts]), errors="coerce").to_numpy(np.float64)
    if not np.isfinite(numbers).all():
        return texts, False
    return [number_label(one) if text else "" for text, one in zip(texts, numbers, strict=True)], True


def number_label(number: Any) -> str:
    """A number as a label: as ``%g`` writes it, or with all its digits where that is another number."""
    short = f"{number + 0.0:g}"  # -0 is 0
    if type(number)(short if not isinstance(number, np.integer | int) else float(short)) == number:
        return short
    return str(int(number)) if float(number).is_integer() and abs(number) < 2**63 else repr(float(number))


def first_of(names: Sequence[str], labels: list[str]) -> list[str]:
    """Labels with some of them, in this order, put first."""
    return [*names, *(label for label in labels if label not in names)]
