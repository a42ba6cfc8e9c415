"""Means, their intervals and tests: against SciPy, and statsmodels, and on the cases that break others."""

from __future__ import annotations

import numpy as np
import pytest
from bnstudy.analysis.inference import equivalence, holm, interval, mean_difference
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

ROWS = hnp.arrays(float, st.tuples(st.integers(1, 4), st.integers(2, 7)), elements=st.integers(-8, 8).map(float))


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
    for function in (mean_difference, lambda d: equivalence(d, 1.0), lambda d: interval(d)[0]):
        found = function(rows)
        assert found.shape == (3, 4)
        assert np.isnan(found[2, 3])
        np.testing.assert_allclose(found[0, 1], function(rows[0, 1][[0, 1, 5, 6, 7]]))
        np.testing.assert_allclose(found[0, 0], function(rows[0, 0]))
    assert np.isnan(equivalence(rows, 1.0)[1, 0])
    assert not np.isnan(mean_difference(rows)[1, 0])
