"""Normalization layers: what stands between a weight layer and its activation.

A norm is one function ``(channels, spatial) -> nn.Module or None``, where `spatial` is 0 after a linear layer and 2
after a convolution over images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bnstudy.registry import norms

if TYPE_CHECKING:
    from torch import nn


@norms.register("none", label="without BN")
def none(channels: int, spatial: int, value: None = None) -> nn.Module | None:
    """No normalization: the slot stays empty."""
    return None


@norms.register("batch", label="with BN", citation="Ioffe & Szegedy 2015, Batch normalization")
def batch(channels: int, spatial: int, value: None = None) -> nn.Module | None:
    """Batch Normalization with PyTorch's settings: eps 1e-5, momentum 0.1, affine."""
    from torch import nn

    return (nn.BatchNorm2d if spatial else nn.BatchNorm1d)(channels)
