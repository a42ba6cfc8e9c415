"""Replicas as the lanes of a CPU's vector registers.

A tensor that is (batch, channels, height, width) in the plain network is (packs, batch, height, width, channels, lanes)
here, so that one instruction works on one value of each replica of a pack, however few channels there are. Convolution,
norm, ReLU and pooling are one call of the kernel (``cpp/lanes.h``); what works on single values runs unchanged.

Parameters are stored as the kernel wants them, the replicas innermost; what autograd and optimizers see are views of
that memory with the plain network's shapes.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bnstudy.study.errors import first_line
from bnstudy.training.replicas.base import Part, Replicas
from bnstudy.training.replicas.folded import fold
from bnstudy.training.replicas.lanes import chain, kernel, self_check
from bnstudy.training.replicas.lanes.background import background_of
from bnstudy.training.replicas.lanes.kernel import Kernel
from bnstudy.training.replicas.lanes.layout import Signal, rows_like
from bnstudy.training.replicas.lanes.linear import Descent, LinearStage
from bnstudy.training.replicas.lanes.stages import runs_of
from bnstudy.training.replicas.lanes.supported import POOLING, has_convolutions, is_known, layers_of

USUAL_BYTES = 32  # of a register
FULL = 0.75  # of the lanes at least have to be in use where a library's products are as fast but for what lanes spare


class Lanes(Replicas):
    """Replicas as lanes; of a chain of known layers, on a CPU, where the kernel can be built."""

    name = "lanes"
    evaluation_batch = 250

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        built = kernel.attempt()
        assert isinstance(built, Kernel), "ask Lanes.suits first"
        self.library = built.library
        self.size = len(networks)
        self.module = fold(networks)
        self.parameters = dict(self.module.named_parameters())
        self.buffers = dict(self.module.named_buffers())
        self.lanes = built.lanes(next(iter(self.parameters.values())).dtype)
        self.packs = -(-self.size // self.lanes)
        pairs = list(zip(layers_of(networks[0]), layers_of(self.module), strict=True))
        self.runs = list(runs_of(pairs, self.packs * self.lanes))
        self.linear = [stage for run in self.runs if isinstance(run, list) for stage in run
                       if isinstance(stage, LinearStage)]  # fmt: skip
        *flat, last = self.runs
        # Of a network that is stages alone: those.
        self.chain = last if isinstance(last, list) and all(isinstance(run, nn.Flatten) for run in flat) else None
        self.descents: dict[LinearStage, Descent] = {}
        self.background: float | None = None

    @staticmethod
    def suits(network: nn.Module, device: torch.device, size: int) -> bool:
        """Whether this form can be used for so many replicas of a network, and may be the fastest.

        Products of a few replicas leave lanes idle, and a library does not. How many are few does not depend on how
        wide registers are here: another form computes other last digits.
        """
        dtypes = {parameter.dtype for parameter in network.parameters()}
        if device.type != "cpu" or len(dtypes) != 1 or not is_known(network):
            return False
        (dtype,) = dtypes
        usable = load()
        if usable is None or not usable.lanes(dtype):
            return False
        return has_convolutions(network) or enough(size, dtype)

    def __call__(self, inputs: Tensor, groups: Sequence[int] | None = None) -> Tensor:
        signal = self._seen(inputs, groups)
        for run in self.runs:
            if isinstance(run, list):
                parameters = [p for stage in run for p in stage.parameters]
                values = chain.Run.apply(signal.values, signal, run, self.library, self.lanes, *parameters)
                signal = Signal(values, is_input=False)
            elif isinstance(run, nn.Flatten):
                if signal.is_input:
                    signal = replace(signal, values=signal.values.flatten(2))
            elif isinstance(run, POOLING):
                signal = replace(signal, values=_pooled(run, signal.values))
            else:
                signal = replace(signal, values=run(signal.values))
        # (packs, batch, height, width, channels, lanes) to (replicas, batch, features), in the plain network's order
        return signal.values.permute(0, 5, 1, 4, 2, 3).flatten(0, 1).flatten(2)[: self.size]

    def _seen(self, inputs: Tensor, groups: Sequence[int] | None) -> Signal:
        return Signal(inputs, self._group(len(inputs), groups), background=self.background)

    def train(self, mode: bool = True) -> None:
        self.module.train(mode)
        self._forget()

    def _forget(self) -> None:
        """The weights may have been changed: what was summed of them does not hold."""
        for stage in self.linear:
            stage.row_sums = None

    def expect(self, images: Tensor) -> None:
        """Take the value that most of the inputs have as their background, if one does."""
        first = next((run[0] for run in self.runs if isinstance(run, list)), None)
        self.background = background_of(images) if isinstance(first, LinearStage) else None

    def descend(self, lr: Tensor, momentum: float, decay: float) -> bool:
        """Let gradients move the weights of linear layers as they are made; they are no leaves any more."""
        for stage in self.linear:
            if stage.may_descend:
                rate = F.pad(lr.to(stage.weight.dtype), (0, self.packs * self.lanes - self.size))
                self.descents[stage] = Descent(rows_like(stage.weight).zero_(), rate, momentum, decay)
        return bool(self.descents)

    @property
    def parts(self) -> tuple[Part, ...]:
        moved = {id(stage.layer.weight) for stage in self.descents}
        leaves = (p for p in self.parameters.values() if p.requires_grad and id(p) not in moved)
        return (Part(slice(0, self.size), tuple(leaves)),)

    def learn(
        self, inputs: Tensor, labels: Tensor, groups: Sequence[int], measured: bool = False
    ) -> tuple[Tensor, Tensor]:
        if not self.descents:
            self._forget()
            return self._learn(inputs, labels, groups)
        squares = torch.zeros(self.packs * self.lanes, dtype=torch.float64) if measured else None
        for stage, descent in self.descents.items():
            stage.descent = replace(descent, squares=squares)
        try:
            return self._learn(inputs, labels, groups)
        finally:
            self.squares = None if squares is None else squares[: self.size]
            for stage in self.descents:
                stage.descent = None

    def _learn(self, inputs: Tensor, labels: Tensor, groups: Sequence[int]) -> tuple[Tensor, Tensor]:
        if self.chain is None:
            return super().learn(inputs, labels, groups)
        for parameter in self.parameters.values():
            parameter.grad = None
        signal = self._seen(inputs.flatten(2) if isinstance(self.runs[0], nn.Flatten) else inputs, groups)
        return chain.learn(self.chain, signal, self._each(labels, groups), self.size, self.library, self.lanes)

    def _group(self, inputs: int, groups: Sequence[int] | None) -> Tensor | None:
        """Which input each replica sees; None where there is one for all."""
        if inputs == 1:
            return None
        chosen = groups or [r * inputs // self.size for r in range(self.size)]
        missing = self.packs * self.lanes - self.size
        return torch.tensor([*chosen, *[chosen[-1]] * missing], dtype=torch.int32)


def _pooled(layer: nn.Module, x: Tensor) -> Tensor:
    """A pooling layer's outputs: lanes are channels to it, and lie last in memory, as it likes them."""
    packs, lanes = x.shape[0], x.shape[-1]
    pooled: Tensor = layer(x.flatten(4).flatten(0, 1).permute(0, 3, 1, 2))
    return pooled.permute(0, 2, 3, 1).unflatten(0, (packs, -1)).unflatten(4, (-1, lanes))


# ------------------------------------------------------------------ whether the kernel is right here


def enough(size: int, dtype: torch.dtype) -> bool:
    """Whether so many replicas leave few lanes of usual registers idle."""
    lanes = USUAL_BYTES // dtype.itemsize
    return size >= FULL * lanes * -(-size // lanes)


def load() -> Kernel | None:
    """The kernel; None where it cannot be had, or is not right."""
    kernel_or_reason = attempt()
    return kernel_or_reason if isinstance(kernel_or_reason, Kernel) else None


@functools.cache
def attempt() -> Kernel | str:
    """The kernel, or why it is not used; what it computes on this machine is compared with PyTorch once a process."""
    built = kernel.attempt()
    if not isinstance(built, Kernel):
        return built
    for dtype, tolerance in ((torch.float32, 1e-4), (torch.float64, 1e-10)):
        try:
            if wrong := kernel.different_structures(built.library):
                return f"what {built.compiler} built lays out {wrong} otherwise than Python does"
            right = not built.lanes(dtype) or self_check.is_right(Lanes, dtype, tolerance)
        except AttributeError as error:
            return f"what {built.compiler} built is something else ({first_line(error)})"
        if not right:
            return f"what {built.compiler} built computes something else than PyTorch ({str(dtype)[6:]})"
    return built
