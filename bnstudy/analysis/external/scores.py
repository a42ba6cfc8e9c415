"""The score of every run: the mean over its steps of log2 of its error, with failures and runs that stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bnstudy.analysis.external.asked import Asked
from bnstudy.analysis.external.horizons import Horizon, horizon_of
from bnstudy.analysis.external.runs import FACTORS, Runs
from bnstudy.analysis.external.scale import errors_of
from bnstudy.analysis.external.tables import counted
from bnstudy.study.errors import InputError

DIMS = ("model", "setting", "condition", "arm", "seed")
DIGITS = 12  # of a score: runs that are the same have the same
MOST_STEPS = 400  # of a curve that is drawn
MOST_CELLS, MOST_NUMBERS = 2_000_000, 20_000_000  # of arrays, most of them empty where labels hardly ever meet

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scored:
    """Every run's score.

    Attributes
    ----------
    scores : DataArray (model, setting, condition, arm, seed)
        L, the mean of log2 of the error over the steps; NaN where there is no run. Labels are text (seeds whole numbers
        where all are): the first arm is the control, the first condition the reference. Model and setting are ``""``
        where nothing is varied besides. Unpaired seeds only number the runs of an arm and cell.
    failed : DataArray, bool, the same dimensions
        Diverged or crashed, or never below half the error of guessing; the latter only where that is known.
    curves : DataArray (model, setting, condition, arm, seed, step)
        log2 of the error on a common grid, for drawing; NaN beyond a run's end, the error of guessing after a failure.
    settings : tuple of dict
        What each setting is made of: the levels of its columns.
    notes : tuple of str
        What was read, what was dropped and why, what was assumed: to be told before any verdict.
    assumed : tuple of str
        What of it could change the words, in a few words, each with the option that says otherwise.
    treatment, control, condition, reference : str
        As they are written in the table.
    well : tuple of str
        The good levels of the condition, the reference first; all others are poor.
    """

    scores: xr.DataArray
    failed: xr.DataArray
    curves: xr.DataArray
    settings: tuple[dict[str, str], ...]
    notes: tuple[str, ...]
    assumed: tuple[str, ...]
    treatment: str
    control: str
    condition: str
    reference: str
    well: tuple[str, ...]


def score(runs: Runs, asked: Asked) -> Scored:
    """The score of every run, over the steps that all are compared on.

    A value counts until the next one, and the last of a run until the end; the end is the last common step and as long
    as a step lasts on average. So the score on a grid of equal steps is the plain mean.

    Raises
    ------
    InputError
        Values are not what was said, runs stop and it was not said why, or they have no step in common.
    """
    shape = [len(runs.labels[dim]) for dim in DIMS]
    if np.prod(shape, dtype=float) > MOST_CELLS:
        sizes = " × ".join(f"{size:,} {dim}s" for size, dim in zip(shape, DIMS, strict=True) if size > 1)
        raise InputError(f"{counted(len(runs), 'run')} in a grid of {sizes}: is a column named that is no factor?")
    found = errors_of(runs, asked)
    horizon, kept, notes = horizon_of(runs, asked)
    rows = np.isin(runs.run, kept)
    worst = _worst(runs, found.error, found.guess)
    dead = np.isfinite(horizon.dead_from[kept])
    if dead.any() and found.guess is None:
        notes = [*notes, "the error of guessing is not known: after a failure the worst value of its setting counts"]
    run, step, error = _as_counted(runs, rows, found.error, horizon, worst)
    starts = np.flatnonzero(np.diff(run, prepend=-1))
    begins = np.clip(step, horizon.start, horizon.stop)
    weight = np.diff(begins, append=horizon.stop)
    last = np.append(starts[1:], len(run)) - 1
    weight[last] = horizon.stop - begins[last]
    logs = np.log2(error)
    means = np.round(np.add.reduceat(weight * logs, starts) / (horizon.stop - horizon.start), DIGITS)
    failed = dead
    if found.guess is not None:
        best = np.minimum.reduceat(np.where(weight > 0, error, np.inf), starts)
        failed = dead | (best >= found.guess / 2)
    grid = _grid(step, horizon, int(np.prod(shape)))
    drawn = _drawn(run, step, logs, starts, grid, np.where(dead, np.inf, horizon.last[kept]))
    coords = {dim: _coordinate(runs.labels[dim]) if dim == "seed" else runs.labels[dim] for dim in DIMS}
    place = tuple(runs.table[list(FACTORS)].to_numpy()[kept].T[[FACTORS.index(dim) for dim in DIMS]])

    def labelled(values: Any, empty: Any, **further: Any) -> xr.DataArray:
        full = np.full([*shape, *(len(one) for one in further.values())], empty)
        full[place] = values
        return xr.DataArray(full, {**coords, **further}, (*DIMS, *further))

    return Scored(
        labelled(means, np.nan), labelled(failed, False), labelled(drawn, np.nan, step=grid),
        runs.settings, (*runs.notes, *notes, *found.notes), (*_roles(runs, asked), *found.assumed),
        asked.treatment, runs.labels["arm"][0], asked.condition, runs.well[0], runs.well,
    )  # fmt: skip


def _roles(runs: Runs, asked: Asked) -> list[str]:
    """What the roles of levels are by default, where it was not said which of several are good."""
    poor = runs.labels["condition"][len(runs.well) :]
    return [] if asked.well or len(poor) < 2 else [f"every {asked.condition} but {runs.well[0]} is poor (--well)"]


def _worst(runs: Runs, error: Array, guess: float | None) -> Array:
    """The error of every run after it failed: of guessing, else the worst that was seen in its model and setting."""
    if guess is not None:
        return np.full(len(runs), guess)
    cells = runs.table[["model", "setting"]].groupby(["model", "setting"]).ngroup().to_numpy()
    worst = np.full(cells.max() + 1, -np.inf)
    seen = np.isfinite(error)
    np.maximum.at(worst, cells[runs.run[seen]], error[seen])
    return np.where(np.isfinite(worst), worst, error[seen].max())[cells]


def _as_counted(
    runs: Runs, rows: NDArray[np.bool_], error: Array, horizon: Horizon, worst: Array
) -> tuple[NDArray[np.intp], Array, Array]:
    """Run, step and error of the rows that count: those before a failure, and one from which guessing counts."""
    run = runs.run
    dead = np.unique(run[rows & np.isfinite(horizon.dead_from[run])])
    rows = rows & (runs.step < horizon.dead_from[run])
    run = np.concatenate([run[rows], dead])
    step = np.concatenate([runs.step[rows], horizon.dead_from[dead]])
    error = np.concatenate([error[rows], worst[dead]])
    order = np.lexsort((step, run))
    return run[order], step[order], error[order]


def _grid(step: Array, horizon: Horizon, cells: int) -> Array:
    """Steps at which curves are drawn: all that are shared, or as many as can be seen, evenly."""
    most = max(2, min(MOST_STEPS, MOST_NUMBERS // cells))
    inside = np.unique(step[(step >= horizon.start) & (step <= horizon.end)])
    return inside if 0 < len(inside) <= most else np.linspace(horizon.start, horizon.end, most)


def _drawn(
    run: NDArray[np.intp], step: Array, logs: Array, starts: NDArray[np.intp], grid: Array, until: Array
) -> Array:
    """The curves of runs on a grid (runs, steps): the last value carried forward, and NaN beyond `until` (runs)."""
    found = np.empty((len(starts), len(grid)))
    for i, (begin, end) in enumerate(zip(starts, [*starts[1:], len(run)], strict=True)):
        at = np.searchsorted(step[begin:end], grid, side="right") - 1
        found[i] = logs[begin:end][np.maximum(at, 0)]
    return np.where(grid <= until[:, None], found, np.nan)


def _coordinate(labels: Sequence[str]) -> list[str] | list[int]:
    """Seeds as whole numbers where all are."""
    try:
        return [int(label) for label in labels]
    except ValueError:
        return list(labels)
