"""Columns that nobody named and that differ where runs are compared: what else could explain a difference."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bnstudy.analysis.external.columns import number_label
from bnstudy.analysis.external.tables import MOST_SHOWN, is_number, listed, shortened

# Words in names of columns that say which run it is, when and where it ran, or what became of it.
LABELS = {
    *("id", "ids", "uid", "uuid", "name", "run", "runs", "path", "file", "dir", "folder", "url", "index", "unnamed"),
    *("time", "timestamp", "date", "created", "updated", "started", "finished", "runtime", "duration", "elapsed"),
    *("host", "hostname", "user", "pid", "notes", "note", "comment", "tags", "state", "status", "heartbeat"),
}
FEW = 6  # levels, beyond which a column that differs without order is a measurement
BLANK = "nothing"
MOST_NOTES = 6


def confounds(
    columns: Mapping[str, Any], run: NDArray[np.intp], runs: Any, labels: Mapping[str, Sequence[str]],
    seed: str | None,
) -> list[str]:  # fmt: skip
    """Notes of columns that differ between the arms or between the seeds, and of which no option speaks.

    A column counts that holds one value in each run. It differs between the arms where runs that are alike in all
    factors but the arm differ in it, and it is a setting: the same for all seeds of an arm and cell, or one of few
    levels. It differs between the seeds where it is the same in all runs of a seed, and several seeds share a level.

    Parameters
    ----------
    columns : mapping of Series (rows)
        What was not named.
    run : int array (rows)
        The run of each row, ascending.
    runs : DataFrame (runs)
        The number of each factor's level.
    labels : mapping
        The labels of these levels.
    seed : str, optional
        What pairs the runs; None where nothing does. Then arms differ where a level is not in all of them.
    """
    notes = []
    cell = runs.groupby(["model", "setting", "condition", "arm"]).ngroup().to_numpy()
    arm, number = runs["arm"].to_numpy(), runs["seed"].to_numpy()
    apart = ["model", "setting", "condition", *(["seed"] if seed else [])]
    alike = runs.groupby(apart).ngroup().to_numpy()
    for name, levels, told in _settings(columns, run, labels):
        between = _several(levels, alike) if seed else _uneven(levels, alike, arm)
        if between and (not _several(levels, cell) or len(told) <= FEW):
            each = [
                f"{shortened(label, 30)} {' or '.join(told[i] for i in np.unique(levels[arm == i_arm]))}"
                for i_arm, label in enumerate(labels["arm"])
            ]
            notes.append(f"{name} differs between the arms ({listed(each, MOST_SHOWN)}): not taken into account")
        elif seed and not _several(levels, number):
            if len(told) == len(labels["seed"]):  # another name of the seed
                continue
            notes.append(f"{name} differs between the levels of {seed} ({listed(told, 4)}): --by {name}?")
        elif _several(levels, cell) and len(told) <= FEW and len(told) <= len(levels) / 4:
            notes.append(f"{name} differs between runs of an arm ({listed(told, 4)}): --by {name}?")
    more = len(notes) - MOST_NOTES
    return notes if more <= 0 else [*notes[:MOST_NOTES], f"{more} more columns differ so"]


def _settings(
    columns: Mapping[str, Any], run: NDArray[np.intp], labels: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, NDArray[np.intp], list[str]]]:
    """Columns of several levels that are constant within runs, with the level of each run, and the levels' names."""
    starts = np.flatnonzero(np.diff(run, prepend=-1))
    for name, column in columns.items():
        words = set(re.split(r"[^a-z]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", str(name)).lower()))
        if words & LABELS or str(name).startswith("_"):
            continue
        try:
            codes, found = pd.factorize(column)
        except TypeError:  # lists
            continue
        # A blank beside a value says nothing: a run's settings may stand in one of its rows.
        highest = np.maximum.reduceat(codes, starts)
        lowest = np.minimum.reduceat(np.where(codes < 0, len(found), codes), starts)
        if (lowest < highest).any():
            continue
        used, levels = np.unique(highest, return_inverse=True)
        told = [BLANK if code < 0 else _label(found[code]) for code in used]
        if 1 < len(told) < len(starts) and not _is_name(told, labels):
            yield shortened(name), levels, [shortened(label, 30) for label in told]


def _label(value: Any) -> str:
    return number_label(value) if isinstance(value, (float, np.floating)) else str(value).strip()


def _is_name(told: Sequence[str], labels: Mapping[str, Sequence[str]]) -> bool:
    """Whether texts are built of levels of the arm or of the condition, as names of groups are."""
    return any(
        all(any(label.lower() in text.lower() and not is_number(text) for label in labels[factor]) for text in told)
        for factor in ("arm", "condition")
    )


def _several(levels: NDArray[np.intp], group: NDArray[np.intp]) -> bool:
    """Whether some group holds several levels."""
    return len(np.unique(np.stack([group, levels]), axis=1).T) > len(np.unique(group))


def _uneven(levels: NDArray[np.intp], group: NDArray[np.intp], arm: NDArray[np.intp]) -> bool:
    """Whether a level of some group is not in all of its arms."""
    rows = pd.DataFrame({"group": group, "arm": arm, "level": levels})
    arms = rows.groupby("group")["arm"].nunique()
    held = rows.groupby(["group", "level"])["arm"].nunique()
    return bool((held < arms.reindex(held.index.get_level_values("group")).to_numpy()).any())
