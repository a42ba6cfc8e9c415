"""Activations: a layer each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bnstudy.study.registry import activations

if TYPE_CHECKING:
    from torch import nn


@activations.register("relu", label="ReLU")
def relu() -> nn.Module:
    """max(0, x)."""
    from torch import nn

    return nn.ReLU()


@activations.register("tanh", label="tanh")
def tanh() -> nn.Module:
    """The hyperbolic tangent."""
    from torch import nn

    return nn.Tanh()


@activations.register("sigmoid", label="sigmoid")
def sigmoid() -> nn.Module:
    """1/(1 + exp(-x))."""
    from torch import nn

    return nn.Sigmoid()


@activations.register("gelu", label="GELU")
def gelu() -> nn.Module:
    """x times the normal distribution function of x."""
    from torch import nn

    return nn.GELU()
