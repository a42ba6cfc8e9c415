"""Over which steps runs are compared, where each failed, and what those that stop early are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnstudy.analysis.external.asked import Asked
from bnstudy.analysis.external.runs import Runs
from bnstudy.analysis.external.tables import counted, listed, shortened
from bnstudy.study.errors import InputError

SHORTER = 0.1  # than the longest run: beyond that it must be said why a run stops
CLOSE = 1e-9  # relative: lengths that differ by less are the same

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Horizon:
    """The steps over which runs are compared.

    Attributes
    ----------
    start, end, stop : float
        The first and the last step that all share, and where the last one ends: a step lasts until the next.
    last : array (runs)
        Each run's own last step.
    dead_from : array (runs)
        The step from which a run counts as failed; infinite where it does not.
    """

    start: float
    end: float
    stop: float
    last: Array
    dead_from: Array


def horizon_of(runs: Runs, asked: Asked) -> tuple[Horizon, NDArray[np.intp], list[str]]:
    """Over which steps, which runs, and notes.

    A run fails at its first value that is no number, and one that the table calls diverged after its last row. A run
    that did not fail stops early where it is shorter than the longest by more than a tenth. Then `stopped` must say
    what that is: ``failed`` fails after its last row, ``missing`` is left out, ``carry`` keeps its last value; and all
    are compared up to the longest run's end. Otherwise they are compared up to the last step that all share.

    Raises
    ------
    InputError
        Runs stop early, and it was not said why; or no steps are shared.
    """
    first_rows, last_rows = runs.starts[:-1], runs.starts[1:] - 1
    first, last = runs.step[first_rows], runs.step[last_rows]
    cadence = _cadences(first, last, last_rows - first_rows)
    bad = np.where(np.isnan(runs.value), runs.step, np.inf)
    dead_from = np.minimum.reduceat(bad, first_rows)
    dead_from = np.where(runs.crashed, np.minimum(dead_from, last + cadence), dead_from)
    notes = _recovered(runs, dead_from)
    if ended := np.flatnonzero(np.isfinite(np.minimum.reduceat(bad, first_rows))).tolist():
        many = f"{counted(len(ended), 'run')} with nan or inf{_arms(runs, ended)}"
        notes.append(f"{many}, which is failure from there on: e.g. {runs.name(ended[0])} at {dead_from[ended[0]]:g}")
    alive = ~np.isfinite(dead_from)
    length = last - first.min() + cadence
    short = alive & (length < length.max() * (1 - SHORTER) * (1 - CLOSE))
    kept = np.arange(len(runs))
    if short.any():
        notes.append(_told(runs, asked, short, last))
        if asked.stopped == "failed":
            dead_from = np.where(short, last + cadence, dead_from)
        elif asked.stopped == "missing":
            kept = np.flatnonzero(~short)
    elif asked.stopped is not None:
        notes.append("no run stops early")
    start = first[kept].max()
    end = last.max() if short.any() or not alive.any() else last[alive].min()
    if end < start:
        early, late = (runs.name(int(one)) for one in (np.where(alive, last, np.inf).argmin(), first.argmax()))
        raise InputError(f"no steps are shared: {early} ends at {end:g}, and {late} begins at {start:g}", "step")
    if start - first.min() > SHORTER * length.max():
        late = kept[first[kept] - first.min() > SHORTER * length.max()].tolist()
        lost = len(np.unique(runs.step[runs.step < start]))
        name = runs.name(int(kept[first[kept].argmax()]))
        notes.append(
            f"{len(late):,} of {counted(len(kept), 'run')} begin late{_arms(runs, late)}, e.g. {name} at {asked.step} "
            f"{start:g}: nothing before it counts, {counted(lost, 'step')} of {len(np.unique(runs.step)):,} in any run"
        )
    inside = (runs.step >= start) & (runs.step <= end) & np.isin(runs.run, kept)
    most = int(np.bincount(runs.run[inside], minlength=1).max(initial=1))
    stop = end + ((end - start) / (most - 1) if most > 1 and end > start else 1.0)
    notes.append(f"compared over {asked.step} {start:g} to {end:g}")
    return Horizon(float(start), float(end), float(stop), last, dead_from), kept, notes


def _arms(runs: Runs, chosen: Sequence[int]) -> str:
    """Of which arms some runs are, as `` (8 of 8 of none, 2 of 8 of batch)``."""
    arm = runs.table["arm"].to_numpy()
    found = np.bincount(arm[np.asarray(chosen, np.intp)], minlength=len(runs.labels["arm"]))
    names = [shortened(label, 30) for label in runs.labels["arm"]]
    parts = [f"{n:,} of {(arm == i).sum():,} of {names[i]}" for i, n in enumerate(found) if n]
    return f" ({listed(parts, 4)})"


def _cadences(first: Array, last: Array, steps: NDArray[np.intp]) -> Array:
    """How long a step of each run lasts on average; of a run of a single row, as in the others."""
    cadence = (last - first) / np.maximum(steps, 1)
    return np.where(steps > 0, cadence, np.median(cadence[steps > 0]))


def _recovered(runs: Runs, dead_from: Array) -> list[str]:
    later = np.isfinite(runs.value) & (runs.step > dead_from[runs.run])
    many = len(np.unique(runs.run[later]))
    if many > len(runs) / 2:
        raise InputError(
            f"{many:,} of {counted(len(runs), 'run')} have numbers after nan or inf, which is failure: leave the value "
            "blank in rows of something else", "value",
        )  # fmt: skip
    return [f"{counted(many, 'run')} with numbers after a failure: they do not count"] if many else []


def _told(runs: Runs, asked: Asked, short: NDArray[np.bool_], last: Array) -> str:
    """A note of what runs that stop count as; InputError where that was not said."""
    at = int(np.where(short, last, np.inf).argmin())
    where = f"{runs.name(at)} at {asked.step} {last[at]:g} of {last.max():g}"
    arms = _arms(runs, np.flatnonzero(short).tolist())
    what = f"{short.sum():,} of {counted(len(runs), 'run')} stop early{arms}, e.g. {where}"
    if asked.stopped is None:
        raise InputError(
            f"{what}: say whether they crashed (failed), are lost (missing) or were done (carry)", "stopped"
        )
    meaning = {
        "failed": "failed from there on",
        "missing": "left out as missing",
        "carry": "done, and keep their last value",
    }
    return f"{what}: {meaning[asked.stopped]} (--stopped {asked.stopped})"
