"""Failures compared between arms: against statsmodels, SciPy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from bnstudy.analysis import failures
from scipy.stats import fisher_exact
from statsmodels.stats.contingency_tables import mcnemar

from tests import second_opinion


def arms(both: int, control: int, treated: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.array([1.0] * (both + control) + [0.0] * (treated + neither)),
        np.array([1.0] * both + [0.0] * control + [1.0] * treated + [0.0] * neither),
    )


@pytest.mark.parametrize(
    "counts", [(0, 8, 0, 2), (3, 1, 2, 4), (2, 5, 5, 0), (0, 1, 9, 20), (5, 0, 0, 5), (0, 0, 1, 0)]
)
def test_pairs_are_statsmodels_mcnemar(counts):
    both, control, treated, neither = counts
    pair = arms(*counts)
    theirs = mcnemar([[both, control], [treated, neither]], exact=True).pvalue
    assert failures.mcnemar(*pair) == pytest.approx(theirs)
    opinion = second_opinion.mcnemar([(bool(one), bool(other)) for one, other in zip(*pair, strict=True)])
    assert failures.mcnemar(*pair) == pytest.approx(opinion)


def test_by_hand():
    assert failures.mcnemar(*arms(0, 8, 0, 2)) == 2 / 2**8
    assert failures.mcnemar(*arms(4, 0, 0, 4)) == 1
    assert failures.fisher(*arms(0, 3, 0, 0)) == pytest.approx(2 / 20)


def test_what_is_no_pair_is_fishers():
    control, treated = np.array([1.0, 1, 1, 1, 0]), np.array([0.0, 0, 0, 1, 0, 0, np.nan])
    theirs = fisher_exact([[4, 1], [1, 5]]).pvalue
    assert failures.fisher(control, treated) == pytest.approx(theirs)


@pytest.mark.parametrize("test", [failures.mcnemar, failures.fisher])
def test_missing_runs_are_left_out_and_nothing_is_nothing(rng, test):
    control, treated = rng.integers(0, 2, (2, 3, 4, 9)).astype(float)
    control[0, 0, :4], control[2, 3], treated[1, 1] = np.nan, np.nan, np.nan
    found = test(control, treated)
    assert found.shape == (3, 4)
    assert np.isnan(found[2, 3])
    assert np.isnan(found[1, 1])
    kept = slice(4, None) if test is failures.mcnemar else slice(None)
    assert found[0, 0] == pytest.approx(test(control[0, 0, 4:], treated[0, 0, kept]))
