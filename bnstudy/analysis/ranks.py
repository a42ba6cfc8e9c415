"""Exact rank sums of two independent samples, ties included: for runs that are no pairs.

Samples are arrays (..., n) and (..., m), NaN where a value is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]

MOST_EXACT = 60  # values of both samples together, beyond which the normal law stands for the exact one


def rank_test(larger: Array, smaller: Array) -> Array:
    """One-sided rank-sum test (Wilcoxon 1945, Biometrics 1:80) that the first sample tends to be the larger.

    The chance, of all ways to share these very values out, of a rank sum as large or larger: exact with ties too. With
    more than 60 values in all it is the normal law's, with its variance corrected for ties.

    Parameters
    ----------
    larger : array (..., n)
    smaller : array (..., m)

    Returns
    -------
    array (...)
        NaN where a sample is empty.
    """
    return _by_row(_p, larger, smaller)


def shift(larger: Array, smaller: Array) -> Array:
    """How much larger the first sample is (Hodges & Lehmann 1963, Ann. Math. Stat. 34:598): all differences' median."""
    return _by_row(lambda x, y: float(np.median(np.subtract.outer(x, y))), larger, smaller)


def shift_interval(larger: Array, smaller: Array, confidence: float = 0.95) -> tuple[Array, Array]:
    """The shifts that rank sums do not reject: lower and upper end, NaN where too few values reject any.

    Exact without ties; with more than 60 values in all by the normal law.
    """
    level = (1 - confidence) / 2

    def low(x: Array, y: Array) -> float:
        differences = np.sort(np.subtract.outer(x, y).ravel())
        n, m = len(x), len(y)
        rejected = _rejected(n, m, level)
        return float(differences[rejected - 1]) if rejected else np.nan

    return _by_row(low, larger, smaller), -_by_row(low, smaller, larger)


def _rejected(n: int, m: int, level: float) -> int:
    """In how many of the least numbers of pairs, from 0 on, in which one sample is the larger its test rejects."""
    if n + m > MOST_EXACT:
        mean, deviation = n * m / 2, np.sqrt(n * m * (n + m + 1) / 12)
        return max(0, int(np.floor(mean + special.ndtri(level) * deviation - 0.5)) + 1)
    counts = _counts(tuple(range(2, 2 * (n + m) + 1, 2)), n)  # without ties
    chance = np.cumsum(counts) / counts.sum()
    # Rank sums, doubled, from n(n+1) on in steps of 2: as many pairs as the sum is above the least.
    return int((chance[n * (n + 1) :: 2] <= level).sum())


def _p(larger: Array, smaller: Array) -> float:
    doubled = _doubled_ranks(np.concatenate([larger, smaller]))
    n, observed = len(larger), int(doubled[: len(larger)].sum())
    if len(doubled) > MOST_EXACT:
        from scipy.stats import mannwhitneyu

        return float(mannwhitneyu(larger, smaller, alternative="greater", method="asymptotic").pvalue)
    counts = _counts(tuple(sorted(doubled.tolist())), n)
    return float(counts[observed:].sum() / counts.sum())


def _doubled_ranks(values: Array) -> NDArray[np.int_]:
    """Ranks from 1, those of equal values their mean; doubled, so that they are whole."""
    _, group, size = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(size)
    return np.asarray((2 * last - size + 1)[group])


@lru_cache(maxsize=256)
def _counts(doubled: tuple[int, ...], n: int) -> Array:
    """In how many ways `n` of the doubled ranks sum to 0, 1, …: one array, by the sum."""
    ways = np.zeros((n + 1, sum(doubled) + 1))
    ways[0, 0] = 1
    for rank in doubled:
        for size in range(n, 0, -1):
            ways[size, rank:] += ways[size - 1, : ways.shape[1] - rank]
    return ways[n]


def _by_row(function: Callable[[Array, Array], float], first: Array, second: Array) -> Array:
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    shape = np.broadcast_shapes(first.shape[:-1], second.shape[:-1])
    rows = np.broadcast_to(first, (*shape, first.shape[-1])).reshape(-1, first.shape[-1])
    others = np.broadcast_to(second, (*shape, second.shape[-1])).reshape(-1, second.shape[-1])
    values = np.full(len(rows), np.nan)
    for i, (x, y) in enumerate(zip(rows, others, strict=True)):
        x, y = x[~np.isnan(x)], y[~np.isnan(y)]
        if len(x) and len(y):
            values[i] = function(x, y)
    return values.reshape(shape)
