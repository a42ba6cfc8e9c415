"""Rank sums: against brute force over all ways to share the values out, SciPy, and inversion."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from bnstudy.analysis import ranks
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import mannwhitneyu, rankdata

TIED = hnp.arrays(float, st.integers(1, 5), elements=st.integers(-2, 2).map(float))


def brute_force(larger: np.ndarray, smaller: np.ndarray) -> float:
    """The share of all splits of these values whose rank sum is as large or larger."""
    of = rankdata(np.concatenate([larger, smaller]))
    sums = [sum(of[list(chosen)]) for chosen in combinations(range(len(of)), len(larger))]
    return float(np.mean(np.array(sums) >= of[: len(larger)].sum() - 1e-9))


@given(TIED, TIED)
def test_it_is_brute_force_with_ties(larger, smaller):
    assert ranks.rank_test(larger, smaller) == pytest.approx(brute_force(larger, smaller), rel=1e-12)


@pytest.mark.parametrize(("n", "m"), [(1, 7), (4, 4), (10, 10), (12, 5), (30, 30)])
def test_it_is_scipys_exact_test_without_ties(rng, n, m):
    larger, smaller = rng.normal(0.5, 1, n), rng.normal(0, 1, m)
    theirs = mannwhitneyu(larger, smaller, alternative="greater", method="exact").pvalue
    assert ranks.rank_test(larger, smaller) == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("spread", [1.0, 0.0])
def test_of_many_values_it_is_nearly_that(rng, spread):
    larger, smaller = spread * rng.normal(0.3, 1, 40), spread * rng.normal(0, 1, 40)
    found = ranks.rank_test(larger, smaller)
    if spread:
        exact = mannwhitneyu(larger, smaller, alternative="greater", method="exact").pvalue
        assert found == pytest.approx(exact, rel=0.02)
    else:
        assert found == 1.0  # all are equal


def test_rows_are_taken_each_by_itself_and_missing_values_left_out(rng):
    larger, smaller = rng.normal(1, 1, (2, 3, 6)), rng.normal(0, 1, (3, 5))
    larger[0, 1, 2:4], smaller[1, 0], larger[1, 2] = np.nan, np.nan, np.nan
    for function in (ranks.rank_test, ranks.shift, lambda x, y: ranks.shift_interval(x, y, 0.8)[1]):
        found = function(larger, smaller)
        assert found.shape == (2, 3)
        assert np.isnan(found[1, 2])
        np.testing.assert_allclose(found[0, 1], function(larger[0, 1, [0, 1, 4, 5]], smaller[1, 1:]))


def test_the_shift_is_the_median_of_all_differences():
    assert ranks.shift(np.array([5.0, 9.0, 7.0]), np.array([1.0, 2.0])) == 5.5


@pytest.mark.parametrize(("n", "m"), [(3, 3), (4, 4), (6, 5), (8, 10)])
def test_the_interval_is_of_the_shifts_that_are_not_rejected(rng, n, m):
    larger, smaller = rng.normal(1, 1, n), rng.normal(0, 1, m)
    low, high = ranks.shift_interval(larger, smaller)
    places = np.sort(np.subtract.outer(larger, smaller).ravel())
    tried = np.concatenate([[places[0] - 1], (places[1:] + places[:-1]) / 2, [places[-1] + 1]])
    kept = [t for t in tried if min(ranks.rank_test(larger - t, smaller), ranks.rank_test(smaller, larger - t)) > 0.025]
    if np.isnan(low):
        assert np.isnan(high)
        assert kept == tried.tolist()
    else:
        assert kept == [t for t in tried if low < t < high]
        assert low < ranks.shift(larger, smaller) < high


def test_the_interval_of_many_values_takes_no_time_and_holds_the_shift(rng):
    larger, smaller = rng.normal(1, 1, 600), rng.normal(0, 1, 500)
    low, high = ranks.shift_interval(larger, smaller)
    assert low < ranks.shift(larger, smaller) < high
    assert 0.2 < high - low < 0.3  # 3.92 standard errors of a difference of normal means, times 1.02
