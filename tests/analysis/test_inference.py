"""Tests and intervals: against SciPy, statsmodels and brute force, and on the cases that break others."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from bnstudy.analysis.inference import equivalence, holm, interval, mean_difference, sign_flip
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

ROWS = hnp.arrays(float, st.tuples(st.integers(1, 4), st.integers(2, 7)), elements=st.integers(-8, 8).map(float))


def brute_force(differences: np.ndarray) -> float:
    """Every assignment of signs, one at a time, in whole numbers."""
    whole = [int(d) for d in differences]
    sums = [sum(s * d for s, d in zip(signs, whole, strict=True)) for signs in product((1, -1), repeat=len(whole))]
    return sum(total >= sum(whole) for total in sums) / len(sums)


@given(ROWS)
def test_sign_flip_is_brute_force(rows):
    np.testing.assert_allclose(sign_flip(rows), [brute_force(row) for row in rows])


def test_sign_flip_is_scipys_permutation_test(rng):
    for _ in range(5):
        row = rng.normal(0.3, 1, 9)
        theirs = stats.permutation_test(
            (row,), lambda x, axis: x.mean(axis), permutation_type="samples", alternative="greater", n_resamples=np.inf
        )
        assert sign_flip(row) == pytest.approx(theirs.pvalue, abs=1e-12)


@pytest.mark.parametrize("n", [1, 5, 7, 10, 16])
def test_the_smallest_p_is_two_to_the_minus_n(n):
    assert sign_flip(np.arange(1.0, n + 1)) == 2.0**-n
    assert sign_flip(np.full(n, 0.1)) == 2.0**-n
    assert sign_flip(-np.arange(1.0, n + 1)) == 1.0
    assert sign_flip(np.zeros(n)) == 1.0


def test_beyond_sixteen_pairs_it_is_drawn_valid_and_reproducible(rng):
    rows = rng.normal(0.4, 1, (4, 18))
    found = sign_flip(rows)
    assert (found == sign_flip(rows)).all()
    signs = 1.0 - 2.0 * (np.arange(2**18)[:, None] >> np.arange(18) & 1)
    exact = (rows @ signs.T >= rows.sum(1)[:, None] - 1e-12).mean(1)
    np.testing.assert_allclose(found, exact, atol=4 * np.sqrt(0.25 / 20_000))
    assert sign_flip(np.ones(40)) > 0  # the observed assignment counts


def test_ties_that_rounding_splits_are_ties():
    row = np.array([0.1, 0.2, 0.3, -0.3])  # 0.1 + 0.2 + 0.3 - 0.3 is not 0.1 + 0.2 - 0.3 + 0.3 in binary
    assert sign_flip(row) == brute_force(np.round(row * 10))


@given(ROWS, st.floats(0.1, 10))
def test_equivalence_is_statsmodels_tost(rows, margin):
    for row, found in zip(rows, equivalence(rows, margin), strict=True):
        if np.ptp(row) > 0:
            theirs = ttost_paired(row, np.zeros(len(row)), -margin, margin)[0]
            assert found == pytest.approx(theirs, abs=1e-12)


def test_equivalence_of_equal_differences_is_defined():
    assert equivalence(np.zeros(10), 2.0) == 0.0
    assert equivalence(np.full(10, 1.9), 2.0) == 0.0
    assert equivalence(np.full(10, 0.1 + 0.2), 0.5) == 0.0
    assert equivalence(np.full(10, 2.0), 2.0) == 1.0
    assert equivalence(np.full(10, -7.0), 2.0) == 1.0
    assert np.isnan(equivalence(np.array([1.0]), 2.0))


@given(ROWS, st.sampled_from([0.9, 0.95, 0.99]))
def test_interval_is_scipys(rows, confidence):
    low, high = interval(rows, confidence)
    for i, row in enumerate(rows):
        if np.ptp(row) > 0:
            theirs = stats.ttest_1samp(row, 0).confidence_interval(confidence)
            assert (low[i], high[i]) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
        else:
            assert low[i] == high[i] == row[0]


def test_holm_is_statsmodels(rng):
    p = rng.choice([0.0, 0.01, 0.02, 0.3, 1.0], (8, 5))
    for row, found in zip(p, holm(p), strict=True):
        np.testing.assert_allclose(found, multipletests(row, method="holm")[1], atol=1e-12)


def test_holm_counts_what_could_not_be_tested():
    np.testing.assert_allclose(holm(np.array([0.01, np.nan, 0.02])), [0.03, np.nan, 0.04])


def test_missing_pairs_are_left_out_of_their_row_alone(rng):
    rows = rng.normal(size=(3, 4, 8))
    rows[0, 1, 2:5] = np.nan
    rows[2, 3] = np.nan
    rows[1, 0, 1:] = np.nan
    for function in (sign_flip, mean_difference, lambda d: equivalence(d, 1.0), lambda d: interval(d)[0]):
        found = function(rows)
        assert found.shape == (3, 4)
        assert np.isnan(found[2, 3])
        np.testing.assert_allclose(found[0, 1], function(rows[0, 1][[0, 1, 5, 6, 7]]))
        np.testing.assert_allclose(found[0, 0], function(rows[0, 0]))
    assert np.isnan(equivalence(rows, 1.0)[1, 0])
    assert not np.isnan(mean_difference(rows)[1, 0])
