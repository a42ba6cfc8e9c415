"""Means of paired differences with their t intervals and tests, one comparison a row; and Holm's adjustment.

Everything takes differences as an array (..., n), one a seed, NaN where a pair is missing, and works on all rows at
once. A row's missing pairs are left out of that row alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]

ROUNDING = 1e-10  # relative to the sum of absolute differences: sums that close are equal


def equivalence(differences: Array, margin: float) -> Array:
    """Paired TOST of abs(mean difference) < `margin` (Schuirmann 1987, J. Pharmacokinet. Biopharm. 15:657).

    Differences that are all equal leave no error to estimate: p is 0 where they lie within the margin, else 1.

    Parameters
    ----------
    differences : array (..., n)
    margin : float
        In the units of the differences, above 0.

    Returns
    -------
    array (...)
        The larger of the two one-sided t-tests' p-values; NaN with fewer than two pairs.
    """

    def test(rows: Array) -> Array:
        mean, error, freedom = _moments(rows)
        with np.errstate(divide="ignore", invalid="ignore"):
            lower = special.stdtr(freedom, -(mean + margin) / error)  # of Student's t; scipy.stats takes long to load
            upper = special.stdtr(freedom, (mean - margin) / error)
        return np.where(error > 0, np.maximum(lower, upper), np.where(np.abs(mean) < margin, 0.0, 1.0))

    return _by_row(test, differences, least=2)


def interval(differences: Array, confidence: float = 0.95) -> tuple[Array, Array]:
    """Two-sided t interval of the mean difference: lower and upper end; NaN with fewer than two pairs."""
    quantile = (1 + confidence) / 2

    def half(rows: Array) -> Array:
        _, error, freedom = _moments(rows)
        return error * special.stdtrit(freedom, quantile)

    with np.errstate(invalid="ignore"):  # an infinite loss has no interval
        width = _by_row(half, differences, least=2)
        mean = mean_difference(differences)
        return mean - width, mean + width


def mean_difference(differences: Array) -> Array:
    """Mean of the pairs that are there; NaN where none is."""
    return _by_row(lambda rows: rows.mean(1), differences, least=1)


def holm(p: Array) -> Array:
    """Holm-adjusted p-values of families (Holm 1979, Scand. J. Stat. 6:65).

    Parameters
    ----------
    p : array (..., m)
        One family a row. NaN is a hypothesis that could not be tested: it counts in the family's size, and stays NaN.

    Returns
    -------
    array (..., m)
        At most 1, and no smaller than `p`.
    """
    p = np.asarray(p, np.float64)
    m = p.shape[-1]
    order = np.argsort(np.where(np.isnan(p), np.inf, p), axis=-1, kind="stable")
    ranked = np.take_along_axis(np.where(np.isnan(p), 1.0, p), order, -1) * (m - np.arange(m))
    adjusted = np.empty_like(ranked)
    np.put_along_axis(adjusted, order, np.minimum(np.maximum.accumulate(ranked, -1), 1.0), -1)
    return np.where(np.isnan(p), np.nan, adjusted)


def _moments(rows: Array) -> tuple[Array, Array, int]:
    """Mean, its standard error and the degrees of freedom. Equal differences have an error of exactly 0."""
    n = rows.shape[1]
    equal = np.ptp(rows, axis=1) <= ROUNDING * np.abs(rows).max(1, initial=0)
    error = rows.std(1, ddof=1) / np.sqrt(n)
    return rows.mean(1), np.where(equal, 0.0, error), n - 1


def _by_row(function: Callable[[Array], Array], differences: Array, least: int) -> Array:
    """Apply a function of (rows, n) to rows that lack the same pairs, all at once; NaN where fewer than `least` are."""
    differences = np.asarray(differences, np.float64)
    rows = differences.reshape(-1, differences.shape[-1])
    found = np.full(len(rows), np.nan)
    for there, chosen in _patterns(~np.isnan(rows)):
        if there.sum() >= least:
            found[chosen] = function(rows[chosen][:, there])
    return found.reshape(differences.shape[:-1])


def _patterns(present: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.intp]]]:
    patterns, which = np.unique(present, axis=0, return_inverse=True)
    for i, pattern in enumerate(patterns):
        yield pattern, np.flatnonzero(which.reshape(-1) == i)
