"""The stages of a chain: weight layers with what follows them, and the layers between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

from bnstudy.training.networks.layers import RootMeanSquare
from bnstudy.training.replicas.folded import FoldedLinear
from bnstudy.training.replicas.lanes.convolution import Convolution
from bnstudy.training.replicas.lanes.layout import ACTIVATIONS, NONE, Signal, Stage
from bnstudy.training.replicas.lanes.linear import LinearCall, LinearStage
from bnstudy.training.replicas.lanes.norm import NormCall, NormStage
from bnstudy.training.replicas.lanes.supported import is_halving


def call_of(stage: Stage, signal: Signal, lanes: int, backward: bool) -> Convolution | LinearCall | NormCall:
    """A stage on one batch; `backward` says whether its backward will be asked for."""
    if isinstance(stage, LinearStage):
        return LinearCall(stage, signal, lanes, backward)
    if isinstance(stage, NormStage):
        return NormCall(stage, signal.values.contiguous(), normed=True)
    return Convolution(stage, signal, lanes, backward)


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
            activation = next((number for kind, number in ACTIVATIONS.items() if take(kind)), NONE)
            pool = i < len(pairs) and is_halving(pairs[i][0]) and take(nn.AvgPool2d) is not None
            linear = isinstance(layer, FoldedLinear)
            run.append(
                LinearStage(layer, norm, activation, replicas)
                if linear
                else Stage(layer, norm, activation, pool, replicas)
            )
        elif run and take(nn.Flatten):
            pass  # a stage needs no flat input
        else:
            if run:
                yield run
            run = []
            yield take(nn.Module)
    if run:
        yield run
