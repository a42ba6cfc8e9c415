"""Replicas as lanes, layer by layer: of networks that are no chain, a ResNet for one.

A tensor that is (batch, channels, height, width) in the plain network is (packs·batch, channels·lanes, height, width)
here, with the lanes innermost in memory. So everything between the weight layers runs unchanged, as it does where
replicas are folded, and convolutions, norms and linear layers are calls of the kernel.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bnstudy.training.networks.layers import RootMeanSquare, StandardizedConv2d, StandardizedLinear
from bnstudy.training.replicas.base import Replicas
from bnstudy.training.replicas.folded import (
    FoldedBatchNorm,
    FoldedConv,
    FoldedGroupNorm,
    FoldedLinear,
    FoldedRootMeanSquare,
    FoldedStandardizedConv,
    FoldedStandardizedLinear,
    fold,
    foldable,
)
from bnstudy.training.replicas.lanes import chain, kernel
from bnstudy.training.replicas.lanes.kernel import Kernel
from bnstudy.training.replicas.lanes.lanes import enough, load
from bnstudy.training.replicas.lanes.layout import NONE, Signal, Stage
from bnstudy.training.replicas.lanes.linear import LinearStage
from bnstudy.training.replicas.lanes.norm import NormStage
from bnstudy.training.replicas.lanes.supported import MOST_CHANNELS, is_plain_convolution, is_usual_norm


class LanesByLayer(Replicas):
    """Replicas as lanes, layer by layer; on a CPU, where the kernel can be built."""

    name = "lanes by layer"
    evaluation_batch = 250

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        built = kernel.attempt()
        assert isinstance(built, Kernel), "ask LanesByLayer.suits first"
        self.size = len(networks)
        dtype = next(networks[0].parameters()).dtype
        lanes = built.lanes(dtype)
        self.at_work = AtWork(built.library, lanes, -(-self.size // lanes), dtype)
        self.module = fold(networks, {kind: self._form(make) for kind, make in FORMS.items()})
        self.parameters = dict(self.module.named_parameters())
        self.buffers = dict(self.module.named_buffers())

    def _form(self, make: Callable[[Any, AtWork], nn.Module]) -> Callable[[Any], nn.Module]:
        return lambda layers: make(layers, self.at_work)

    @staticmethod
    def suits(network: nn.Module, device: torch.device, size: int) -> bool:
        """Whether this form can be used for so many replicas of a network, and may be the fastest."""
        modules = list(network.modules())
        convolutions = [module for module in modules if isinstance(module, nn.Conv2d)]
        dtypes = {parameter.dtype for parameter in network.parameters()}
        return (
            device.type == "cpu"
            and len(dtypes) == 1
            and enough(size, *dtypes)
            and bool(convolutions)
            and max(layer.out_channels for layer in convolutions) <= MOST_CHANNELS
            and all(is_plain_convolution(layer) for layer in convolutions)
            and all(is_usual_norm(m) for m in modules if isinstance(m, nn.modules.batchnorm._BatchNorm))
            and not any(isinstance(m, nn.Conv1d | nn.Conv3d) for m in modules)
            and foldable(network)
            and load() is not None
        )

    def __call__(self, inputs: Tensor, groups: Sequence[int] | None = None) -> Tensor:
        packs, lanes = self.at_work.packs, self.at_work.lanes
        own = inputs[F.pad(self._index_of(inputs, groups), (0, packs * lanes - self.size))].unflatten(0, (packs, lanes))
        # (packs, lanes, batch, channels, ...) to (packs, batch, ..., channels, lanes)
        last = own.movedim(3, -1).movedim(1, -1).contiguous()
        outputs = self.module(last.flatten(0, 1).flatten(-2).movedim(-1, 1))
        apart = outputs.unflatten(0, (packs, -1)).unflatten(2, (-1, lanes))  # (packs, batch, outputs, lanes)
        return apart.permute(0, 3, 1, 2).flatten(0, 1)[: self.size]

    def train(self, mode: bool = True) -> None:
        self.module.train(mode)


@dataclass(frozen=True)
class AtWork:
    """The kernel, and into how many packs of how many lanes it puts the replicas."""

    library: ctypes.CDLL
    lanes: int
    packs: int
    dtype: torch.dtype

    @property
    def replicas(self) -> int:
        return self.lanes * self.packs

    def signal(self, x: Tensor) -> Tensor:
        """(packs·batch, channels·lanes, ...) as the kernel has it: (packs, batch, height, width, channels, lanes)."""
        last = x.permute(0, 2, 3, 1) if x.dim() == 4 else x[:, None, None]
        return last.contiguous().unflatten(0, (self.packs, -1)).unflatten(-1, (-1, self.lanes))

    def run(self, stage: Stage, x: Tensor) -> Tensor:
        """What a stage gives."""
        signal = Signal(self.signal(x), is_input=False)
        values: Tensor = chain.Run.apply(signal.values, signal, [stage], self.library, self.lanes, *stage.parameters)
        given = values.flatten(4).flatten(0, 1)  # (packs·batch, height, width, channels·lanes)
        return given.permute(0, 3, 1, 2) if x.dim() == 4 else given[:, 0, 0]


class OneStage(nn.Module):
    """A layer of every replica that is one stage of the kernel's."""

    at_work: AtWork
    stage: Stage

    def forward(self, x: Tensor) -> Tensor:
        return self.at_work.run(self.stage, x)


def _weight_layer(kind: type[Any], stage: Callable[..., Stage]) -> Callable[[Any, AtWork], nn.Module]:
    """A form of weight layers: their folded form with the kernel's forward."""
    form = type(f"Lanes{kind.__name__}", (OneStage, kind), {})

    def make(layers: Sequence[nn.Module], at_work: AtWork) -> nn.Module:
        made = form(layers)
        made.at_work, made.stage = at_work, stage(made, at_work.replicas)
        return made

    return make


def _norm_layer(kind: type[Any]) -> Callable[[Any, AtWork], nn.Module]:
    form = type(f"Lanes{kind.__name__}", (OneStage, kind), {"forward": _normed})

    def make(layers: Sequence[Any], at_work: AtWork) -> nn.Module:
        first, made = layers[0], form(layers)
        channels = next(getattr(first, name) for name in ("num_features", "num_channels", "channels")
                        if hasattr(first, name))  # fmt: skip
        made.at_work, made.stage = at_work, NormStage(made, channels, at_work.dtype, at_work.replicas)
        return made

    return make


def _normed(self: Any, x: Tensor) -> Tensor:
    """A norm; of a batch norm in evaluation its scale and shift."""
    if self.stage.absorbed is None:
        return OneStage.forward(self, x)
    scale, shift = (
        values.unflatten(1, (self.at_work.packs, -1)).transpose(0, 1).flatten(1) for values in self.stage.affine()
    )  # (packs, channels·lanes)
    each = x.unflatten(0, (self.at_work.packs, -1))
    shape = (len(scale), 1, -1, *[1] * (x.dim() - 2))
    return (each * scale.view(shape) + shift.view(shape)).flatten(0, 1)


class Flattened(nn.Module):
    """``nn.Flatten``: features in the plain network's order, then lanes."""

    def __init__(self, lanes: int) -> None:
        super().__init__()
        self.lanes = lanes

    def forward(self, x: Tensor) -> Tensor:
        return x.unflatten(1, (-1, self.lanes)).movedim(2, -1).flatten(1)


def _convolution(layer: FoldedConv, replicas: int) -> Stage:
    return Stage(layer, None, NONE, False, replicas)


def _linear(layer: FoldedLinear, replicas: int) -> Stage:
    return LinearStage(layer, None, NONE, replicas)


FORMS: dict[type[nn.Module], Callable[[Any, AtWork], nn.Module]] = {
    nn.Conv2d: _weight_layer(FoldedConv, _convolution),
    StandardizedConv2d: _weight_layer(FoldedStandardizedConv, _convolution),
    nn.Linear: _weight_layer(FoldedLinear, _linear),
    StandardizedLinear: _weight_layer(FoldedStandardizedLinear, _linear),
    nn.BatchNorm1d: _norm_layer(FoldedBatchNorm),
    nn.BatchNorm2d: _norm_layer(FoldedBatchNorm),
    nn.GroupNorm: _norm_layer(FoldedGroupNorm),
    RootMeanSquare: _norm_layer(FoldedRootMeanSquare),
    nn.Flatten: lambda _, at_work: Flattened(at_work.lanes),
}
