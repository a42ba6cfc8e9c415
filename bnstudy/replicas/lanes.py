"""Replicas as the lanes of a CPU's vector registers.

A tensor that is (batch, channels, height, width) in the plain network is (batch, height, width, channels, lanes) here,
so that one instruction works on one value of each replica, however few channels there are. Convolution, batch norm,
ReLU and pooling are one call of the kernel (``lanes.cpp``); what works on single values runs unchanged.

Parameters keep the plain network's shapes: they are small, and are rearranged at each step.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bnstudy.replicas import kernel
from bnstudy.replicas.base import Replicas
from bnstudy.replicas.folded import FoldedBatchNorm, FoldedConv, FoldedLinear, fold, has_ties

OWN, SHARED, GROUPED = 0, 1, 2  # whose input a lane sees, as the kernel counts them
MOST_CHANNELS = 64  # beyond it a convolution library is not starved

# Layers that treat every value alike.
ELEMENTWISE = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Tanh, nn.Sigmoid),
    *(nn.Softplus, nn.Softsign, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.Identity),
)


@dataclass(frozen=True)
class Signal:
    """What flows between layers.

    `values` is (packs, samples, height, width, channels, lanes), also once the network has flattened it: the weights
    that follow are rearranged instead. While it is still the network's input it has no lanes: (groups, samples,
    channels, height, width) or (groups, samples, features); `group` says which group each lane sees, if not the first.
    """

    values: Tensor
    group: Tensor | None = None
    is_input: bool = True


@dataclass(frozen=True)
class Step:
    """One call of the kernel: a weight layer and what it takes along."""

    layer: FoldedConv | FoldedLinear
    norm: FoldedBatchNorm | None
    relu: bool
    pool: bool


class Lanes(Replicas):
    """Replicas as lanes; of a chain of known layers, on a CPU, where the kernel can be built."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        found = kernel.load()
        assert found is not None, "ask Lanes.suits first"
        self.kernel = found
        self.size = len(networks)
        self.module = fold(networks)
        self.parameters = dict(self.module.named_parameters())
        self.buffers = dict(self.module.named_buffers())
        self.steps = list(_steps(list(zip(_chain(networks[0]), _chain(self.module), strict=True))))
        self.width = found.lanes(str(next(iter(self.parameters.values())).dtype).removeprefix("torch."))
        self.packs = -(-self.size // self.width)

    @staticmethod
    def suits(network: nn.Module, device: torch.device) -> bool:
        """Whether this form can be used for a network, and is the fastest there."""
        layers = _chain(network)
        convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
        return (
            device.type == "cpu"
            and {p.dtype for p in network.parameters()} <= {torch.float32, torch.float64}
            and 0 < max((layer.out_channels for layer in convolutions), default=0) <= MOST_CHANNELS
            and not has_ties(network)
            and _known(layers)
            and kernel.load() is not None
        )

    def __call__(self, inputs: Tensor) -> Tensor:
        groups, batch = inputs.shape[:2]
        signal = Signal(inputs, self._groups(groups))
        for step in self.steps:
            if isinstance(step, Step):
                signal = self._step(step, signal)
            elif isinstance(step, nn.Flatten):
                if signal.is_input:
                    signal = replace(signal, values=signal.values.flatten(2))
            elif isinstance(step, nn.AvgPool2d):
                signal = replace(signal, values=_pooled(signal.values))
            else:
                signal = replace(signal, values=step(signal.values))
        # (packs, batch, height, width, channels, lanes) to (replicas, batch, features), in the plain network's order
        return signal.values.permute(0, 5, 1, 4, 2, 3).flatten(0, 1)[: self.size].reshape(self.size, batch, -1)

    def train(self, mode: bool = True) -> None:
        self.module.train(mode)

    def _groups(self, groups: int) -> Tensor | None:
        """Which group of inputs each lane sees; None where there is one for all."""
        if groups == 1:
            return None
        group = torch.arange(self.size, dtype=torch.int32) // (self.size // groups)
        return F.pad(group, (0, self.packs * self.width - self.size))

    def _step(self, step: Step, signal: Signal) -> Signal:
        layer, norm = step.layer, step.norm
        linear = isinstance(layer, FoldedLinear)
        weight, bias = layer.weight, layer.bias
        assert weight is not None
        if bias is None:
            bias = weight.new_zeros(weight.shape[:2])
        if linear:
            weight = _as_convolution(weight, signal)
        x, sharing, shape = _arranged(signal, linear)
        gamma = beta = None
        if norm and norm.training:
            gamma, beta = self._in_lanes(norm.weight), self._in_lanes(norm.bias)
        elif norm:
            weight, bias = _with_norm(norm, weight, bias)
        pool = 2 if step.pool else 1
        block = kernel.Block(*shape, *weight.shape[2:0:-1], weight.shape[3], step.relu, pool, sharing, packs=self.packs)
        if norm:
            block.eps = norm.eps
        tensors = (x, self._in_lanes(weight), self._in_lanes(bias), gamma, beta, signal.group)
        out, mean, variance = _Block.apply(*tensors, self.kernel.library, block)
        if norm and norm.training:
            _track(norm, mean, variance, count=shape[0] * shape[1] * shape[2])
        if linear:  # the batch was the width of one image
            out = out.view(self.packs, -1, 1, 1, *out.shape[-2:])
        return Signal(out, is_input=False)

    def _in_lanes(self, values: Tensor) -> Tensor:
        """(R, out, in, height, width) to (packs, height, width, in, out, lanes); (R, out) to (packs, out, lanes)."""
        if missing := self.packs * self.width - self.size:
            values = torch.cat([values, values.new_zeros(missing, *values.shape[1:])])
        order = (0, 4, 5, 3, 2, 1) if values.dim() == 5 else (0, 2, 1)
        return values.unflatten(0, (self.packs, self.width)).permute(order).contiguous()


class _Block(torch.autograd.Function):
    """Convolution, then batch norm if `gamma` is given, ReLU and pooling as the block says."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        gamma: Tensor | None,
        beta: Tensor | None,
        group: Tensor | None,
        library: ctypes.CDLL,
        block: kernel.Block,
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        packs, outputs, lanes = bias.shape
        size = (packs, block.samples, block.height, block.width, outputs, lanes)
        pooled = (packs, block.samples, block.height // block.pool, block.width // block.pool, outputs, lanes)
        out = weight.new_empty(pooled)
        kept = mean = variance = None
        if gamma is not None:  # what the convolution gave
            kept, mean, variance = weight.new_empty(size), torch.empty_like(bias), torch.empty_like(bias)
        elif block.relu and any(ctx.needs_input_grad):  # where the ReLU let through
            kept = torch.empty(pooled, dtype=torch.int32 if weight.dtype == torch.float32 else torch.int64)
        norm = kernel.Norm(*map(_address, (gamma, beta, mean, variance)))
        block.group = _address(group)
        _call(library, "forward", weight, block, x, weight, bias, norm, kept, out)
        ctx.save_for_backward(x, weight, gamma, beta, mean, variance, kept)
        ctx.library, ctx.block, ctx.group = library, block, group  # the block points into the group
        ctx.mark_non_differentiable(*(t for t in (mean, variance) if t is not None))
        return out, mean, variance

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        x, weight, gamma, beta, mean, variance, kept = ctx.saved_tensors
        dx = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        flipped = weight.flip(1, 2).transpose(3, 4).contiguous()
        dw, db = torch.empty_like(weight), weight.new_empty(weight.shape[0], *weight.shape[-2:])
        dgamma, dbeta = (None if t is None else torch.empty_like(t) for t in (gamma, beta))
        norm = kernel.Norm(*map(_address, (gamma, beta, mean, variance)))
        tensors = (x, flipped, norm, kept, gradient.contiguous(), dx, dw, db, dgamma, dbeta)
        _call(ctx.library, "backward", weight, ctx.block, *tensors)
        return dx, dw, db, dgamma, dbeta, None, None, None


def _call(library: ctypes.CDLL, name: str, like: Tensor, block: kernel.Block, *arguments: Any) -> None:
    function = getattr(library, f"{name}_{str(like.dtype).removeprefix('torch.')}")
    as_pointers = [
        ctypes.byref(a) if isinstance(a, ctypes.Structure) else ctypes.c_void_p(_address(a)) for a in arguments
    ]
    function(ctypes.byref(block), *as_pointers)


def _address(tensor: Tensor | None) -> int | None:
    if tensor is None:
        return None
    assert tensor.is_contiguous()
    return tensor.data_ptr()


def _arranged(signal: Signal, linear: bool) -> tuple[Tensor, int, tuple[int, int, int]]:
    """The kernel's input, who sees it, and its samples, height and width. A linear layer sees one image, batch wide."""
    x = signal.values
    batch = x.shape[1]
    if not signal.is_input:
        sharing, size = OWN, x.shape[2:4]
    else:
        size = x.shape[3:5]
        x = x if linear else x.permute(0, 1, 3, 4, 2)
        sharing, x = (SHARED, x[0]) if signal.group is None else (GROUPED, x)
    return x.contiguous(), sharing, (1, 1, batch) if linear else (batch, *size)


def _as_convolution(weight: Tensor, signal: Signal) -> Tensor:
    """A linear layer's weight (R, out, in) as that of a 1x1 convolution, its inputs in this form's order."""
    if not signal.is_input:
        height, width, channels = signal.values.shape[2:5]
        weight = weight.unflatten(2, (channels, height, width)).permute(0, 1, 3, 4, 2).flatten(2)
    return weight[..., None, None]


def _with_norm(norm: FoldedBatchNorm, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Weights that do what the layer and its batch norm do in evaluation mode."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return weight * scale[..., None, None, None], (bias - norm.running_mean) * scale + norm.bias


@torch.no_grad()
def _track(norm: FoldedBatchNorm, mean: Tensor, variance: Tensor, count: int) -> None:
    """Update the running statistics; the variance as the unbiased estimate, as PyTorch does."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    replicas = len(norm.running_mean)
    unbiased = variance * (count / (count - 1))
    norm.running_mean.lerp_(mean.transpose(1, 2).flatten(0, 1)[:replicas], norm.momentum)
    norm.running_var.lerp_(unbiased.transpose(1, 2).flatten(0, 1)[:replicas], norm.momentum)
    norm.num_batches_tracked.add_(1)


def _pooled(x: Tensor) -> Tensor:
    height, width = x.shape[2] // 2, x.shape[3] // 2
    return x[:, :, : 2 * height, : 2 * width].unflatten(3, (width, 2)).unflatten(2, (height, 2)).mean((3, 5))


# --------------------------------------------------------------- which networks, in which steps


def _chain(network: nn.Module) -> list[nn.Module]:
    """The layers of nested ``nn.Sequential``s, in order; anything else is one layer."""
    if type(network) is nn.Sequential:
        return [layer for child in network for layer in _chain(child)]
    return [network]


def _known(layers: Sequence[nn.Module]) -> bool:
    """Whether a chain is made of what the kernel and elementwise layers can do, and ends in a vector."""
    flat, before = False, None
    for layer in layers:
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            kind = nn.BatchNorm1d if flat else nn.BatchNorm2d
            fits = type(layer) is kind and isinstance(before, nn.Conv2d | nn.Linear) and _usual_norm(layer)
        elif isinstance(layer, nn.Flatten):
            fits = not flat and (layer.start_dim, layer.end_dim) == (1, -1)
            flat = True
        elif type(layer) is nn.Linear:
            fits = flat
        elif type(layer) is nn.Conv2d:
            fits = not flat and _same_convolution(layer)
        elif type(layer) is nn.AvgPool2d:
            fits = not flat and isinstance(before, nn.Module) and _halving(layer)
        else:
            fits = type(layer) in ELEMENTWISE and before is not None
        if not fits:
            return False
        before = layer
    return flat


def _usual_norm(layer: nn.modules.batchnorm._BatchNorm) -> bool:
    return layer.affine and layer.track_running_stats and layer.momentum is not None


def _same_convolution(layer: nn.Conv2d) -> bool:
    """Odd and square, stride 1, padded with zeros to keep the size."""
    side = layer.kernel_size[0]
    return (
        layer.kernel_size == (side, side)
        and side % 2 == 1
        and layer.padding in ("same", (side // 2, side // 2))
        and layer.stride == layer.dilation == (1, 1)
        and (layer.groups, layer.padding_mode) == (1, "zeros")
    )


def _halving(layer: nn.AvgPool2d) -> bool:
    sizes = {layer.kernel_size, layer.stride}
    return sizes <= {2, (2, 2)} and layer.padding in (0, (0, 0)) and not layer.ceil_mode and not layer.divisor_override


def _steps(pairs: Sequence[tuple[nn.Module, nn.Module]]) -> Iterator[Step | nn.Module]:
    """Kernel calls, and the layers between them, from the plain layers and their folded forms."""
    i = 0

    def take(kind: type[nn.Module]) -> Any:
        nonlocal i
        if i < len(pairs) and isinstance(pairs[i][0], kind):
            i += 1
            return pairs[i - 1][1]
        return None

    while i < len(pairs):
        if isinstance(pairs[i][0], nn.Conv2d | nn.Linear):
            layer = take(nn.Module)
            norm, relu = take(nn.modules.batchnorm._BatchNorm), take(nn.ReLU)
            yield Step(layer, norm, bool(relu), bool(take(nn.AvgPool2d)))
        else:
            yield take(nn.Module)
