"""A convolution with what follows it, as one call of the kernel."""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor

from bnstudy.training.networks.layers import standardized_weight
from bnstudy.training.replicas.folded import (
    FoldedBatchNorm,
    FoldedConv,
    FoldedGroupNorm,
    FoldedLinear,
    FoldedStandardizedConv,
)
from bnstudy.training.replicas.lanes import kernel
from bnstudy.training.replicas.lanes.layout import GROUPED, OWN, SHARED, Signal, Stage

SMALL_WINDOW = 32  # products an output; up to it a convolution is sooner computed again than read from memory


class Convolution:
    """A stage with a convolution on one batch, and what its backward needs."""

    def __init__(self, stage: Stage, signal: Signal, lanes: int, backward: bool) -> None:
        self.stage, self.remember, self.group = stage, backward, signal.group
        x = signal.values
        self.weight, self.bias = stage.weight, stage.bias
        self.raw = None  # what a standardized weight is made of
        if isinstance(stage.layer, FoldedStandardizedConv):
            with torch.set_grad_enabled(backward):
                self.raw = stage.weight.detach().requires_grad_(backward)
                self.standardized = standardized_weight(self.raw, (0, 1, 2))
            self.weight = self.standardized.detach()
        self.normed = stage.norm is not None and stage.absorbed is None
        if signal.is_input:
            x = x.permute(0, 1, 3, 4, 2)
            sharing, x = (SHARED, x[0]) if signal.group is None else (GROUPED, x)
            batch, height, width = signal.values.shape[1], *signal.values.shape[3:5]
        else:
            sharing, (batch, height, width) = OWN, x.shape[1:4]
        if stage.absorbed:
            scale, shift = stage.affine()
            self.weight, self.bias = self.weight * scale, self.bias * scale + shift
        self.x = x.contiguous()
        side, _, inputs, outputs, replicas = self.weight.shape
        stride, padding = _steps(stage.layer, side)
        pool = 2 if stage.pool else 1
        sizes = (batch, height, width, inputs, outputs, side, stride, padding)
        self.block = kernel.Block(*sizes, stage.activation, pool, sharing)
        self.block.group = kernel.address(self.group)
        self.block.packs = packs = replicas // lanes
        self.block.groups, self.block.centred = stage.groups, isinstance(stage.norm, FoldedGroupNorm)
        rows, columns = ((size + 2 * padding - side) // stride + 1 for size in (height, width))
        self.shape = (packs, batch, rows, columns, outputs, lanes)
        self.pooled = (packs, batch, rows // pool, columns // pool, outputs, lanes)

    def forward(self, library: ctypes.CDLL) -> Tensor:
        """What the stage gives: (packs, samples, height, width, out, lanes)."""
        out = self.weight.new_empty(self.pooled)
        self.kept = self.mean = self.variance = None
        if self.normed and self.stage.norm:
            assert self.stage.gamma is not None
            self.block.eps = self.stage.norm.eps
            if isinstance(self.stage.norm, FoldedBatchNorm):
                self.mean, self.variance = torch.empty_like(self.stage.gamma), torch.empty_like(self.stage.gamma)
        if not self.remember:
            pass
        elif self.normed or self.stage.smooth:
            if self.block.inputs * self.block.kernel**2 > SMALL_WINDOW:
                self.kept = self.weight.new_empty(self.shape)  # what the convolution gave
        elif self.stage.activation:
            words = -(-self.block.outputs // (32 // self.block.pool**2))  # as the kernel packs them
            integer = torch.int32 if out.dtype == torch.float32 else torch.int64
            self.kept = torch.empty(*self.pooled[:4], words, out.shape[-1], dtype=integer)  # where the ReLU let through
        kernel.call(library, "forward", out.dtype, *self._inputs(), out)
        if self.mean is not None and self.variance is not None:
            self.stage.track(self.mean, self.variance, self.shape[1] * self.shape[2] * self.shape[3])
        return out

    def _inputs(self) -> tuple[Any, ...]:
        norm = self.stage.of_norm(self.mean, self.variance) if self.normed else kernel.Norm()
        return self.block, norm, self.x, self.weight, self.bias, self.kept

    def backward(
        self, library: ctypes.CDLL, gradient: Tensor, needs_input: bool
    ) -> tuple[Tensor | None, list[Tensor | None]]:
        """The gradients of the input (if needed) and of the stage's four parameters."""
        dx = torch.empty_like(self.x) if needs_input else None
        dw, db = torch.empty_like(self.weight), torch.empty_like(self.bias)
        dgamma, dbeta = (torch.empty_like(self.bias) if self.normed else None for _ in range(2))
        outputs = (dx, dw, db, dgamma, dbeta)
        kernel.call(library, "backward", dw.dtype, *self._inputs(), gradient.contiguous(), *outputs)
        if self.raw is not None:
            (dw,) = torch.autograd.grad(self.standardized, self.raw, dw)
        return dx, self.stage.as_gradients(dw, db, dgamma, dbeta)


def _steps(layer: FoldedConv | FoldedLinear | None, side: int) -> tuple[int, int]:
    """A convolution's stride and padding, the same in both directions."""
    assert isinstance(layer, FoldedConv)
    padding = {"same": side // 2, "valid": 0}.get(layer.options["padding"], layer.options["padding"])
    return layer.options["stride"][0], padding if isinstance(padding, int) else padding[0]
