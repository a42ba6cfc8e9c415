"""Norms: what is done about the signal between a weight layer and the next.

A norm is one function of a :class:`Slot`, registered here with its `place`: ``before`` the activation (the default) or
``after`` it, where it returns the layer that goes there, or None; ``weight``, where it returns what stands in place of
the weight layer itself; or ``branch``, where it ends every branch of a residual network. `needs_space` marks one that
takes feature maps: it has no meaning after a linear layer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bnstudy.study.registry import Parameter, norms

if TYPE_CHECKING:
    from torch import nn

IOFFE = "Ioffe & Szegedy 2015, Batch normalization"
BA = "Ba, Kiros & Hinton 2016, Layer normalization"
WU = "Wu & He 2018, Group normalization"
ULYANOV = "Ulyanov, Vedaldi & Lempitsky 2016, Instance normalization"
ZHANG = "Zhang & Sennrich 2019, Root mean square layer normalization"
DE = "De & Smith 2020, Batch normalization biases residual blocks towards the identity function"
BROCK = "Qiao et al. 2019, Micro-batch training with weight standardization; scaled as in Brock, De & Smith 2021"


@dataclass(frozen=True)
class Slot:
    """One place for a norm: a weight layer, what comes out of it, and the study's settings of norms.

    Examples
    --------
    >>> from torch import nn
    >>> from bnstudy.plugins import Slot, norms
    >>> norm = norms["layer"].function(Slot(nn.Linear(4, 6), channels=6, spatial=0), None)
    >>> norm.num_groups, norm.num_channels
    (1, 6)
    """

    layer: nn.Linear | nn.Conv2d | None  # None where a batch norm's place is taken in a network of the user's
    channels: int
    spatial: int  # dimensions of a feature map: 0 after a linear layer, 2 after a convolution over images
    eps: float = 1e-5
    momentum: float | None = 0.1  # of running statistics; None for their mean
    affine: bool = True  # whether what is normalized is scaled and shifted
    tracked: bool = True  # whether a batch norm keeps running statistics


@norms.register("none", label="no normalization")
def none(slot: Slot, value: None = None) -> nn.Module | None:
    """No normalization: the slot stays empty."""
    return None


@norms.register("batch", label="Batch Normalization", citation=IOFFE)
def batch(slot: Slot, value: None = None) -> nn.Module | None:
    """Batch Normalization between weight layer and activation, with a learned scale and shift a channel."""
    return _batch_norm(slot)


@norms.register("batch-no-affine", label="Batch Normalization without scale and shift", citation=IOFFE)
def batch_no_affine(slot: Slot, value: None = None) -> nn.Module | None:
    """Batch Normalization without the learned scale and shift."""
    return _batch_norm(slot, affine=False)


@norms.register("batch-after", label="Batch Normalization after the activation", place="after", citation=IOFFE)
def batch_after(slot: Slot, value: None = None) -> nn.Module | None:
    """Batch Normalization of what the activation gives."""
    return _batch_norm(slot)


def _batch_norm(slot: Slot, affine: bool = True) -> nn.Module:
    from torch import nn

    kind = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}.get(slot.spatial, nn.BatchNorm1d)
    return kind(
        slot.channels, eps=slot.eps, momentum=slot.momentum, affine=affine and slot.affine,
        track_running_stats=slot.tracked,
    )  # fmt: skip


@norms.register("layer", label="Layer Normalization", citation=BA)
def layer(slot: Slot, value: None = None) -> nn.Module | None:
    """Each sample by itself: over all channels and places, with a learned scale and shift a channel."""
    from torch import nn

    return nn.GroupNorm(1, slot.channels, eps=slot.eps, affine=slot.affine)


@norms.register("group", label="Group Normalization", parameter=Parameter("g", default=4.0, whole=True), citation=WU)
def group(slot: Slot, groups: float) -> nn.Module | None:
    """Each sample by itself, in g groups of channels (or as many as divide them)."""
    from torch import nn

    return nn.GroupNorm(math.gcd(int(groups), slot.channels), slot.channels, eps=slot.eps, affine=slot.affine)


@norms.register("instance", label="Instance Normalization", needs_space=True, citation=ULYANOV)
def instance(slot: Slot, value: None = None) -> nn.Module | None:
    """Each sample and channel by itself, over its places; for convolutions alone."""
    from torch import nn

    return nn.GroupNorm(slot.channels, slot.channels, eps=slot.eps, affine=slot.affine)


@norms.register("rms", label="RMS Normalization", citation=ZHANG)
def rms(slot: Slot, value: None = None) -> nn.Module | None:
    """Each sample divided by its root mean square over all channels and places, with a learned scale a channel."""
    from bnstudy.training.networks.layers import RootMeanSquare

    return RootMeanSquare(slot.channels, slot.eps, slot.affine)


@norms.register("weight-standardization", label="Weight Standardization", place="weight", citation=BROCK)
def weight_standardization(slot: Slot, value: None = None) -> nn.Module | None:
    """No layer, but weights: each unit's less their mean, over their deviation, times He's sqrt(2/fan_in)."""
    from bnstudy.training.networks.layers import standardized

    assert slot.layer is not None  # whoever fills a place of that kind has it
    return standardized(slot.layer)


@norms.register("skipinit", label="SkipInit", place="branch", citation=DE)
def skipinit(slot: Slot, value: None = None) -> nn.Module | None:
    """No norm, but a learned factor at the end of every branch that begins at 0; for models with branches alone."""
    from bnstudy.training.networks.layers import Scalar

    return Scalar()
