"""Survival against SciPy, performance profiles against their definition, robust width on made-up shares."""

from __future__ import annotations

import numpy as np
import pytest
from bnstudy.analysis import responses, robustness
from bnstudy.analysis.results import Results
from bnstudy.analysis.summaries import share_interval
from scipy import stats

from tests.synthetic import make_dataset


@pytest.mark.parametrize("target", [0.6, 0.9, 0.99])
def test_survival_is_scipys(target):
    dataset = make_dataset(seeds=12, diverged=20, inits=["default", "zero"])
    found = robustness.survival(dataset, target)
    crossing = responses.epochs_to_target(dataset, target)
    for labels in ({"model": m, "norm": n, "init": i} for m in ("mlp", "cnn") for n in ("none", "batch")
                   for i in ("default", "zero")):  # fmt: skip
        one = crossing.sel(labels).squeeze()
        times, reached = one.epochs.values, one.reached.values
        theirs = stats.ecdf(stats.CensoredData(times[reached], right=times[~reached])).sf
        np.testing.assert_allclose(found.share.sel(labels).squeeze(), theirs.evaluate(dataset.epoch.values), atol=1e-12)


@pytest.mark.parametrize("n", [1, 5, 10, 60])
def test_the_interval_of_a_share_is_scipys(n):
    count = np.arange(n + 1)
    lower, upper = share_interval(count, np.full(n + 1, n))
    theirs = [stats.binomtest(int(k), n).proportion_ci(method="exact") for k in count]
    np.testing.assert_allclose(lower, [ci.low for ci in theirs], atol=1e-12)
    np.testing.assert_allclose(upper, [ci.high for ci in theirs], atol=1e-12)


def test_a_share_of_nothing_is_unknown():
    assert np.isnan(share_interval(np.array([0]), np.array([0]))).all()
    found = robustness.reach(make_dataset(pending=10_000), 0.5)
    assert found.share.isnull().all()
    assert (found.n == 0).all()


def reaching(dataset, epochs):
    """Runs of the dataset with each run's accuracy above 0.98 from the given epoch on; 0 is never."""
    at = dataset.status.copy(data=np.broadcast_to(epochs, dataset.status.shape))
    above = (dataset.epoch >= at) & (at > 0)
    return Results(dataset.assign(test_accuracy=(above * 0.99).transpose(*dataset.test_accuracy.dims))).runs


def test_times_the_fastest_by_hand():
    dataset = make_dataset(models=["mlp"], inits=["default", "zero"], seeds=2)
    # (model, norm, init, optimizer, lr, seed)
    epochs = np.array([[[4, 3], [0, 6]], [[2, 3], [0, 0]]]).reshape(1, 2, 2, 1, 1, 2)
    ratio = (
        robustness.times_the_fastest(reaching(dataset, epochs), 0.98).squeeze().transpose("arm", "condition", "seed")
    )
    np.testing.assert_array_equal(ratio, [[[2, 1], [np.inf, 1]], [[1, 1], [np.inf, np.inf]]])
    profile = robustness.profile(ratio, np.array([1.0, 2.0])).transpose("arm", "seed", "within")
    np.testing.assert_array_equal(profile, [[[0, 0.5], [1, 1]], [[0.5, 0.5], [0.5, 0.5]]])


def test_a_pair_with_a_missing_arm_has_no_ratio():
    dataset = make_dataset(models=["mlp"], pending=1)  # the last seed of batch at the last init
    ratio = robustness.times_the_fastest(Results(dataset).runs, 0.5)
    missing = ratio.isnull()
    assert int(missing.sum()) == 2
    assert bool(missing.isel(condition=-1, seed=-1).all())


SCALES = ["scaled-normal:10", "scaled-normal:0.01", "scaled-normal:1", "scaled-normal:0.1", "zero"]


@pytest.mark.parametrize(
    ("reached", "lowest", "highest", "width"),
    [  # of ten runs at scales 0.01, 0.1, 1, 10
        ((10, 10, 10, 0), 0.01, 1, 2),
        ((10, 9, 8, 10), 0.01, 0.1, 1),
        ((0, 0, 10, 0), 1, 1, 0),
        ((10, 0, 9, 9), 1, 10, 1),
        ((10, 8, 8, 10), 0.01, 0.01, 0),
        ((8, 8, 8, 8), np.nan, np.nan, np.nan),
    ],
)
def test_robust_width(reached, lowest, highest, width):
    dataset = make_dataset(models=["mlp"], norms=["none"], inits=SCALES, seeds=10)
    by_label = dict(zip(["scaled-normal:0.01", "scaled-normal:0.1", "scaled-normal:1", "scaled-normal:10"], reached,
                        strict=True))  # fmt: skip
    epochs = np.stack([(np.arange(10) < by_label.get(label, 0)) * 3 for label in SCALES])
    found = robustness.robust_width(reaching(dataset, epochs.reshape(1, 1, 5, 1, 1, 10)), 0.98).squeeze()
    np.testing.assert_allclose([found.lowest, found.highest, found.width], [lowest, highest, width])
