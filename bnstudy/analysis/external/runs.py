"""The runs of a table: told apart, each with its rows in order, and what can be read in two ways refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bnstudy.analysis.external.asked import Asked
from bnstudy.analysis.external.blanks import ABSENT, DIVERGED, resolved
from bnstudy.analysis.external.columns import (
    Levels,
    check_columns,
    first_of,
    levels_of,
    numbers_of,
    spread_of,
    steps_of,
    values_of,
)
from bnstudy.analysis.external.confounds import confounds
from bnstudy.analysis.external.repeats import check_one_metric, without_repeats
from bnstudy.analysis.external.tables import Table, counted, listed, shortened
from bnstudy.study.errors import InputError

FACTORS = ("model", "setting", "condition", "arm", "seed")


@dataclass(frozen=True)
class Runs:
    """Checked runs and their rows.

    Attributes
    ----------
    table : DataFrame
        A row a run: the number of its level of each of `FACTORS`; its own number is the row's.
    labels : dict of lists
        The labels of these levels; the control and the reference are the first of theirs.
    settings : tuple of dict
        The levels of each setting's columns.
    starts : int array (runs + 1)
        Where the rows of each run begin, and the end of the last.
    step, value : float arrays (rows)
        Ascending within a run; NaN is a value that is no number.
    crashed : bool array (runs)
        Runs that the table itself calls diverged.
    columns : dict
        How the table calls each of `FACTORS`.
    well : tuple of str
        The good levels of the condition, the reference first.
    notes : tuple of str
    """

    table: Any
    labels: dict[str, list[str]]
    settings: tuple[dict[str, str], ...]
    starts: NDArray[np.intp]
    step: NDArray[np.float64]
    value: NDArray[np.float64]
    crashed: NDArray[np.bool_]
    columns: dict[str, str]
    well: tuple[str, ...]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.table)

    @property
    def run(self) -> NDArray[np.intp]:
        """The run of each row."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def name(self, run: int) -> str:
        """A run, for a message."""
        return _told({self.columns[one]: self.labels[one][self.table[one].iloc[run]] for one in FACTORS})


def _told(levels: dict[str, str]) -> str:
    """Levels of factors as ``arm a, seed 1``; a setting's label names its factors."""
    return ", ".join(f"{factor} {shortened(label, 30)}".strip() for factor, label in levels.items() if label)


def runs_of(table: Table, asked: Asked) -> Runs:
    """The runs of a long table, checked.

    Raises
    ------
    InputError
        A column or a level is not there, a cell holds what it cannot, runs cannot be told apart, or are none.
    """
    frame = table.frame
    check_columns(frame, asked)
    factors = {name: levels_of(frame[name], name, key) for name, key in asked.factors.items()}
    arms, conditions = factors[asked.treatment], factors[asked.condition]
    labels, well = _orders(arms, conditions, asked)
    if asked.seed is None:
        if table.name is None:
            raise InputError("runs of an arm cannot be told apart: name the column that numbers them", "seed")
        factors[""] = levels_of(frame[table.name], table.name, "seed")
    codes = pd.DataFrame({name: levels.codes for name, levels in factors.items()})
    run = codes.groupby(list(codes), sort=False).ngroup().to_numpy()
    step = numbers_of(frame[asked.step])
    is_known = (codes >= 0).all(axis=1).to_numpy(bool)
    value, fate, crashed, notes = resolved(
        table, asked, values_of(frame[asked.value], asked.value), run, step, is_known
    )
    kept = np.flatnonzero(fate != ABSENT)
    _check_filled(codes.iloc[kept], asked)
    step = steps_of(frame[asked.step].iloc[kept], asked.step)
    found, run = np.unique(run[kept], return_inverse=True)
    check_one_metric(frame, asked, kept, run)
    if len(found) == 1:
        raise InputError("one run alone: nothing to compare it with; give the runs of both arms, several seeds of each")
    order = np.lexsort((step, run))
    kept, run, step = kept[order], run[order], step[order]
    value = np.where(fate[kept] == DIVERGED, np.nan, value[kept])
    unique, repeats = without_repeats(frame, asked, kept, run, step, value)
    kept, run, step, value = kept[unique], run[unique], step[unique], value[unique]
    starts = np.concatenate([np.flatnonzero(np.diff(run, prepend=-1)), [len(run)]])
    if (np.diff(starts) == 1).all():
        raise InputError(
            "one row a run, no curves: give a row for each run and step; final values cannot be judged", "step"
        )
    each = codes.iloc[kept[starts[:-1]]].reset_index(drop=True)
    runs, further, settings = _cells(each, factors, asked)
    labels |= further
    runs["arm"] = _renumbered(each[asked.treatment], arms.labels, labels["arm"])
    runs["condition"] = _renumbered(each[asked.condition], conditions.labels, labels["condition"])
    labels["seed"] = _seeds(runs, each, factors, asked)
    read = [counted(len(labels["arm"]), "arm"), counted(len(labels["condition"]), "condition")]
    read += [counted(len(labels[factor]), factor) for factor in ("model", "setting") if len(labels[factor]) > 1]
    lengths = np.diff(starts)
    many = f"{lengths.min():,}" if lengths.min() == lengths.max() else f"{lengths.min():,} to {lengths.max():,}"
    columns, pairs = _columns(asked), _check_pairs(runs, labels, asked, list(frame))
    of = np.repeat(np.arange(len(runs)), lengths)
    others = confounds(_unnamed(table, asked, kept), of, runs, labels, None if asked.unpaired else asked.seed)
    notes = [*_alike(labels, columns), *notes]
    first = f"read {' × '.join(read)}, {counted(len(runs), 'run')} of {many} steps, {counted(len(kept), 'value')}"
    return Runs(
        runs[list(FACTORS)], labels, settings, starts, step, value, crashed[found], columns, well,
        (first, *others, *table.notes, *notes, *repeats, *pairs),
    )  # fmt: skip


def _alike(labels: dict[str, list[str]], columns: dict[str, str]) -> list[str]:
    """Notes of levels that differ in case alone, and may have been meant as one."""
    notes = []
    for factor in ("arm", "condition", "model"):
        seen: dict[str, str] = {}
        for label in labels[factor]:
            other = seen.setdefault(label.lower(), label)
            if other != label:
                notes.append(f"{columns[factor]} {shortened(other, 30)} and {shortened(label, 30)} differ in case only")
    return notes


def _unnamed(table: Table, asked: Asked, rows: NDArray[np.intp]) -> dict[str, Any]:
    """The columns of which no option speaks, in these rows."""
    named = {*asked.factors, asked.step, asked.value, table.name}
    frames = [table.frame, *([] if table.about is None else [table.about])]
    return {name: frame[name].iloc[rows] for frame in frames for name in frame if name not in named}


def _columns(asked: Asked) -> dict[str, str]:
    seed = "run" if asked.unpaired or asked.seed is None else asked.seed
    names = ("model", "", asked.condition, asked.treatment, seed)
    return dict(zip(FACTORS, names, strict=True))


def _orders(arms: Levels, conditions: Levels, asked: Asked) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """Arms with the control first, conditions with the reference first; and the good ones of these."""
    control = arms.find(asked.control, asked.treatment, "control")
    reference = conditions.find(asked.reference, asked.condition, "reference")
    said = (conditions.find(one, asked.condition, "well") for one in asked.well)
    well = tuple(dict.fromkeys([reference, *said]))
    if len(arms.labels) == 1:
        raise InputError(f"{asked.treatment!r} has one level, {control!r}: nothing to compare it with", "treatment")
    if len(well) == len(conditions.labels):
        raise InputError(f"{asked.condition!r} has good levels alone ({listed(well)}): nothing to judge", "condition")
    return {"arm": first_of([control], arms.labels), "condition": first_of(well, conditions.labels)}, well


def _check_filled(codes: Any, asked: Asked) -> None:
    for name, key in asked.factors.items():
        blank = codes[name].to_numpy() < 0
        if blank.any():
            row = codes.index[blank.argmax()] + 1
            rows = "a row has" if blank.sum() == 1 else f"{blank.sum():,} rows have"
            raise InputError(f"{rows} a value but nothing in {name!r}, e.g. row {row}: fill in or remove", key)


def _cells(
    each: Any, factors: dict[str, Levels], asked: Asked
) -> tuple[Any, dict[str, list[str]], tuple[dict[str, str], ...]]:
    """The model and the setting of every run, their labels, and what the settings are made of."""
    model = next((name for name in asked.by if name == "model"), None)
    others = [name for name in asked.by if name != "model"]
    found = each[others].drop_duplicates().sort_values(others) if others else each[[]].iloc[:1]
    settings = tuple({name: factors[name].labels[code] for name, code in zip(others, row, strict=True)}
                     for row in found.itertuples(index=False))  # fmt: skip
    labels = [", ".join(f"{name} {level}" for name, level in setting.items()) for setting in settings]
    place = {tuple(row): i for i, row in enumerate(found.itertuples(index=False))}
    runs = pd.DataFrame(index=each.index)
    runs["model"] = each[model] if model else 0
    runs["setting"] = [place[tuple(row)] for row in each[others].itertuples(index=False)] if others else 0
    return runs, {"model": factors[model].labels if model else [""], "setting": labels or [""]}, settings or ({},)


def _renumbered(codes: Any, before: list[str], after: list[str]) -> NDArray[np.intp]:
    place = {label: i for i, label in enumerate(after)}
    return np.array([place[label] for label in before], np.intp)[codes.to_numpy()]


def _seeds(runs: Any, each: Any, factors: dict[str, Levels], asked: Asked) -> list[str]:
    """Number the seeds of `runs`, and their labels; unpaired runs by their place in their arm and cell."""
    name = asked.seed if asked.seed is not None else ""
    if asked.unpaired:
        runs["seed"] = each[name].groupby([runs[factor] for factor in FACTORS[:-1]]).rank("first").astype(int) - 1
        return [str(i) for i in range(int(runs["seed"].max()) + 1)]
    used, runs["seed"] = np.unique(each[name].to_numpy(), return_inverse=True)
    return [factors[name].labels[code] for code in used]


def _check_pairs(runs: Any, labels: dict[str, list[str]], asked: Asked, there: list[str]) -> list[str]:
    """InputError where arms lack a control or cells a reference; notes of what has no counterpart."""
    notes = []
    for keys, cell in runs.groupby(["model", "setting"]):
        where = _told({"model": labels["model"][keys[0]], "": labels["setting"][keys[1]]})
        where = f" ({where})" if where else ""
        if not (cell["condition"] == 0).any():
            raise InputError(
                f"no run at {labels['condition'][0]!r}{where}: every setting needs the reference", "reference"
            )
        notes += _check_reference(cell, labels, asked, where)
        for condition, both in cell.groupby("condition"):
            label = labels["condition"][condition]
            seeds = [set(one["seed"]) for _, one in both.groupby("arm")]
            if (both["arm"] > 0).any() and not (both["arm"] == 0).any():
                raise InputError(f"{asked.condition} {label!r}{where} has no run of the control "
                                 f"{labels['arm'][0]!r}: add or remove it", "control")  # fmt: skip
            if len(seeds) == 1 and condition > 0:
                notes.append(f"{asked.condition} {label}{where} has the control alone: not judged")
            elif asked.unpaired and max(map(len, seeds)) == 1:
                raise InputError(f"one run of each arm at {asked.condition} {label!r}{where}: repeat them", "seed")
            elif not asked.unpaired and not set.intersection(seeds[0], set.union(*seeds[1:])):
                raise InputError(f"no {asked.seed} has both arms at {asked.condition} {label!r}{where}: say --unpaired "
                                 f"where runs of a seed have nothing in common", "seed")  # fmt: skip
            elif not asked.unpaired and (lone := len(set.union(*seeds)) - len(set.intersection(*seeds))):
                notes.append(f"{asked.condition} {label}{where}: {counted(lone, asked.seed or 'run')} without all arms")
    if not asked.unpaired and len(labels["seed"]) == 1:
        mend = spread_of(there) or "give several"
        raise InputError(f"one level of {asked.seed!r}, {labels['seed'][0]}: nothing is repeated; {mend}", "seed")
    return notes


def _check_reference(cell: Any, labels: dict[str, list[str]], asked: Asked, where: str) -> list[str]:
    """InputError where no treated arm of a setting is at the reference; a note of one that is not."""
    at_reference = set(cell["arm"][cell["condition"] == 0])
    lacking = [labels["arm"][arm] for arm in sorted(set(cell["arm"]) - at_reference)]
    what = f"at {asked.condition} {labels['condition'][0]}{where}"
    if not at_reference - {0}:
        raise InputError(f"no treated run {what}: the gain elsewhere has nothing to be compared with", "reference")
    return [f"{asked.treatment} {shortened(arm)} has no run {what}: not compared with it" for arm in lacking]
