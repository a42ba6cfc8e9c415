"""Lanes layer by layer against each run alone: networks that are no chain."""

from __future__ import annotations

import copy

import pytest
import torch
from bnstudy.training.networks.layers import RootMeanSquare, standardized
from bnstudy.training.replicas import Folded, Lanes, LanesByLayer
from bnstudy.training.replicas.lanes import lanes
from torch import nn
from torch.nn import functional as F

from tests.pairs import pairs
from tests.training.replicas.test_replicas import assert_same, batches, chosen, train_alone, train_together

CPU = torch.device("cpu")
needs_kernel = pytest.mark.skipif(lanes.load() is None, reason="no kernel here")
NORMS = {
    "batch": nn.BatchNorm2d,
    "batch without scale": lambda channels: nn.BatchNorm2d(channels, affine=False),
    "group": lambda channels: nn.GroupNorm(2, channels),
    "root mean square": lambda channels: RootMeanSquare(channels, 1e-5),
    "none": lambda _: nn.Identity(),
}


class Residual(nn.Module):
    """Two blocks, the second with a stride; then a linear layer on values that still have places, and a norm."""

    def __init__(self, norm, convolution) -> None:
        super().__init__()
        self.stem, self.norm1 = convolution(nn.Conv2d(1, 4, 3, padding=1, bias=False)), norm(4)
        self.conv2, self.norm2 = convolution(nn.Conv2d(4, 4, 3, padding=1)), norm(4)
        self.conv3, self.past = convolution(nn.Conv2d(4, 6, 3, stride=2, padding=1)), nn.Conv2d(4, 6, 1, stride=2)
        self.pool, self.flat = nn.MaxPool2d(2), nn.Flatten()
        self.hidden, self.norm4, self.out = nn.Linear(24, 8), nn.BatchNorm1d(8), nn.Linear(8, 10)

    def forward(self, x):
        x = F.relu(self.norm1(self.stem(x)))
        x = x + F.relu(self.norm2(self.conv2(x)))
        x = self.pool(F.relu(self.conv3(x) + self.past(x)))
        return self.out(torch.tanh(self.norm4(self.hidden(self.flat(x)))))


def residuals(norm: str, count: int, weights: str = "plain", dtype=torch.float64) -> list[nn.Module]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        make = standardized if weights == "standardized" else lambda layer: layer
        return [Residual(NORMS[norm], make).to(dtype) for _ in range(count)]


@needs_kernel
@pytest.mark.parametrize(
    ("norm", "count", "groups", "weights"), pairs(list(NORMS), [3, 4, 9], [1, "each"], ["plain", "standardized"])
)
def test_networks_with_branches_are_each_run_alone(norm, count, groups, weights):
    nets, data = residuals(norm, count, weights), batches(count if groups == "each" else 1)
    replicas = LanesByLayer(copy.deepcopy(nets))
    states = train_together(replicas, data)
    assert_same(states, train_alone(nets, data))
    replicas.train(False)
    for r, net in enumerate(nets):
        net.load_state_dict({name: value for name, value in states[r].items() if name != "losses"})
        inputs = data[0][0][:1]
        assert torch.allclose(replicas(inputs)[r], net.eval()(inputs[0]), rtol=1e-10, atol=1e-12)


@needs_kernel
def test_they_take_this_form_where_it_is_right_and_lanes_are_in_use():
    inputs = batches(1)[0][0][0]
    assert chosen(residuals("batch", 8), inputs).name == "lanes by layer"
    assert chosen(residuals("batch", 8), inputs, compiled=False).name == "folded"
    nets = residuals("batch", 8)
    assert LanesByLayer.suits(nets[0], CPU, 8)
    assert not LanesByLayer.suits(nets[0].float(), CPU, 2), "most lanes would be idle"


class Mixing(nn.Module):
    """What follows the convolution looks at all channels of a sample."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.out = nn.Conv2d(1, 4, 3, padding=1), nn.Linear(4, 10)

    def forward(self, x):
        return self.out(F.softmax(self.conv(x).mean((2, 3)), 1))


@needs_kernel
def test_a_network_that_mixes_channels_takes_another_form():
    nets = [Mixing().double() for _ in range(8)]
    assert chosen(nets, batches(1)[0][0][0]).name not in (LanesByLayer.name, Folded.name, Lanes.name)


@needs_kernel
@pytest.mark.parametrize(
    "layers",
    [
        (nn.Conv2d(1, 65, 3),),
        (nn.Conv2d(1, 4, 3, dilation=2),),
        (nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)),
        (nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, momentum=None)),
        (nn.Conv2d(1, 4, 3), nn.Softmax(1)),
        (nn.Linear(64, 10),),
    ],
)
def test_what_it_cannot_do_it_does_not_take(layers):
    assert not LanesByLayer.suits(nn.Sequential(*layers), CPU, 8)


@needs_kernel
@pytest.mark.parametrize(("norm", "poison"), pairs(["batch", "group", "none"], [float("nan"), float("inf"), 3e38]))
def test_a_diverged_replica_leaves_its_neighbours_bit_equal(norm, poison):
    nets, data = residuals(norm, 3, dtype=torch.float32), batches(1, dtype=torch.float32)
    healthy = train_together(LanesByLayer(copy.deepcopy(nets)), data)
    with torch.no_grad():
        for parameter in nets[1].parameters():
            parameter.fill_(poison)
    sick = train_together(LanesByLayer(nets), data)
    assert not torch.isfinite(sick[1]["losses"][-1])
    for r in (0, 2):
        for name, value in healthy[r].items():
            assert torch.equal(sick[r][name], value), name
