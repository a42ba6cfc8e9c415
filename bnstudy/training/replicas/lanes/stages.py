"""Stages of the lanes: calls of the kernel, each a weight layer with what follows it."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bnstudy.training.networks.layers import RootMeanSquare, standardized_weight
from bnstudy.training.replicas.folded import (
    FoldedBatchNorm,
    FoldedConv,
    FoldedGroupNorm,
    FoldedLinear,
    FoldedRootMeanSquare,
    FoldedStandardizedConv,
    FoldedStandardizedLinear,
)
from bnstudy.training.replicas.lanes import kernel

FoldedNorm = FoldedBatchNorm | FoldedGroupNorm | FoldedRootMeanSquare

OWN, SHARED, GROUPED = 0, 1, 2  # whose input a lane sees, as the kernel counts them
SMALL_WINDOW = 16  # products an output; up to it a convolution is sooner computed again than read from memory


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
class Stage:
    """One call of the kernel: a weight layer and what it takes along.

    The tensors are the kernel's: weight (height, width, in, out, replicas), all others (out, replicas), where the
    replicas fill whole packs. Parameters and buffers of the folded layers are views of them: an optimizer moves both.
    """

    layer: FoldedConv | FoldedLinear
    norm: FoldedNorm | None
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
        return [self.layer.weight, self.layer.bias, getattr(norm, "weight", None), getattr(norm, "bias", None)]

    @property
    def groups(self) -> int:
        """Groups of channels that the norm takes together in each sample; 0 for a batch norm, or none."""
        if isinstance(self.norm, FoldedGroupNorm):
            assert self.layer.weight is not None
            return self.norm.groups // len(self.layer.weight)
        return int(isinstance(self.norm, FoldedRootMeanSquare))


class Call:
    """One stage on one batch, and what its backward needs."""

    def __init__(self, stage: Stage, signal: Signal, lanes: int, backward: bool) -> None:
        self.stage, self.remember, self.group = stage, backward, signal.group
        x, linear = signal.values, isinstance(stage.layer, FoldedLinear)
        self.weight, self.bias = stage.weight, stage.bias
        self.raw = None  # what a standardized weight is made of
        if isinstance(stage.layer, FoldedStandardizedConv | FoldedStandardizedLinear):
            with torch.set_grad_enabled(backward):
                self.raw = stage.weight.detach().requires_grad_(backward)
                self.standardized = standardized_weight(self.raw, (0, 1, 2))
            self.weight = self.standardized.detach()
        absorbed = stage.norm if isinstance(stage.norm, FoldedBatchNorm) and not stage.norm.training else None
        self.normed = stage.norm is not None and absorbed is None
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
        if absorbed:
            self._absorb_norm(absorbed)
        self.x = x.contiguous()
        side, _, inputs, outputs, replicas = self.weight.shape
        # A linear layer sees one image, batch wide.
        samples, height, width = (1, 1, batch) if linear else (batch, *size)
        pool = 2 if stage.pool else 1
        self.block = kernel.Block(samples, height, width, inputs, outputs, side, stage.relu, pool, sharing)
        self.block.group = kernel.address(self.group)
        self.block.packs = packs = replicas // lanes
        self.block.groups, self.block.centred = stage.groups, isinstance(stage.norm, FoldedGroupNorm)
        self.shape = (packs, samples, height, width, outputs, lanes)
        self.pooled = (packs, samples, height // pool, width // pool, outputs, lanes)
        self.is_linear = linear

    def _absorb_norm(self, norm: FoldedBatchNorm) -> None:
        """Weights that do what the layer and its batch norm do in evaluation mode."""
        gamma, beta, mean, variance = self.stage.gamma, self.stage.beta, self.stage.mean, self.stage.variance
        assert gamma is not None and beta is not None and mean is not None and variance is not None  # noqa: PT018
        scale = gamma * (variance + norm.eps).rsqrt()
        self.weight, self.bias = self.weight * scale, (self.bias - mean) * scale + beta

    def forward(self, library: ctypes.CDLL) -> Tensor:
        out = self.weight.new_empty(self.pooled)
        self.kept = self.mean = self.variance = None
        if self.normed and self.stage.norm:
            assert self.stage.gamma is not None
            self.block.eps = self.stage.norm.eps
            if isinstance(self.stage.norm, FoldedBatchNorm):
                self.mean, self.variance = torch.empty_like(self.stage.gamma), torch.empty_like(self.stage.gamma)
            if self.remember and self.block.inputs * self.block.kernel**2 > SMALL_WINDOW:
                self.kept = self.weight.new_empty(self.shape)  # what the convolution gave
        elif self.stage.relu and self.remember:
            words = -(-self.block.outputs // (32 // self.block.pool**2))  # as the kernel packs them
            integer = torch.int32 if out.dtype == torch.float32 else torch.int64
            self.kept = torch.empty(*self.pooled[:4], words, out.shape[-1], dtype=integer)  # where the ReLU let through
        kernel.call(library, "forward", out.dtype, *self._inputs(), out)
        if self.normed and isinstance(self.stage.norm, FoldedBatchNorm):
            self._track(self.stage.norm)
        return out.view(len(out), -1, 1, 1, *out.shape[-2:]) if self.is_linear else out

    def _inputs(self) -> tuple[Any, ...]:
        return self.block, self._norm(), self.x, self.weight, self.bias, self.kept

    def _norm(self) -> kernel.Norm:
        if not self.normed:
            return kernel.Norm()
        return kernel.Norm(*map(kernel.address, (self.stage.gamma, self.stage.beta, self.mean, self.variance)))

    def _track(self, norm: FoldedBatchNorm) -> None:
        """Update the running statistics; the variance as the unbiased estimate, as PyTorch does."""
        assert self.stage.mean is not None and self.stage.variance is not None  # noqa: PT018
        assert self.mean is not None and self.variance is not None  # noqa: PT018
        count = self.shape[1] * self.shape[2] * self.shape[3]
        _move(self.stage.mean, self.mean, norm.momentum)
        _move(self.stage.variance, self.variance * (count / (count - 1)), norm.momentum)
        norm.num_batches_tracked.add_(1)

    def backward(
        self, library: ctypes.CDLL, gradient: Tensor, needs_input: bool
    ) -> tuple[Tensor | None, list[Tensor | None]]:
        """The gradients of the input (if needed) and of the stage's four parameters."""
        dx = torch.empty_like(self.x) if needs_input else None
        flipped = self.weight.flip(0, 1).transpose(2, 3).contiguous() if needs_input else None
        dw, db = torch.empty_like(self.weight), torch.empty_like(self.bias)
        dgamma, dbeta = (torch.empty_like(self.bias) if self.normed else None for _ in range(2))
        outputs = (dx, dw, db, dgamma, dbeta)
        kernel.call(library, "backward", dw.dtype, *self._inputs(), flipped, gradient.contiguous(), *outputs)
        if self.flattened:
            dw = dw.unflatten(2, self.flattened).permute(0, 1, 4, 2, 3, 5, 6).flatten(2, 4)
        if self.raw is not None:
            (dw,) = torch.autograd.grad(self.standardized, self.raw, dw)
        gradients = (dw, db, dgamma, dbeta)
        return dx, [
            None if d is None or p is None else _as_parameter(d, p)
            for d, p in zip(gradients, self.stage.parameters, strict=True)
        ]


def _move(running: Tensor, now: Tensor, momentum: float) -> None:
    """Move a running statistic towards what it is now; one that is infinite stays so, where ``lerp`` makes it NaN."""
    overflown = running + now if torch.isinf(running).any() else None
    running.lerp_(now, momentum)
    if overflown is not None:
        torch.where(overflown.isinf(), overflown, running, out=running)


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


def runs_of(pairs: Sequence[tuple[nn.Module, nn.Module]], replicas: int) -> Iterator[list[Stage] | nn.Module]:
    """Stages in a row, and the layers between them, from the plain layers and their folded forms."""
    run: list[Stage] = []
    i = 0

    def take(*kinds: type[nn.Module]) -> Any:
        nonlocal i
        if i < len(pairs) and isinstance(pairs[i][0], kinds):
            i += 1
            return pairs[i - 1][1]
        return None

    while i < len(pairs):
        if layer := take(nn.Conv2d, nn.Linear):
            norm = take(nn.modules.batchnorm._BatchNorm, nn.GroupNorm, RootMeanSquare)
            relu, pool = take(nn.ReLU), take(nn.AvgPool2d)
            run.append(_stage(layer, norm, relu is not None, pool is not None, replicas))
        elif run and take(nn.Flatten):
            pass  # a stage needs no flat input
        else:
            if run:
                yield run
            run = []
            yield take(nn.Module)
    if run:
        yield run


def _stage(layer: FoldedConv | FoldedLinear, norm: FoldedNorm | None, relu: bool, pool: bool, replicas: int) -> Stage:
    """A stage whose tensors hold the layers' values, which become views of them."""
    owners: dict[str, tuple[nn.Module, str]] = {"weight": (layer, "weight"), "bias": (layer, "bias")}
    if norm:
        owners |= {"gamma": (norm, "weight"), "beta": (norm, "bias")}
    if isinstance(norm, FoldedBatchNorm):
        owners |= {"mean": (norm, "running_mean"), "variance": (norm, "running_var")}
    tensors = {}
    for name, (owner, attribute) in owners.items():
        plain = getattr(owner, attribute, None)
        if plain is None:  # a layer without biases, a norm without scale or shift
            assert layer.weight is not None
            tensors[name] = layer.weight.new_full((layer.weight.shape[1], replicas), float(name == "gamma"))
        else:
            tensors[name] = _as_kernel(plain, replicas)
            plain.data = _as_parameter(tensors[name], plain)
    return Stage(layer, norm, relu, pool, **tensors)
