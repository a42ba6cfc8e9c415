"""Replicas as the lanes of a CPU's vector registers.

A tensor that is (batch, channels, height, width) in the plain network is (packs, batch, height, width, channels, lanes)
here, so that one instruction works on one value of each replica of a pack, however few channels there are. Convolution,
batch norm, ReLU and pooling are one call of the kernel (``lanes.cpp``); what works on single values runs unchanged.

Parameters are stored as the kernel wants them, the replicas innermost; what autograd and optimizers see are views of
that memory with the plain network's shapes.
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
SMALL_WINDOW = 16  # products an output; up to it a convolution is sooner computed again than read from memory
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
    channels, height, width) or (groups, samples, features); `group` says which group each replica sees, if not the
    first.
    """

    values: Tensor
    group: Tensor | None = None
    is_input: bool = True


@dataclass(frozen=True)
class Step:
    """One call of the kernel: a weight layer and what it takes along.

    The tensors are the kernel's: weight (height, width, in, out, replicas), all others (out, replicas), where the
    replicas fill whole packs. Parameters and buffers of the folded layers are views of them: an optimizer moves both.
    """

    layer: FoldedConv | FoldedLinear
    norm: FoldedBatchNorm | None
    relu: bool
    pool: bool
    weight: Tensor
    bias: Tensor
    gamma: Tensor | None = None
    beta: Tensor | None = None
    mean: Tensor | None = None
    variance: Tensor | None = None

    @property
    def parameters(self) -> list[nn.Parameter | None]:
        norm = self.norm
        return [self.layer.weight, self.layer.bias, norm.weight if norm else None, norm.bias if norm else None]


class Lanes(Replicas):
    """Replicas as lanes; of a chain of known layers, on a CPU, where the kernel can be built."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        found = kernel.load()
        assert found is not None, "ask Lanes.suits first"
        self.library = found.library
        self.size = len(networks)
        self.module = fold(networks)
        self.parameters = dict(self.module.named_parameters())
        self.buffers = dict(self.module.named_buffers())
        self.lanes = found.lanes(next(iter(self.parameters.values())).dtype)
        self.packs = -(-self.size // self.lanes)
        pairs = list(zip(_chain(networks[0]), _chain(self.module), strict=True))
        self.runs = list(_runs(pairs, self.packs * self.lanes))

    @staticmethod
    def suits(network: nn.Module, device: torch.device) -> bool:
        """Whether this form can be used for a network."""
        dtypes = {parameter.dtype for parameter in network.parameters()}
        if device.type != "cpu" or len(dtypes) != 1 or not _known(network):
            return False
        found = kernel.load()
        return found is not None and found.lanes(dtypes.pop()) > 0

    def __call__(self, inputs: Tensor, groups: Sequence[int] | None = None) -> Tensor:
        signal = Signal(inputs, self._group(len(inputs), groups))
        for run in self.runs:
            if isinstance(run, list):
                parameters = [p for step in run for p in step.parameters]
                values = _Run.apply(signal.values, signal, run, self.library, self.lanes, *parameters)
                signal = Signal(values, is_input=False)
            elif isinstance(run, nn.Flatten):
                if signal.is_input:
                    signal = replace(signal, values=signal.values.flatten(2))
            elif isinstance(run, nn.AvgPool2d):
                signal = replace(signal, values=_pooled(signal.values))
            else:
                signal = replace(signal, values=run(signal.values))
        # (packs, batch, height, width, channels, lanes) to (replicas, batch, features), in the plain network's order
        return signal.values.permute(0, 5, 1, 4, 2, 3).flatten(0, 1).flatten(2)[: self.size]

    def train(self, mode: bool = True) -> None:
        self.module.train(mode)

    def _group(self, inputs: int, groups: Sequence[int] | None) -> Tensor | None:
        """Which input each replica sees; None where there is one for all."""
        if inputs == 1:
            return None
        chosen = groups or [r * inputs // self.size for r in range(self.size)]
        return torch.tensor([*chosen, *[0] * (self.packs * self.lanes - self.size)], dtype=torch.int32)


class _Run(torch.autograd.Function):
    """Steps in a row. The parameters are there for autograd; their values are read from the steps."""

    @staticmethod
    def forward(
        ctx: Any,
        values: Tensor,
        signal: Signal,
        steps: list[Step],
        library: ctypes.CDLL,
        lanes: int,
        *parameters: Tensor,
    ) -> Tensor:
        ctx.library, ctx.calls = library, []
        backward = any(ctx.needs_input_grad)
        for step in steps:
            call = _Call(step, signal, lanes, backward)
            signal = Signal(call.forward(library), is_input=False)
            if backward:
                ctx.calls.append(call)
        return signal.values

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        of_parameters: list[Tensor | None] = []
        while ctx.calls:  # what a call kept is freed once it is used
            call = ctx.calls.pop()
            needs_input = bool(ctx.calls) or ctx.needs_input_grad[0]
            gradient, some = call.backward(ctx.library, gradient, needs_input)
            of_parameters = [*some, *of_parameters]
        return gradient, None, None, None, None, *of_parameters


class _Call:
    """One step on one batch, and what its backward needs."""

    def __init__(self, step: Step, signal: Signal, lanes: int, backward: bool) -> None:
        self.step, self.remember, self.group = step, backward, signal.group
        x, linear = signal.values, isinstance(step.layer, FoldedLinear)
        self.weight, self.bias = step.weight, step.bias
        self.normed = step.norm is not None and step.norm.training
        if signal.is_input:
            batch, size = x.shape[1], x.shape[3:5]
            x = x if linear else x.permute(0, 1, 3, 4, 2)
            sharing, x = (SHARED, x[0]) if signal.group is None else (GROUPED, x)
            self.flattened = None
        else:
            sharing, batch, size = OWN, x.shape[1], x.shape[2:4]
            self.flattened = x.shape[2:5] if linear and size != (1, 1) else None
        if self.flattened:  # from the plain network's order, (channels, height, width), to this form's
            height, width, channels = self.flattened
            weight = self.weight.unflatten(2, (channels, height, width)).permute(0, 1, 3, 4, 2, 5, 6)
            self.weight = weight.flatten(2, 4)
        if step.norm and not self.normed:
            self._absorb_norm(step.norm)
        self.x = x.contiguous()
        side, _, inputs, outputs, replicas = self.weight.shape
        samples, height, width = (
            (1, 1, batch) if linear else (batch, *size)
        )  # a linear layer sees one image, batch wide
        pool = 2 if step.pool else 1
        self.block = kernel.Block(samples, height, width, inputs, outputs, side, step.relu, pool, sharing)
        self.block.group = kernel.address(self.group)
        self.block.packs = packs = replicas // lanes
        self.shape = (packs, samples, height, width, outputs, lanes)
        self.pooled = (packs, samples, height // pool, width // pool, outputs, lanes)
        self.is_linear = linear

    def _absorb_norm(self, norm: FoldedBatchNorm) -> None:
        """Weights that do what the layer and its batch norm do in evaluation mode."""
        gamma, beta, mean, variance = self.step.gamma, self.step.beta, self.step.mean, self.step.variance
        assert gamma is not None and beta is not None and mean is not None and variance is not None  # noqa: PT018
        scale = gamma * (variance + norm.eps).rsqrt()
        self.weight, self.bias = self.weight * scale, (self.bias - mean) * scale + beta

    def forward(self, library: ctypes.CDLL) -> Tensor:
        out = self.weight.new_empty(self.pooled)
        self.kept = self.mean = self.variance = None
        if self.normed and self.step.norm:
            assert self.step.gamma is not None
            self.block.eps = self.step.norm.eps
            self.mean, self.variance = torch.empty_like(self.step.gamma), torch.empty_like(self.step.gamma)
            if self.block.inputs * self.block.kernel**2 > SMALL_WINDOW:
                self.kept = self.weight.new_empty(self.shape)  # what the convolution gave
        elif self.step.relu and self.remember:
            words = -(-self.block.outputs // (32 // self.block.pool**2))  # as the kernel packs them
            integer = torch.int32 if out.dtype == torch.float32 else torch.int64
            self.kept = torch.empty(*self.pooled[:4], words, out.shape[-1], dtype=integer)  # where the ReLU let through
        kernel.call(library, "forward", out.dtype, *self._inputs(), out)
        if self.normed and self.step.norm:
            self._track(self.step.norm)
        return out.view(len(out), -1, 1, 1, *out.shape[-2:]) if self.is_linear else out

    def _inputs(self) -> tuple[Any, ...]:
        return self.block, self._norm(), self.x, self.weight, self.bias, self.kept

    def _norm(self) -> kernel.Norm:
        if not self.normed:
            return kernel.Norm()
        return kernel.Norm(*map(kernel.address, (self.step.gamma, self.step.beta, self.mean, self.variance)))

    def _track(self, norm: FoldedBatchNorm) -> None:
        """Update the running statistics; the variance as the unbiased estimate, as PyTorch does."""
        assert self.step.mean is not None and self.step.variance is not None  # noqa: PT018
        assert self.mean is not None and self.variance is not None  # noqa: PT018
        count = self.shape[1] * self.shape[2] * self.shape[3]
        self.step.mean.lerp_(self.mean, norm.momentum)
        self.step.variance.lerp_(self.variance * (count / (count - 1)), norm.momentum)
        norm.num_batches_tracked.add_(1)

    def backward(
        self, library: ctypes.CDLL, gradient: Tensor, needs_input: bool
    ) -> tuple[Tensor | None, list[Tensor | None]]:
        """The gradients of the input (if needed) and of the step's four parameters."""
        dx = torch.empty_like(self.x) if needs_input else None
        flipped = self.weight.flip(0, 1).transpose(2, 3).contiguous() if needs_input else None
        dw, db = torch.empty_like(self.weight), torch.empty_like(self.bias)
        dgamma, dbeta = (torch.empty_like(self.bias) if self.normed else None for _ in range(2))
        outputs = (dx, dw, db, dgamma, dbeta)
        kernel.call(library, "backward", dw.dtype, *self._inputs(), flipped, gradient.contiguous(), *outputs)
        if self.flattened:
            dw = dw.unflatten(2, self.flattened).permute(0, 1, 4, 2, 3, 5, 6).flatten(2, 4)
        layer = self.step.layer
        assert layer.weight is not None
        return dx, [
            _as_parameter(dw, layer.weight),
            None if layer.bias is None else _as_parameter(db, layer.bias),
            *(None if d is None else d.t()[: len(layer.weight)] for d in (dgamma, dbeta)),
        ]


def _as_parameter(values: Tensor, like: Tensor) -> Tensor:
    """The kernel's tensor seen as a parameter (R, out, in, height, width), (R, out, in) or (R, out)."""
    seen = values.permute(4, 3, 2, 0, 1) if values.dim() == 5 else values.t()
    return seen[: len(like)].view(like.shape) if seen.dim() == like.dim() else seen[: len(like), ..., 0, 0]


def _as_kernel(parameter: Tensor, replicas: int) -> Tensor:
    """Such a parameter or buffer as the kernel's tensor, in memory of its own; replicas that it lacks are zero."""
    values = parameter.detach()
    values = values[..., None, None] if values.dim() == 3 else values
    order = (3, 4, 2, 1, 0) if values.dim() == 5 else (1, 0)
    return F.pad(values.permute(order), (0, replicas - len(values))).clone(memory_format=torch.contiguous_format)


def _pooled(x: Tensor) -> Tensor:
    height, width = x.shape[2] // 2, x.shape[3] // 2
    return x[:, :, : 2 * height, : 2 * width].unflatten(3, (width, 2)).unflatten(2, (height, 2)).mean((3, 5))


# --------------------------------------------------------------- which networks, in which steps


def _chain(network: nn.Module) -> list[nn.Module]:
    """The layers of nested ``nn.Sequential``s, in order; anything else is one layer."""
    if type(network) is nn.Sequential:
        return [layer for child in network for layer in _chain(child)]
    return [network]


def _known(network: nn.Module) -> bool:
    """Whether a network is a chain of what the kernel and elementwise layers can do, with convolutions that are small
    enough to starve a library, and ends in a vector."""
    layers = _chain(network)
    channels = [layer.out_channels for layer in layers if isinstance(layer, nn.Conv2d)]
    if has_ties(network) or not 0 < max(channels, default=0) <= MOST_CHANNELS:
        return False
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


def _runs(pairs: Sequence[tuple[nn.Module, nn.Module]], replicas: int) -> Iterator[list[Step] | nn.Module]:
    """Steps in a row, and the layers between them, from the plain layers and their folded forms."""
    run: list[Step] = []
    i = 0

    def take(*kinds: type[nn.Module]) -> Any:
        nonlocal i
        if i < len(pairs) and isinstance(pairs[i][0], kinds):
            i += 1
            return pairs[i - 1][1]
        return None

    while i < len(pairs):
        if layer := take(nn.Conv2d, nn.Linear):
            norm, relu, pool = take(nn.modules.batchnorm._BatchNorm), take(nn.ReLU), take(nn.AvgPool2d)
            run.append(_step(layer, norm, relu is not None, pool is not None, replicas))
        elif run and take(nn.Flatten):
            pass  # a step needs no flat input
        else:
            if run:
                yield run
            run = []
            yield take(nn.Module)
    if run:
        yield run


def _step(
    layer: FoldedConv | FoldedLinear, norm: FoldedBatchNorm | None, relu: bool, pool: bool, replicas: int
) -> Step:
    """A step whose tensors hold the layers' values, which become views of them."""
    owners: dict[str, tuple[nn.Module, str]] = {"weight": (layer, "weight"), "bias": (layer, "bias")}
    if norm:
        owners |= {"gamma": (norm, "weight"), "beta": (norm, "bias")}
        owners |= {"mean": (norm, "running_mean"), "variance": (norm, "running_var")}
    tensors = {}
    for name, (owner, attribute) in owners.items():
        plain = getattr(owner, attribute)
        if plain is None:  # a layer without biases
            assert layer.weight is not None
            tensors[name] = layer.weight.new_zeros(layer.weight.shape[1], replicas)
        else:
            tensors[name] = _as_kernel(plain, replicas)
            plain.data = _as_parameter(tensors[name], plain)
    return Step(layer, norm, relu, pool, **tensors)
