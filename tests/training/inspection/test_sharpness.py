"""Sharpness against the whole Hessian, and the change of a gradient against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bnstudy.training.inspection import sharpness
from torch import nn
from torch.nn import functional as F


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(1)
    images = torch.randn(30, 6, generator=draws, dtype=torch.float64)
    return images, torch.randint(4, (30,), generator=draws)


def small(norm: bool, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    layers = [nn.Linear(6, 5), *([nn.BatchNorm1d(5)] if norm else []), nn.Tanh(), nn.Linear(5, 4)]
    return nn.Sequential(*layers).double()


def hessian(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> np.ndarray:
    """All of it, a row a parameter."""
    parameters = list(network.parameters())
    first = torch.autograd.grad(F.cross_entropy(network(images), labels), parameters, create_graph=True)
    rows = [
        torch.cat([g.flatten() for g in torch.autograd.grad(entry, parameters, retain_graph=True)])
        for entry in torch.cat([g.flatten() for g in first])
    ]
    return torch.stack(rows).numpy()


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_sharpness_is_the_largest_eigenvalue_of_the_hessian(batch, norm, seed):
    network = small(norm, seed)
    wanted = np.linalg.eigvalsh(hessian(network, *batch)).max()
    assert sharpness.sharpness(network, *batch) == pytest.approx(wanted, rel=1e-3)
    assert sharpness.sharpness(network.float(), batch[0].float(), batch[1]) == pytest.approx(wanted, rel=1e-3)


def test_of_a_linear_model_it_is_known_in_closed_form():
    """At zero weights softmax regression has the Hessian (I/k - 1/k²) ⊗ X'X/n: its largest is that of X'X/n, over k."""
    images = torch.randn(50, 7, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    network = nn.Linear(7, 4, bias=False).double()
    nn.init.zeros_(network.weight)
    top = torch.linalg.eigvalsh(images.T @ images / 50).max().item()
    found = sharpness.sharpness(network, images, torch.arange(50) % 4)
    assert found == pytest.approx(top / 4, rel=1e-3)


def test_sharpness_with_scale_invariance_falls_as_the_square_of_the_scale(batch):
    """Where BN hides the scale a of the weights, f(aw) = f(w): the Hessian over those weights is a^-2 times itself."""
    found = []
    for a in (1.0, 8.0):
        network = small(norm=True)
        for p in (*network[1].parameters(), *network[3].parameters()):
            p.requires_grad_(False)
        network[1].eps = 1e-12
        with torch.no_grad():
            network[0].weight.mul_(a)
        network[0].bias.requires_grad_(False)
        found.append(sharpness.sharpness(network, *batch))
    assert found[0] == pytest.approx(64 * found[1], rel=1e-3)


def test_the_gradients_change_is_that_of_two_gradients(batch):
    network = small(norm=True)
    before = [p.detach().clone() for p in network.parameters()]
    found = sharpness.landscape(network, *batch, lr=0.1)
    for p, was in zip(network.parameters(), before, strict=True):
        assert torch.equal(p, was)

    def gradient(moved: float) -> tuple[float, torch.Tensor]:
        loss = F.cross_entropy(network(batch[0]), batch[1])
        grads = torch.autograd.grad(loss, list(network.parameters()))
        return loss.item(), torch.cat([g.flatten() for g in grads])

    loss, first = gradient(0.0)
    losses, changes, slopes = [], [], []
    for step in (0.05, 0.1, 0.2, 0.4):
        with torch.no_grad():
            at = 0
            for p, was in zip(network.parameters(), before, strict=True):
                p.copy_(was - step * first[at : at + p.numel()].view_as(p))
                at += p.numel()
        there, other = gradient(step)
        losses.append(abs(there - loss))
        changes.append((other - first).norm().item())
        slopes.append(changes[-1] / (step * first.norm().item()))
    assert found["loss_change"] == pytest.approx(max(losses), rel=1e-9)
    assert found["gradient_change"] == pytest.approx(max(changes), rel=1e-9)
    assert found["smoothness"] == pytest.approx(max(slopes), rel=1e-9)
    # A gradient cannot change faster than the sharpest curvature met on the way, about that where it starts.
    assert found["smoothness"] < 3 * np.abs(np.linalg.eigvalsh(hessian(small(True), *batch))).max()


def test_what_is_not_finite_is_nan_and_what_is_flat_is_0(batch):
    network = small(norm=False)
    with torch.no_grad():
        network[0].weight.fill_(torch.inf)
    assert all(np.isnan(value) for value in sharpness.landscape(network, *batch, lr=0.1).values())
    flat = nn.Sequential(nn.Linear(6, 4), nn.Threshold(1e9, 0.0)).double()
    assert sharpness.landscape(flat, *batch, lr=0.1) == dict.fromkeys(sharpness.MEASURES, 0.0)
