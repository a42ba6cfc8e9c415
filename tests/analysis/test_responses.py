"""Responses against a plain loop over runs."""

from __future__ import annotations

import numpy as np
import pytest
from bnstudy.analysis import responses
from bnstudy.study.schema import Status

from tests.synthetic import RUN_DIMS, make_dataset


def stacked(array):
    return array.transpose(*RUN_DIMS, ...).values.reshape(-1, *array.shape[len(RUN_DIMS) :])


@pytest.mark.parametrize("target", [0.5, 0.9, 0.98, 0.9999])
def test_epochs_to_target_is_the_first_epoch_above(target):
    dataset = make_dataset(diverged=5, pending=4)
    found = responses.epochs_to_target(dataset, target)
    for curve, status, epochs, reached in zip(
        stacked(dataset.test_accuracy),
        stacked(dataset.status),
        stacked(found.epochs),
        stacked(found.reached),
        strict=True,
    ):
        over = [epoch for epoch, value in enumerate(curve, start=1) if value > target]
        if status == Status.PENDING:
            assert np.isnan(epochs)
        else:
            assert epochs == (over[0] if over else 6)
            assert reached == bool(over)


def test_a_diverged_run_ends_at_chance_and_a_pending_one_has_no_response():
    dataset = make_dataset(diverged=5, pending=4)
    final = stacked(responses.final(dataset, "test_accuracy"))
    assert final[:5] == pytest.approx(0.1)
    assert np.isnan(final[-4:]).all()
    assert final[5:-4] == pytest.approx(stacked(dataset.test_accuracy)[5:-4, -1])
    assert np.isnan(stacked(responses.final(dataset, "test_loss"))[:5]).all()


def test_the_mean_accuracy_counts_chance_from_where_a_run_diverged():
    dataset = make_dataset(diverged=2, pending=1)
    found = stacked(responses.mean_accuracy(dataset))
    assert found[0] == pytest.approx((stacked(dataset.test_accuracy)[0, :2].sum() + 0.4) / 6)
    assert found[5] == pytest.approx(stacked(dataset.test_accuracy)[5].mean())
    assert np.isnan(found[-1])


def test_epochs_to_stay_count_from_the_last_crossing():
    dataset = make_dataset(models=["mlp"], norms=["none"], inits=["default"], seeds=3)
    dataset.test_accuracy[:] = np.array([[0, 1, 0, 1, 1, 1], [0] * 6, [1] * 6], float).reshape(1, 1, 1, 1, 1, 3, 6)
    assert responses.epochs_to_stay(dataset, 0.5).values.ravel().tolist() == [4, 6, 1]


def test_a_dataset_without_status_counts_what_was_measured():
    dataset = make_dataset(pending=4)
    bare = dataset.drop_vars("status")
    assert responses.observed(bare).equals(responses.observed(dataset))
    assert not responses.diverged(bare).any()


def test_censored_and_gap():
    dataset = make_dataset(diverged=2, pending=1)
    assert int(responses.is_censored(dataset, 0.99999).sum()) == 2
    assert (responses.overfitting_gap(make_dataset()) == 0).all()
