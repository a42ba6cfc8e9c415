"""Layers that PyTorch lacks."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TINY = 1e-10  # added to a variance of weights: what is standardized does not depend on their scale down to 1e-5


class RootMeanSquare(nn.Module):
    """x over its root mean square, times a learned scale a channel unless not affine (Zhang & Sennrich 2019).

    Inputs (batch, channels, ...): the mean is over everything but the batch.
    """

    def __init__(self, channels: int, eps: float, affine: bool = True) -> None:
        super().__init__()
        self.channels, self.eps = channels, eps
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        normed = x * (x.square().mean(tuple(range(1, x.dim())), keepdim=True) + self.eps).rsqrt()
        return normed if self.weight is None else normed * self.weight.view(-1, *[1] * (x.dim() - 2))


class Scalar(nn.Module):
    """x times one learned number that begins at 0 (De & Smith 2020)."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


class Residual(nn.Module):
    """What a branch gives, added to what it took (or to a shortcut of it)."""

    def __init__(self, branch: nn.Module, shortcut: nn.Module | None) -> None:
        super().__init__()
        self.branch = branch
        self.shortcut = shortcut or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.branch(x)


def standardized_weight(weight: Tensor, over: tuple[int, ...]) -> Tensor:
    """Each unit's weights less their mean, over their deviation, times sqrt(2/fan_in); a unit's lie along `over`."""
    fan_in = math.prod(weight.shape[axis] for axis in over)
    variance, mean = torch.var_mean(weight, over, correction=0, keepdim=True)
    return (weight - mean) * (variance + TINY).rsqrt() * math.sqrt(2 / fan_in)


class StandardizedLinear(nn.Linear):
    """A linear layer whose weights are standardized before use."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, standardized_weight(self.weight, (1,)), self.bias)


class StandardizedConv2d(nn.Conv2d):
    """A convolution whose weights are standardized before use."""

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, standardized_weight(self.weight, (1, 2, 3)), self.bias)


def standardized(layer: nn.Linear | nn.Conv2d) -> nn.Module:
    """The same layer with standardized weights."""
    made = copy.copy(layer)
    made.__class__ = StandardizedLinear if isinstance(layer, nn.Linear) else StandardizedConv2d
    return made
