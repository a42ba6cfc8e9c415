"""Exact sign tests and order statistics of paired differences: about the median, whatever the distribution.

Everything takes differences as an array (..., n), one a pair, NaN where a pair is missing, and works on all rows at
once. A row's missing pairs are left out of that row alone. A difference of exactly 0 counts as a pair that is not on
either side: were it dropped, as often taught, a median of 0 would be rejected where most pairs are equal and the few
others lie on one side, as those of two arms that both stick.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]


def sign_test(differences: Array) -> Array:
    """One-sided sign test of median > 0 (Dixon & Mood 1946, J. Am. Stat. Assoc. 41:557).

    Parameters
    ----------
    differences : array (..., n)

    Returns
    -------
    array (...)
        The chance of so many pairs above 0 or more, were each as likely above as not: from 2^-n to 1; NaN for a row
        without pairs.
    """
    differences = np.asarray(differences, np.float64)
    n, above = (~np.isnan(differences)).sum(-1), (differences > 0).sum(-1)
    return np.where(n > 0, np.where(above > 0, special.bdtrc(above - 1, np.maximum(n, 1), 0.5), 1.0), np.nan)


def within(differences: Array, margin: float) -> Array:
    """Two one-sided sign tests of -margin < median < margin: the larger p (as Schuirmann 1987, of means)."""
    differences = np.asarray(differences, np.float64)
    return np.maximum(sign_test(differences + margin), sign_test(margin - differences))


def median(differences: Array) -> Array:
    """The median of the pairs that are there; NaN where none is."""
    ordered = np.sort(np.asarray(differences, np.float64), -1)  # NaN last
    n = (~np.isnan(ordered)).sum(-1)
    return (_at(ordered, (n - 1) // 2, n > 0) + _at(ordered, n // 2, n > 0)) / 2


def median_interval(differences: Array, confidence: float = 0.95) -> tuple[Array, Array]:
    """The median's exact interval, from order statistics: those differences that sign tests do not reject.

    Returns
    -------
    tuple of arrays (...)
        Lower and upper end, NaN where there are too few pairs: for 95 % it takes six.
    """
    ordered = np.sort(np.asarray(differences, np.float64), -1)
    n = (~np.isnan(ordered)).sum(-1)
    cut = rejected(n, (1 - confidence) / 2)  # so many at each end lie outside
    return _at(ordered, cut - 1, cut > 0), _at(ordered, n - cut, cut > 0)


def rejected(n: NDArray[np.int_], level: float) -> NDArray[np.int_]:
    """The largest number k of signs against a median at which its test of `n` still rejects, plus one; 0 if none."""
    n = np.asarray(n)
    counts = np.arange(n.max(initial=0) + 1)
    return np.asarray((special.bdtr(counts, n[..., None], 0.5) <= level).sum(-1) * (n > 0))


def times_at_least(gains: Array, at_reference: Array, level: Array | float = 0.025) -> Array:
    """The largest k for which sign tests say that the median of gain - k · gain at the reference is above 0.

    They say so for every k from 1 up to it.

    Parameters
    ----------
    gains, at_reference : arrays (..., n)
        Of the same pairs.
    level : float, or array (...)
        Of each test.

    Returns
    -------
    array (...)
        1 or more; infinite where no k is rejected; NaN where k = 1 is.
    """
    gains, at_reference = np.broadcast_arrays(np.asarray(gains, np.float64), np.asarray(at_reference, np.float64))
    there = ~np.isnan(gains + at_reference)
    with np.errstate(divide="ignore", invalid="ignore"):
        turns = np.where(there & (at_reference != 0), gains / at_reference, np.inf)  # where a sign changes
    ends = np.sort(np.where(turns > 1, turns, np.inf), -1)
    # Between two turns the signs stay; each stretch is tried at its middle, the last one a little beyond.
    starts = np.concatenate([np.ones_like(ends[..., :1]), ends], -1)
    stops = np.concatenate([ends, np.full_like(ends[..., :1], np.inf)], -1)
    inside = np.where(np.isinf(stops), 2 * np.where(np.isinf(starts), 1, starts), (starts + stops) / 2)
    differences = gains[..., None, :] - inside[..., None] * at_reference[..., None, :]
    shown = sign_test(differences) <= np.asarray(level)[..., None]
    empty = (starts >= stops) | np.isinf(starts)
    first = np.argmax(~shown & ~empty, -1)
    fails = (~shown & ~empty).any(-1)
    bound = np.where(fails, np.take_along_axis(starts, first[..., None], -1)[..., 0], np.inf)
    return np.where(sign_test(gains - at_reference) <= level, bound, np.nan)


def _at(ordered: Array, place: NDArray[np.int_], there: NDArray[np.bool_]) -> Array:
    """The value at a place of each row; NaN where there is none."""
    picked = np.take_along_axis(ordered, np.where(there, place, 0)[..., None], -1)[..., 0]
    return np.where(there, picked, np.nan)
