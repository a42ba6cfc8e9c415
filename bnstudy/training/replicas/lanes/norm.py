"""A norm and an activation of what a layer gave, as one call of the kernel: a block without a product."""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor

from bnstudy.training.replicas.folded import FoldedBatchNorm, FoldedGroupNorm
from bnstudy.training.replicas.lanes import kernel
from bnstudy.training.replicas.lanes.layout import NONE, OWN, FoldedNorm, Stage


class NormCall:
    """The norm and activation of a stage on one batch, and what their backward needs.

    `given` is (packs, samples, height, width, channels, lanes). Without `normed` there is the activation alone.
    """

    def __init__(self, stage: Stage, given: Tensor, normed: bool) -> None:
        self.stage, self.given, self.normed = stage, given, normed
        packs, samples, height, width, channels, _ = given.shape
        self.count = samples * height * width
        self.block = kernel.Block(samples, height, width, 0, channels, 1, 1, 0, stage.activation, 1, OWN, given=1)
        self.block.packs, self.mean, self.variance = packs, None, None
        if normed and stage.norm:
            norm = stage.norm
            self.block.eps, self.block.groups, self.block.centred = (
                norm.eps,
                stage.groups,
                isinstance(norm, FoldedGroupNorm),
            )
            if isinstance(norm, FoldedBatchNorm):
                self.mean, self.variance = torch.empty_like(stage.bias), torch.empty_like(stage.bias)

    def forward(self, library: ctypes.CDLL) -> Tensor:
        """What they give, laid out as what was given."""
        out = torch.empty_like(self.given)
        kernel.call(library, "forward", out.dtype, *self._inputs(), out)
        if self.mean is not None and self.variance is not None:
            self.stage.track(self.mean, self.variance, self.count)
        return out

    def backward(self, library: ctypes.CDLL, gradient: Tensor, needs_input: bool = True) -> tuple[Tensor, list[Any]]:
        """The gradients of what was given, and of the stage's four parameters."""
        dy, db = torch.empty_like(self.given), torch.empty_like(self.stage.bias)
        dgamma, dbeta = (torch.empty_like(db) if self.normed else None for _ in range(2))
        outputs = (gradient.contiguous(), dy, None, db, dgamma, dbeta)
        kernel.call(library, "backward", dy.dtype, *self._inputs(), *outputs)
        return dy, self.stage.as_gradients(None, db, dgamma, dbeta)

    def _inputs(self) -> tuple[Any, ...]:
        norm = self.stage.of_norm(self.mean, self.variance) if self.normed else kernel.Norm()
        return self.block, norm, None, None, None, self.given


class NormStage(Stage):
    """A norm by itself; of some channels and so many replicas as lanes can take."""

    def __init__(self, norm: FoldedNorm, channels: int, dtype: torch.dtype, replicas: int) -> None:
        self.channels, self.dtype = channels, dtype
        super().__init__(None, norm, NONE, False, replicas)

    def _missing(self, name: str) -> Tensor:
        return torch.full((self.channels, self.replicas), float(name == "weight"), dtype=self.dtype)
