"""Sign tests and order statistics: against SciPy and brute force, with missing pairs and ties."""

from __future__ import annotations

import numpy as np
import pytest
from bnstudy.analysis import signs
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import binomtest

# Small whole numbers tie, and are often 0; NaN is a missing pair.
PAIR = st.one_of(st.integers(-3, 3).map(float), st.just(np.nan))
ROWS = hnp.arrays(float, st.tuples(st.integers(1, 4), st.integers(1, 12)), elements=PAIR)
WHOLE = hnp.arrays(float, st.integers(1, 14), elements=st.integers(-6, 6).map(float))


def above(row: np.ndarray) -> float:
    """SciPy's p that the median is above 0; a difference of 0 is a pair on neither side."""
    there = row[~np.isnan(row)]
    return binomtest(int((there > 0).sum()), len(there), alternative="greater").pvalue if len(there) else np.nan


@given(ROWS)
def test_the_sign_test_is_scipys_row_by_row(rows):
    np.testing.assert_allclose(signs.sign_test(rows), [above(row) for row in rows], rtol=1e-12)
    np.testing.assert_allclose(signs.sign_test(rows[None]), [[above(row) for row in rows]], rtol=1e-12)


@pytest.mark.parametrize("n", [1, 5, 6, 10, 60])
def test_its_smallest_p_is_two_to_the_minus_n(n):
    assert signs.sign_test(np.arange(1.0, n + 1)) == pytest.approx(2.0**-n, rel=1e-12)
    assert signs.sign_test(-np.arange(1.0, n + 1)) == 1.0


def test_two_arms_that_are_mostly_equal_are_not_told_apart_by_the_few_others():
    assert signs.sign_test(np.array([0.0] * 94 + [1.0] * 6)) > 0.99
    assert signs.sign_test(np.zeros(10)) == 1.0


def test_within_takes_both_sides(rng):
    rows = rng.normal(0.05, 0.1, (6, 10))
    found = signs.within(rows, 0.15)
    np.testing.assert_allclose(found, [max(above(row + 0.15), above(0.15 - row)) for row in rows])
    assert signs.within(np.zeros(10), 0.15) == 2.0**-10
    assert signs.within(np.full(10, 0.15), 0.15) == 1.0  # on the margin is not within it


@given(ROWS)
def test_the_median_is_numpys(rows):
    for row, found in zip(rows, signs.median(rows), strict=True):
        there = row[~np.isnan(row)]
        np.testing.assert_equal(found, np.median(there) if len(there) else np.nan)


@given(WHOLE, st.sampled_from([0.8, 0.95, 0.99]))
def test_the_interval_is_of_what_the_tests_do_not_reject(row, confidence):
    """Tried at every difference, and on either side of it, where alone a sign can change."""
    low, high = signs.median_interval(row, confidence)
    level = (1 - confidence) / 2
    tried = np.unique(np.concatenate([row - 0.5, row, row + 0.5]))
    kept = [t for t in tried if above(row - t) > level and above(t - row) > level]
    if np.isnan(low):
        assert np.isnan(high)
        assert 2.0 ** -len(row) > level
    else:
        assert {t for t in tried if low <= t <= high} == set(kept)


@pytest.mark.parametrize(("n", "place"), [(5, 0), (6, 1), (8, 1), (9, 2), (10, 2), (20, 6)])
def test_its_ends_are_the_tables_order_statistics(n, place):
    """As in Conover's table of the binomial (Practical Nonparametric Statistics, 1999)."""
    low, high = signs.median_interval(np.arange(1.0, n + 1))
    np.testing.assert_equal((low, high), (place, n + 1 - place) if place else (np.nan, np.nan))


def test_missing_pairs_are_left_out_of_their_row_alone(rng):
    rows = rng.normal(0.5, 1, (2, 10))
    rows[0, 7:] = np.nan
    low, high = signs.median_interval(rows)
    assert (low[0], high[0]) == (rows[0, :7].min(), rows[0, :7].max())
    np.testing.assert_allclose((low[1], high[1]), signs.median_interval(rows[1]))


@pytest.mark.parametrize("level", [0.025, 0.05, 0.001])
def test_rejected_is_one_more_than_the_largest_that_rejects(level):
    for n in range(15):
        rejecting = [k for k in range(n + 1) if n and binomtest(k, n, alternative="less").pvalue <= level]
        assert signs.rejected(np.array(n), level) == (max(rejecting) + 1 if rejecting else 0)


# ------------------------------------------------------------------ how many times the gain at the reference


def bound(gains: np.ndarray, reference: np.ndarray, level: float) -> float:
    """Where the test first fails, on a fine grid between all places where a sign may change."""
    there = ~np.isnan(gains + reference)
    gains, reference = gains[there], reference[there]
    if not len(gains) or not above(gains - reference) <= level:
        return np.nan
    with np.errstate(all="ignore"):
        ratios = gains / reference
    turns = np.unique(ratios[np.isfinite(ratios) & (ratios > 1)])
    for start, stop in zip([1.0, *turns], [*turns, 2 * turns[-1] + 1 if len(turns) else 9.0], strict=True):
        if not above(gains - (start + stop) / 2 * reference) <= level:
            return start
    return np.inf


@given(hnp.arrays(float, (2, 9), elements=PAIR), st.sampled_from([0.025, 0.1]))
def test_the_bound_inverts_the_test(pairs, level):
    gains, reference = pairs
    np.testing.assert_allclose(signs.times_at_least(gains, reference, level), bound(gains, reference, level))


def test_the_bound_inverts_the_test_on_all_rows_at_once(rng):
    gains, reference = rng.normal(3, 2, (4, 5, 12)), rng.normal(0.3, 0.3, (4, 1, 12))
    found = signs.times_at_least(gains, reference)
    assert found.shape == (4, 5)
    for i, j in np.ndindex(4, 5):
        np.testing.assert_allclose(found[i, j], bound(gains[i, j], reference[i, 0], 0.025))


def test_a_bound_by_hand():
    """Of ten pairs two may lie on the other side only where 8 of 10 rejects, which it does not: one may."""
    gains, reference = np.full(10, 4.0), np.array([4.0, 2.0, *[1.0] * 8])
    assert signs.times_at_least(gains, reference) == 2.0  # the second smallest ratio
    assert signs.times_at_least(gains, 0 * reference) == np.inf
    assert signs.times_at_least(gains, -reference) == np.inf
    assert np.isnan(signs.times_at_least(-gains, reference))
    assert np.isnan(signs.times_at_least(gains[:5], reference[:5]))
    assert np.isnan(signs.times_at_least(gains / 3, reference))  # helps, and is not shown to help more


def test_less_harm_at_the_reference_is_no_gain_there():
    """One pair loses, and loses more at the reference: all ten gain more than there, so there is a bound."""
    gains, reference = np.array([-0.1, *[4.0] * 7]), np.array([-0.2, *[1.0] * 7])
    assert signs.times_at_least(gains, reference) == 4.0
