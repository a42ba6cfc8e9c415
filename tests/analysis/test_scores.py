"""Scores by hand, against the second opinion, and as time saved over all targets."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from bnstudy.analysis import scores
from bnstudy.study.schema import Status

from tests import second_opinion
from tests.synthetic import CURVE_DIMS, RUN_DIMS, make_dataset


def runs(*curves: list[float], **attributes: object) -> xr.Dataset:
    """A dataset of these runs' test accuracies, a seed each; NaN from where a run diverged."""
    accuracy = np.array(curves).reshape(1, 1, 1, 1, 1, len(curves), -1)
    coords = {"seed": np.arange(len(curves)), "epoch": np.arange(1, accuracy.shape[-1] + 1)}
    return xr.Dataset({"test_accuracy": (CURVE_DIMS, accuracy)}, coords, {"classes": 10, "test_size": 99, **attributes})


def values(array: xr.DataArray) -> list:
    return array.values.reshape(-1).tolist()


def test_a_score_by_hand():
    """Of 99 samples 49 wrong is (49 + 1/2)/100, and none wrong half of a hundredth."""
    (found,) = values(scores.score(runs([50 / 99, 1.0])))
    assert found == pytest.approx((np.log2(0.495) + np.log2(0.005)) / 2, abs=1e-9)


def test_half_the_error_throughout_is_one_halving():
    one, other = values(scores.score(runs([1 - 30 / 99, 1 - 10 / 99], [1 - 15 / 99, 1 - 5 / 99], test_size=10**7)))
    assert one - other == pytest.approx(1, abs=1e-5)


def test_no_error_is_more_than_guessing_is():
    assert values(scores.score(runs([0.0, 0.0], [9 / 99, 9 / 99], [0.05, 0.05]))) == pytest.approx([np.log2(0.9)] * 3)
    assert values(scores.score(runs([0.0], classes=2))) == pytest.approx([np.log2(0.5)])


def test_from_the_epoch_in_which_a_run_diverges_it_guesses():
    (found,) = values(scores.score(runs([50 / 99, np.nan, np.nan])))
    assert found == pytest.approx((np.log2(0.495) + 2 * np.log2(0.9)) / 3, abs=1e-9)
    assert values(scores.failed(runs([1.0, np.nan], [1.0, 0.2]))) == [True, False]


def test_a_run_that_fails_never_gets_below_half_of_guessing():
    low, enough = 1 - 45 / 99, 1 - 44 / 99  # (44 + 1/2)/100 is below 0.45
    assert values(scores.failed(runs([low, 0.5], [0.2, enough], [enough, 0.1]))) == [True, False, False]


def test_the_best_so_far():
    dataset = runs([0.5, 0.9, 0.6, 0.95])
    best = runs([0.5, 0.9, 0.9, 0.95])
    assert values(scores.score(dataset, best=True)) == values(scores.score(best))
    assert values(scores.score(dataset, epochs=2)) == values(scores.score(runs([0.5, 0.9])))
    died = runs([0.9, np.nan])
    assert values(scores.score(died, best=True)) == values(scores.score(runs([0.9, 0.9])))


def test_without_a_test_size_no_error_is_finer_than_the_accuracies_tell():
    dataset = runs([0.5, 0.98], [0.99, 1.0]).drop_attrs()
    assert scores.finest(dataset.test_accuracy) == pytest.approx(0.005)
    found = values(scores.score(dataset))
    assert found == pytest.approx([np.log2([0.5, 0.02]).mean(), np.log2([0.01, 0.005]).mean()])
    single = dataset.astype(np.float32).test_accuracy
    noisy = xr.concat([single, single - np.float32(6e-8)], "seed")  # what single precision makes of the same
    assert scores.finest(noisy) == pytest.approx(0.005, rel=1e-4)


def test_runs_of_equal_errors_have_equal_scores_in_any_order(rng):
    curve = rng.uniform(0.2, 1, 50)
    found = values(scores.score(runs(curve, curve[::-1], rng.permutation(curve))))
    assert found[0] == found[1] == found[2]


def test_single_precision_changes_nothing(rng):
    wrong = rng.integers(0, 10_000, (5, 20))
    double = runs(*(1 - wrong / 10_000), test_size=10_000)
    single = double.assign(test_accuracy=double.test_accuracy.astype(np.float32))
    assert values(scores.score(double)) == values(scores.score(single))


def test_what_was_not_observed_has_no_score():
    dataset = make_dataset(diverged=2, pending=3)
    missing = scores.score(dataset).isnull()
    assert missing.equals(dataset.status == Status.PENDING)
    assert not scores.failed(dataset).where(missing, False).any()
    assert int(scores.failed(dataset).sum()) == 2


def test_validation_counts_its_own_samples():
    dataset = runs([1.0], study="validation_size = 199\n")
    dataset["validation_accuracy"] = dataset.test_accuracy
    assert values(scores.score(dataset, "validation")) == pytest.approx([np.log2(0.5 / 200)])


def test_it_is_the_second_opinions(rng):
    counts = rng.integers(0, 201, (12, 8)).astype(float)
    died = [None if seed % 3 else int(rng.integers(1, 9)) for seed in range(12)]
    accuracy = counts / 200
    for curve, epoch in zip(accuracy, died, strict=True):
        if epoch:
            curve[epoch - 1 :] = np.nan
    dataset = runs(*accuracy, test_size=200)
    theirs = [second_opinion.score(row, 200, 10, epoch) for row, epoch in zip(counts, died, strict=True)]
    np.testing.assert_allclose(values(scores.score(dataset)), theirs, atol=1e-9)
    assert values(scores.failed(dataset)) == [
        second_opinion.failed(row, 200, 10, epoch) for row, epoch in zip(counts, died, strict=True)
    ]


def time_over_all_targets(errors: np.ndarray, least: float) -> float:
    """Epochs until the error is no more than a target, all of them if it never is, summed over log2 of all targets."""
    logs = np.log2(np.append(np.unique(errors), least))
    places = np.unique(logs)
    middles = 2.0 ** ((places[1:] + places[:-1]) / 2)  # between two errors that are there nothing changes
    first = [next((epoch for epoch, error in enumerate(errors) if error <= target), len(errors)) for target in middles]
    return float(np.sum(np.diff(places) * first))


def test_epochs_times_a_gain_are_the_time_saved_over_all_targets(rng):
    """With the best error so far: the area between two curves of log errors, summed across instead of along."""
    accuracy = rng.uniform(0.05, 0.999, (8, 30))
    accuracy[1, 7:] = np.nan  # one diverges
    accuracy[2] = 0.1  # one never learns
    dataset = runs(*accuracy, test_size=1000)
    errors = scores.error(dataset, best=True).values.reshape(8, 30)
    times = [time_over_all_targets(one, errors.min()) for one in errors]
    found = 30 * scores.score(dataset, best=True).values.reshape(-1)
    np.testing.assert_allclose(found[:, None] - found, np.subtract.outer(times, times), atol=1e-6)


def test_scores_lie_over_the_run_dimensions():
    assert scores.score(make_dataset()).dims == RUN_DIMS
