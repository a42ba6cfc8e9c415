"""A linear layer with what follows it: its products, then its norm, by calls of the kernel.

An input of which most is one value, x = c + s, is multiplied as W x = W s + c (row sums of W), and the gradient of W
likewise: what is listed of a batch's s is read by all replicas, forward and backward. Where the optimizer is gradient
descent the gradient of the weights is not written: the pass that makes it moves them.
"""

from __future__ import annotations

import ctypes
import weakref
from dataclasses import dataclass

import torch
from torch import Tensor

from bnstudy.training.networks.layers import standardized_weight
from bnstudy.training.replicas.folded import (
    FoldedLinear,
    FoldedStandardizedLinear,
)
from bnstudy.training.replicas.lanes import kernel
from bnstudy.training.replicas.lanes.layout import (
    GROUPED,
    OWN,
    RELU,
    SHARED,
    FoldedNorm,
    Signal,
    Stage,
    as_parameter,
    leave,
    rows_like,
)
from bnstudy.training.replicas.lanes.norm import NormCall


@dataclass
class Descent:
    """How gradients move a layer's weights: v = momentum v + g + decay w, w = w - rate v.

    `velocity` is laid out like the weights, `rate` (replicas,) like their lanes; `squares` (replicas,), if it is not
    None, gets the sum of the gradient's squares added.
    """

    velocity: Tensor
    rate: Tensor
    momentum: float
    decay: float
    squares: Tensor | None = None


class LinearStage(Stage):
    """A linear layer and what follows it.

    `descent` is there while gradients are to move the weights. `row_sums` (out, replicas) are those of the weights as
    they are, where these cannot have changed since they were taken.
    """

    layer: FoldedLinear

    def __init__(self, layer: FoldedLinear, norm: FoldedNorm | None, activation: int, replicas: int) -> None:
        super().__init__(layer, norm, activation, False, replicas)
        self.descent: Descent | None = None
        self.row_sums: Tensor | None = None

    @property
    def may_descend(self) -> bool:
        """Whether gradients may move the weights as they are made: they enter the product as they are."""
        weight = self.layer.weight
        return not isinstance(self.layer, FoldedStandardizedLinear) and weight is not None and weight.requires_grad


class LinearCall:
    """A linear stage on one batch, and what its backward needs."""

    def __init__(self, stage: LinearStage, signal: Signal, lanes: int, backward: bool) -> None:
        self.stage, self.lanes, self.remember = stage, lanes, backward
        self.weight, self.raw = stage.weight, None
        if isinstance(stage.layer, FoldedStandardizedLinear):
            with torch.set_grad_enabled(backward):
                self.raw = stage.weight.detach().requires_grad_(backward)
                self.standardized = standardized_weight(self.raw, (0,))
            self.weight = rows_like(self.raw.detach()).copy_(self.standardized.detach())
        self.normed = stage.norm is not None and stage.absorbed is None
        self.followed = self.normed or stage.smooth  # by a block of the kernel without a product
        self.x, self.order, self.shape = signal.values.contiguous(), None, signal.values.shape
        inputs, self.outputs, replicas = self.weight.shape
        self.packs, self.samples = replicas // lanes, signal.values.shape[1]
        if signal.is_input:
            sharing = SHARED if signal.group is None else GROUPED
        else:
            sharing, self.order = OWN, _order(signal.values)
        self.group = signal.group
        row = self.weight.stride(0) // lanes
        self.linear = kernel.Linear(self.samples, inputs, self.outputs, self.packs, row, sharing, len(self.x))
        self.linear.group, self.linear.order = kernel.address(self.group), kernel.address(self.order)
        self.linear.relu = stage.activation == RELU and not self.followed
        self.is_sparse = signal.is_input and signal.background is not None
        self.linear.background = signal.background or 0.0

    def forward(self, library: ctypes.CDLL) -> Tensor:
        """What the stage gives: (packs, samples, 1, 1, out, lanes)."""
        dtype = self.weight.dtype
        self.sparse = _Listed(library, dtype, self.linear, self.x) if self.is_sparse else None
        row_sums = self._row_sums(library) if self.is_sparse else None
        scale, shift = self.stage.affine() if self.stage.absorbed else (None, None)
        self.given = self.weight.new_empty(self.packs, self.samples, 1, 1, self.outputs, self.lanes)
        kernel.call(library, "linear", dtype, self.linear, self.x, self._pointer, kernel.address_of_rows(self.weight),
                    self.stage.bias, row_sums, scale, shift, self.given)  # fmt: skip
        if not self.followed:
            return self.given
        # A batch norm sees one image, a sample a row; other norms see each sample.
        rows = self.given if self.stage.groups and self.normed else self.given.transpose(1, 2)
        self.norm = NormCall(self.stage, rows, self.normed)
        return self.norm.forward(library).view_as(self.given)

    @property
    def _pointer(self) -> int | None:
        return self.sparse.pointer if self.sparse else None

    def _row_sums(self, library: ctypes.CDLL) -> Tensor:
        if self.stage.row_sums is not None and self.raw is None:
            return self.stage.row_sums
        sums = torch.empty_like(self.stage.bias)
        kernel.call(library, "sum_rows", sums.dtype, self.linear, kernel.address_of_rows(self.weight), sums)
        if self.raw is None and (self.stage.descent or not self.remember):
            self.stage.row_sums = sums
        return sums

    def backward(
        self, library: ctypes.CDLL, gradient: Tensor, needs_input: bool
    ) -> tuple[Tensor | None, list[Tensor | None]]:
        """The gradients of the input (if needed) and of the stage's parameters; that of its weights is left there."""
        dtype, weight = self.weight.dtype, kernel.address_of_rows(self.weight)
        if self.followed:
            dy, gradients = self.norm.backward(library, gradient)
        else:
            dy, db = torch.empty_like(self.given), torch.empty_like(self.stage.bias)
            kernel.call(library, "output_gradient", dtype, self.linear, self.given, gradient.contiguous(), dy, db)
            gradients = self.stage.as_gradients(None, db, None, None)
        dx = None
        if needs_input:
            dx = self.x.new_empty(self.shape)
            kernel.call(library, "input_gradient", dtype, self.linear, weight, dy, dx)
        inputs = (self.x, self._pointer, dy)
        if descent := self.stage.descent:
            if self.is_sparse and self.stage.row_sums is None:
                self.stage.row_sums = torch.empty_like(self.stage.bias)
            by = kernel.Descent(*map(kernel.address, (None, descent.rate, self.stage.row_sums, descent.squares)))
            by.momentum, by.keep, by.decay = kernel.address_of_rows(descent.velocity), descent.momentum, descent.decay
            kernel.call(library, "descend", dtype, self.linear, by, *inputs, weight)
            return dx, gradients
        dw = rows_like(self.weight)
        kernel.call(library, "weight_gradient", dtype, self.linear, *inputs, kernel.address_of_rows(dw))
        if self.raw is not None:
            (dw,) = torch.autograd.grad(self.standardized, self.raw, dw)
        parameter = self.stage.layer.weight
        assert parameter is not None
        leave(parameter, as_parameter(dw, parameter))
        return dx, gradients


def _order(values: Tensor) -> Tensor | None:
    """Which of the plain network's flattened inputs each of a signal's is; None where that is no other order."""
    height, width, channels = values.shape[2:5]
    if (height, width) == (1, 1):
        return None
    plain = torch.arange(height * width * channels, dtype=torch.int32).view(channels, height, width)
    return plain.permute(1, 2, 0).flatten().contiguous()


class _Listed:
    """What differs from the background in a batch; freed with this object."""

    def __init__(self, library: ctypes.CDLL, dtype: torch.dtype, linear: kernel.Linear, x: Tensor) -> None:
        self.pointer = kernel.make(library, "sparse", dtype, linear, x)
        weakref.finalize(self, kernel.call, library, "release", dtype, self.pointer)
