"""Gains of a treatment, condition by condition, with the tests that a verdict is made of.

Scores are arrays (..., condition, n), the lower the better; n counts pairs, or runs where nothing is paired.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnstudy.analysis import ranks, signs
from bnstudy.analysis.scores import DIGITS

Array = NDArray[np.float64]
TESTS = ("helps", "harms", "more", "less", "mainly", "none", "alike")


@dataclass(frozen=True)
class Effects:
    """What is known of a treatment at each condition: arrays (..., condition).

    Attributes
    ----------
    n : array of int
        Pairs, or where nothing is paired the runs of the smaller arm.
    gain, gain_low, gain_high : array
        How much lower the treated score is, and its 95 % interval; NaN where there are too few pairs for one.
    difference, difference_low, difference_high : array
        The gain minus that at the reference.
    p : dict of str to array
        Of each of :data:`TESTS`, one-sided, not adjusted.
    """

    n: NDArray[np.int_]
    gain: Array
    gain_low: Array
    gain_high: Array
    difference: Array
    difference_low: Array
    difference_high: Array
    p: dict[str, Array]


def effects(
    control: Array, treated: Array, reference: int | None, times: float, margin: float, paired: bool = True
) -> Effects:
    """Effects of runs, by exact sign tests about medians; of runs that are no pairs by exact rank sums.

    Where nothing is paired, differences between conditions are formed within an arm, run by run as they are listed, and
    of arms all runs are compared with all.

    Parameters
    ----------
    control, treated : arrays (..., condition, n)
        Scores; NaN where a run is missing.
    reference : int, optional
        Which condition the others are compared with; without one nothing is known of any difference.
    times : float
        How many times the gain at the reference *mainly* asks for.
    margin : float
        Within which a gain counts as none.
    paired : bool
        Whether the n-th runs of both arms are a pair.
    """
    return (_paired if paired else _unpaired)(control, treated, reference, times, margin)


def times_at_least(
    control: Array, treated: Array, reference: int | None, level: Array | float, paired: bool = True
) -> Array:
    """How many times the gain at the reference the gain is at least, by tests of `level`: array (..., condition).

    Infinite where no gain at the reference limits it; NaN where it is not shown to be larger at all.
    """
    if paired:
        gains = control - treated
        return signs.times_at_least(gains, _at(gains, reference), level)
    c0, t0 = _at(control, reference), _at(treated, reference)
    return _largest(lambda k: ranks.rank_test(_exact(control - k * c0), _exact(treated - k * t0)) <= level)


def _paired(control: Array, treated: Array, reference: int | None, times: float, margin: float) -> Effects:
    gains = _exact(control - treated)
    at_reference = _at(gains, reference)
    differences = _exact(gains - at_reference)
    p = {
        "helps": signs.sign_test(gains), "harms": signs.sign_test(-gains),
        "more": signs.sign_test(differences), "less": signs.sign_test(-differences),
        "mainly": signs.sign_test(_exact(gains - times * at_reference)),
        "none": signs.within(gains, margin), "alike": signs.within(differences, margin),
    }  # fmt: skip
    return Effects(
        (~np.isnan(gains)).sum(-1), signs.median(gains), *signs.median_interval(gains),
        signs.median(differences), *signs.median_interval(differences), p,
    )  # fmt: skip


def _at(values: Array, reference: int | None) -> Array:
    """Values at the reference, (..., 1, n); NaN where there is none."""
    return np.full_like(values[..., :1, :], np.nan) if reference is None else values[..., [reference], :]


def _exact(differences: Array) -> Array:
    """Sums of rounded scores without what arithmetic adds: what is equal has a difference of 0."""
    return np.round(differences, DIGITS) + 0.0


def _unpaired(control: Array, treated: Array, reference: int | None, times: float, margin: float) -> Effects:
    c0, t0 = _at(control, reference), _at(treated, reference)
    n = np.minimum((~np.isnan(control)).sum(-1), (~np.isnan(treated)).sum(-1))
    more = _exact(control - c0), _exact(treated - t0)
    p = {
        "helps": ranks.rank_test(control, treated), "harms": ranks.rank_test(treated, control),
        "more": ranks.rank_test(*more), "less": ranks.rank_test(*more[::-1]),
        "mainly": ranks.rank_test(_exact(control - times * c0), _exact(treated - times * t0)),
        "none": _within(control, treated, margin), "alike": _within(*more, margin),
    }  # fmt: skip
    return Effects(
        n, ranks.shift(control, treated), *ranks.shift_interval(control, treated),
        ranks.shift(*more), *ranks.shift_interval(*more), p,
    )  # fmt: skip


def _within(control: Array, treated: Array, margin: float) -> Array:
    lower = ranks.rank_test(_exact(control + margin), treated)
    return np.maximum(lower, ranks.rank_test(treated, _exact(control - margin)))


MOST, STEPS = 1000.0, 695  # of a search for how many times: each 1 % above the one before


def _largest(holds: Callable[[float], NDArray[np.bool_]]) -> Array:
    """The largest number up to which something holds from 1 on, on a grid; infinite where it holds to the end."""
    bound = np.where(holds(1.0), 1.0, np.nan)
    going = ~np.isnan(bound)
    for k in np.geomspace(1.0, MOST, STEPS):
        if not going.any():
            return bound
        going &= holds(float(k))
        bound = np.where(going, k, bound)
    return np.where(going, np.inf, bound)
