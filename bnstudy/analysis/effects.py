"""Gains of a treatment, condition by condition, with the tests that a verdict is made of.

Scores are arrays (..., condition, n), the lower the better; n counts pairs, or runs where nothing is paired.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnstudy.analysis import ranks, signs

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
    times_at_least : array
        How many times the gain at the reference it is at least; infinite where no such gain limits it.
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
    times_at_least: Array
    p: dict[str, Array]


def paired_effects(
    control: Array, treated: Array, reference: int, times: float, margin: float, level: float
) -> Effects:
    """Effects of paired runs, by exact sign tests about medians.

    Parameters
    ----------
    control, treated : arrays (..., condition, n)
        Scores; NaN where a run is missing.
    reference : int
        Which condition the others are compared with.
    times : float
        How many times the gain at the reference *mainly* asks for.
    margin : float
        Within which a gain counts as none.
    level : float
        Of the test that bounds how many times the gain is.
    """
    gains = control - treated
    at_reference = gains[..., [reference], :]
    differences = _exact(gains - at_reference)
    low, high = signs.median_interval(gains)
    difference_low, difference_high = signs.median_interval(differences)
    p = {
        "helps": signs.sign_test(gains), "harms": signs.sign_test(-gains),
        "more": signs.sign_test(differences), "less": signs.sign_test(-differences),
        "mainly": signs.sign_test(_exact(gains - times * at_reference)),
        "none": signs.within(gains, margin), "alike": signs.within(differences, margin),
    }  # fmt: skip
    bound = signs.times_at_least(gains, at_reference, level)
    return Effects(
        (~np.isnan(gains)).sum(-1), signs.median(gains), low, high,
        signs.median(differences), difference_low, difference_high, bound, p,
    )  # fmt: skip


def _exact(differences: Array) -> Array:
    """Sums of rounded scores without what arithmetic adds: what is equal has a difference of 0."""
    return np.round(differences, 9) + 0.0


def unpaired_effects(
    control: Array, treated: Array, reference: int, times: float, margin: float, level: float
) -> Effects:
    """The same of runs that are no pairs, by exact rank sums.

    Differences between conditions are formed within an arm, run by run as they are listed; of arms all runs are
    compared with all.
    """
    c0, t0 = control[..., [reference], :], treated[..., [reference], :]
    n = np.minimum((~np.isnan(control)).sum(-1), (~np.isnan(treated)).sum(-1))
    more = control - c0, treated - t0
    p = {
        "helps": ranks.rank_test(control, treated), "harms": ranks.rank_test(treated, control),
        "more": ranks.rank_test(*more), "less": ranks.rank_test(*more[::-1]),
        "mainly": ranks.rank_test(_exact(control - times * c0), _exact(treated - times * t0)),
        "none": _within(control, treated, margin), "alike": _within(*more, margin),
    }  # fmt: skip
    low, high = ranks.shift_interval(control, treated)
    difference_low, difference_high = ranks.shift_interval(*more)
    bound = _largest(lambda k: ranks.rank_test(_exact(control - k * c0), _exact(treated - k * t0)) <= level, n.shape)
    return Effects(n, ranks.shift(control, treated), low, high, ranks.shift(*more), difference_low, difference_high,
                   bound, p)  # fmt: skip


def _within(control: Array, treated: Array, margin: float) -> Array:
    return np.maximum(
        ranks.rank_test(_exact(control + margin), treated), ranks.rank_test(treated, _exact(control - margin))
    )


FINEST, MOST = 0.01, 1000.0  # of a search for how many times


def _largest(holds: Callable[[float], NDArray[np.bool_]], shape: tuple[int, ...]) -> Array:
    """The largest number up to which something holds: tried on a grid, each 1 % above the one before."""
    bound = np.where(holds(0.0), 0.0, np.nan)
    going = ~np.isnan(bound)
    for k in np.geomspace(FINEST, MOST, 1158):
        going &= holds(float(k))
        bound = np.where(going, k, bound)
        if not going.any():
            return np.broadcast_to(bound, shape)
    return np.where(going, np.inf, bound)
