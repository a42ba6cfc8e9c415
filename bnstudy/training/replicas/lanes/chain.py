"""Stages in a row; and where a network is nothing else, its loss and gradients without autograd's bookkeeping.

Many small replicas take little longer in the kernel than Python and autograd need to call it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from bnstudy.training.replicas.lanes.convolution import Convolution
from bnstudy.training.replicas.lanes.layout import Signal, Stage, leave
from bnstudy.training.replicas.lanes.linear import LinearCall
from bnstudy.training.replicas.lanes.norm import NormCall
from bnstudy.training.replicas.lanes.stages import call_of

Call = Convolution | LinearCall | NormCall


def forward(
    stages: Sequence[Stage], signal: Signal, library: ctypes.CDLL, lanes: int, backward: bool
) -> tuple[Tensor, list[Call]]:
    """What stages give; and their calls, if their `backward` will be asked for."""
    calls = []
    for stage in stages:
        call = call_of(stage, signal, lanes, backward)
        signal = Signal(call.forward(library), is_input=False)
        if backward:
            calls.append(call)
    return signal.values, calls


class Run(torch.autograd.Function):
    """Stages in a row. The parameters are there for autograd; their values are read from the stages."""

    @staticmethod
    def forward(
        ctx: Any,
        values: Tensor,
        signal: Signal,
        stages: list[Stage],
        library: ctypes.CDLL,
        lanes: int,
        *parameters: Tensor,
    ) -> Tensor:
        values, ctx.calls = forward(stages, signal, library, lanes, any(ctx.needs_input_grad))
        ctx.library = library
        return values

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        of_parameters: list[Tensor | None] = []
        while ctx.calls:  # what a call kept is freed once it is used
            call = ctx.calls.pop()
            needs_input = bool(ctx.calls) or ctx.needs_input_grad[0]
            gradient, some = call.backward(ctx.library, gradient, needs_input)
            of_parameters = [*some, *of_parameters]
        return gradient, None, None, None, None, *of_parameters


@torch.no_grad()
def learn(
    stages: Sequence[Stage], signal: Signal, labels: Tensor, size: int, library: ctypes.CDLL, lanes: int
) -> tuple[Tensor, Tensor]:
    """Losses and whether predictions are right, (R, batch) each; the gradients are added to the stages' parameters.

    Parameters
    ----------
    stages, signal
        The network, and what it sees.
    labels : Tensor, shape (R, batch) or (1, batch)
    size : int
        R, the replicas; lanes beyond them stand still.
    library, lanes
        The kernel, and how many replicas it takes at once.
    """
    values, calls = forward(stages, signal, library, lanes, backward=True)
    losses, correct, gradient = _loss(values, labels, size)
    while calls:  # what a call kept is freed once it is used
        call = calls.pop()
        passed, gradients = call.backward(library, gradient, needs_input=bool(calls))
        for parameter, own in zip(call.stage.parameters, gradients, strict=True):
            leave(parameter, own)
        if passed is not None:
            gradient = passed
    return losses, correct


def _loss(values: Tensor, labels: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Cross-entropy, right predictions, and the gradient of the batch's mean, laid out as the signal is."""
    packs, batch, height, width, channels, lanes = values.shape
    # (R, classes, batch): the plain network's order of outputs, and the softmax is fastest with the batch last
    logits = values.permute(0, 5, 4, 2, 3, 1).reshape(packs * lanes, -1, batch)
    log_shares = F.log_softmax(logits[:size], 1)
    index = labels.expand(size, -1).unsqueeze(1)
    losses = -log_shares.gather(1, index).squeeze(1)
    # A prediction that is not a number is wrong, whatever max makes of it.
    correct = (logits[:size].max(1).indices == labels) & ~losses.isnan()
    shares = log_shares.exp_().mul_(1 / batch)
    shares.scatter_add_(1, index, torch.full_like(losses, -1 / batch).unsqueeze(1))
    whole = F.pad(shares, (0, 0, 0, 0, 0, packs * lanes - size)) if size < packs * lanes else shares
    laid = whole.view(packs, lanes, channels, height, width, batch).permute(0, 5, 3, 4, 2, 1)
    return losses, correct, laid.contiguous()
