"""How the lanes lay out what they work on: signals, and the tensors of a weight layer and its norm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bnstudy.training.replicas.folded import (
    FoldedBatchNorm,
    FoldedConv,
    FoldedGroupNorm,
    FoldedLinear,
    FoldedRootMeanSquare,
)
from bnstudy.training.replicas.lanes import kernel

FoldedNorm = FoldedBatchNorm | FoldedGroupNorm | FoldedRootMeanSquare

OWN, SHARED, GROUPED = 0, 1, 2  # whose input a lane sees, as the kernel counts them
# What follows a weight layer and its norm in the same call, as the kernel counts; those beyond the ReLU are smooth.
NONE, RELU = 0, 1
ACTIVATIONS: dict[type[nn.Module], int] = {nn.ReLU: RELU, nn.Sigmoid: 2, nn.Tanh: 3}
PAD = 64  # bytes between rows of a linear layer's weights: rows of a power of two share few lines of the caches


@dataclass(frozen=True)
class Signal:
    """What flows between layers.

    `values` is (packs, samples, height, width, channels, lanes), also once the network has flattened it: the weights
    that follow are taken in another order instead. While it is still the network's input it has no lanes: (groups,
    samples, channels, height, width) or (groups, samples, features); `group` says which group each replica sees, if not
    the first, and `background` which value most of it has, if one does.
    """

    values: Tensor
    group: Tensor | None = None
    is_input: bool = True
    background: float | None = None


class Stage:
    """A weight layer and what follows it, as one call of the kernel takes them.

    The tensors are the kernel's: weights (height, width, in, out, replicas) or (in, out, replicas), all others (out,
    replicas), where the replicas fill whole packs. Parameters and buffers of the folded layers are views of them: an
    optimizer moves both.
    """

    def __init__(
        self,
        layer: FoldedConv | FoldedLinear | None,
        norm: FoldedNorm | None,
        activation: int,
        pool: bool,
        replicas: int,
    ) -> None:
        self.layer, self.norm, self.activation, self.pool, self.replicas = layer, norm, activation, pool, replicas
        if layer:
            self.weight = self._of(layer, "weight")
        self.bias = self._of(layer, "bias")
        self.gamma = self._of(norm, "weight") if norm else None
        self.beta = self._of(norm, "bias") if norm else None
        tracked = norm if isinstance(norm, FoldedBatchNorm) else None
        self.mean = self._of(tracked, "running_mean") if tracked else None
        self.variance = self._of(tracked, "running_var") if tracked else None

    def _of(self, owner: nn.Module | None, name: str) -> Tensor:
        """The kernel's tensor of a layer's values, which become a view of it; what a layer lacks is 0, or 1."""
        plain = getattr(owner, name, None)
        if plain is None:  # a layer without biases, a norm without scale or shift
            return self._missing(name)
        values = _as_kernel(plain, self.replicas)
        plain.data = as_parameter(values, plain)
        return values

    def _missing(self, name: str) -> Tensor:
        return self.weight.new_full((self.weight.shape[-2], self.replicas), float(name == "weight"))

    @property
    def parameters(self) -> list[nn.Parameter | None]:
        return [getattr(owner, name, None) for owner in (self.layer, self.norm) for name in ("weight", "bias")]

    @property
    def smooth(self) -> bool:
        """Whether its activation is one whose slope backward computes from what the activation was given."""
        return self.activation > RELU

    @property
    def groups(self) -> int:
        """Groups of channels that the norm takes together in each sample; 0 for a batch norm, or none."""
        if isinstance(self.norm, FoldedGroupNorm):
            return self.norm.groups // self.norm.replicas
        return int(isinstance(self.norm, FoldedRootMeanSquare))

    @property
    def absorbed(self) -> FoldedBatchNorm | None:
        """A batch norm in evaluation mode, which is a scale and a shift of what the layer gives."""
        return self.norm if isinstance(self.norm, FoldedBatchNorm) and not self.norm.training else None

    def affine(self) -> tuple[Tensor, Tensor]:
        """That scale and shift, (out, replicas) each."""
        assert self.absorbed is not None
        assert self.gamma is not None and self.beta is not None  # noqa: PT018
        assert self.mean is not None and self.variance is not None  # noqa: PT018
        scale = self.gamma * (self.variance + self.absorbed.eps).rsqrt()
        return scale, self.beta - self.mean * scale

    def of_norm(self, mean: Tensor | None, variance: Tensor | None) -> kernel.Norm:
        """The norm's tensors, and where a batch norm's statistics go."""
        return kernel.Norm(*map(kernel.address, (self.gamma, self.beta, mean, variance)))

    def track(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Update the running statistics; the variance as the unbiased estimate, as PyTorch does."""
        assert isinstance(self.norm, FoldedBatchNorm)
        assert self.mean is not None and self.variance is not None  # noqa: PT018
        _move(self.mean, mean, self.norm.momentum)
        _move(self.variance, variance * (count / (count - 1)), self.norm.momentum)
        self.norm.num_batches_tracked.add_(1)

    def as_gradients(self, *gradients: Tensor | None) -> list[Tensor | None]:
        """The kernel's gradients as those of the stage's parameters."""
        return [
            None if d is None or p is None else as_parameter(d, p)
            for d, p in zip(gradients, self.parameters, strict=True)
        ]


def _move(running: Tensor, now: Tensor, momentum: float) -> None:
    """Move a running statistic towards what it is now; one that is infinite stays so, where ``lerp_`` makes it NaN."""
    running.mul_(1 - momentum).add_(now, alpha=momentum)


def as_parameter(values: Tensor, like: Tensor) -> Tensor:
    """The kernel's tensor seen as a parameter (R, out, in, height, width), (R, out, in) or (R, out)."""
    seen = values.permute(4, 3, 2, 0, 1) if values.dim() == 5 else values.permute(*range(values.dim() - 1, -1, -1))
    return seen[: len(like)]


def _as_kernel(parameter: Tensor, replicas: int) -> Tensor:
    """Such a parameter or buffer as the kernel's tensor, in memory of its own; replicas that it lacks are zero."""
    values = parameter.detach()
    order: Any = (3, 4, 2, 1, 0) if values.dim() == 5 else range(values.dim() - 1, -1, -1)
    moved = F.pad(values.permute(*order), (0, replicas - len(values)))
    if values.dim() == 3:
        return rows_like(moved).copy_(moved)
    return moved.clone(memory_format=torch.contiguous_format)


def rows_like(weight: Tensor) -> Tensor:
    """Room for a linear layer's weights (in, out, replicas), in rows that lie a little apart."""
    inputs, outputs, replicas = weight.shape
    room = weight.new_zeros(inputs, outputs * replicas + PAD // weight.element_size())
    return room[:, : outputs * replicas].unflatten(1, (outputs, replicas))


def leave(parameter: nn.Parameter | None, gradient: Tensor | None) -> None:
    """Add to a parameter's gradient, as autograd does; but autograd would first copy rows that lie apart."""
    if parameter is not None and gradient is not None and parameter.requires_grad:
        parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
