"""What counts as the same: all that training could notice, and no rounding."""

from __future__ import annotations

import pytest
import torch
from bnstudy.training.replicas import equality
from bnstudy.training.replicas.equality import GRADIENT, TOLERANCE, distance

GRADIENTS = {f"{GRADIENT}0": torch.tensor([[3.0, 4.0]], dtype=torch.float64)}


def off(size: float, by: float) -> float:
    """The distance where a small gradient, beside one of norm 5, is off by so much."""
    wanted = {**GRADIENTS, f"{GRADIENT}1": torch.tensor([[size]], dtype=torch.float64)}
    return distance({**GRADIENTS, f"{GRADIENT}1": torch.tensor([[size + by]], dtype=torch.float64)}, wanted)


def test_the_rounding_of_a_bias_before_a_batch_norm_is_no_difference():
    assert off(0.0, 4e-12) < TOLERANCE / 10  # seen of a convolution's, over 100 pictures of 28 x 28


@pytest.mark.parametrize("size", [1e-6, 1e-3, 1.0])
def test_a_small_gradient_that_is_wrong_is_a_difference(size):
    assert off(size, 0.01 * size) > TOLERANCE


def test_a_gradient_that_is_missing_or_not_finite_is_a_difference():
    assert distance({}, GRADIENTS) == float("inf")
    assert off(1.0, float("nan")) == float("inf")


def test_few_replicas_of_a_trial_see_what_they_saw():
    inputs, labels = torch.arange(6.0).view(3, 2, 1), torch.zeros(3, 2, dtype=torch.int64)
    trial = equality.Trial(((inputs, labels, (0, 0, 1, 2)),), inputs[0]).of_few(3)
    ((kept, kept_labels, seen),) = trial.steps
    assert seen == (0, 0, 1)
    assert torch.equal(kept, inputs[:2])
    assert kept_labels.shape == (2, 2)
