"""The reference: one replica after the other, each through its own module's ``forward``.

What this form gives is what the replicas are defined to give; every other form is taken only where it was shown equal
to it. Hooks, parametrizations, buffers and attributes that a network changes, values that it reads and random numbers
that it draws are all its own, as they are when PyTorch trains it alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from bnstudy.study.errors import RAISED
from bnstudy.training import streams
from bnstudy.training.replicas.base import Part, Replicas, aliases_of, loss_and_correct

BY_STEP, BY_LAYER = "by step", "by layer"


class Reference(Replicas):
    """Replicas one after the other.

    Parameters
    ----------
    networks : sequence of nn.Module
        R networks, which are trained themselves, not copied.
    seeds : sequence of int, length R, optional
        Each replica's seed: whatever draws from global generators draws from streams of its own.
    draws : {"", "by step", "by layer"}
        Whether the networks draw in training, and from which streams: of the step, or of each layer in it. By default
        each layer is turned to a stream of its own from the first draw on.
    dtype : torch.dtype, optional
        Of the inputs, if not that of the parameters.
    """

    name = "one by one"
    is_recordable = False

    def __init__(
        self,
        networks: Sequence[nn.Module],
        seeds: Sequence[int] = (),
        draws: str = "",
        dtype: torch.dtype | None = None,
    ) -> None:
        self.networks = list(networks)
        self.size = len(self.networks)
        self.dtype = dtype
        self.seeds = tuple(seeds) or (0,) * self.size
        self.moment: tuple[str | int, ...] = ()
        self.aliases = aliases_of(self.networks[0])
        # Frozen ones too: a network may let go of them later.
        self.trainable = [[p for p in network.parameters() if can_learn(p)] for network in self.networks]
        self.leaves = [tuple(_seen_as_one(p) for p in trainable) for trainable in self.trainable]
        self.names = [{id(module): name for name, module in network.named_modules()} for network in self.networks]
        self.draws = [draws] * self.size
        self.outputs = 1  # of a sample, once they have been seen

    @property
    def parameters(self) -> dict[str, Tensor]:  # type: ignore[override]
        """Copies of the parameters, stacked."""
        return _stacked([dict(network.named_parameters()) for network in self.networks])

    @property
    def buffers(self) -> dict[str, Tensor]:  # type: ignore[override]
        """Copies of the buffers, stacked."""
        return _stacked([dict(network.named_buffers()) for network in self.networks])

    @property
    def parts(self) -> tuple[Part, ...]:
        return tuple(Part(slice(r, r + 1), leaves) for r, leaves in enumerate(self.leaves))

    def train(self, mode: bool = True) -> None:
        for network in self.networks:
            network.train(mode)

    def at(self, *moment: str | int) -> None:
        self.moment = moment

    def __call__(self, inputs: Tensor, groups: Sequence[int] | None = None) -> Tensor:
        chosen = self._index_of(inputs, groups).tolist()
        with streams.kept():
            return torch.stack([self._evaluate(r, inputs[group].clone()) for r, group in enumerate(chosen)])

    def learn(
        self, inputs: Tensor, labels: Tensor, groups: Sequence[int], measured: bool = False
    ) -> tuple[Tensor, Tensor]:
        chosen = self._index_of(inputs, groups).tolist()
        with streams.kept():
            learnt = [self._learn(r, inputs[group].clone(), labels[group]) for r, group in enumerate(chosen)]
        losses, correct = zip(*learnt, strict=True)
        return torch.stack(losses), torch.stack(correct)

    def stepped(self) -> None:
        for trainable, leaves in zip(self.trainable, self.leaves, strict=True):
            for parameter, leaf in zip(trainable, leaves, strict=True):
                if leaf.data_ptr() != parameter.data_ptr():
                    _real(parameter.data).copy_(leaf[0])

    def state(self, replica: int) -> dict[str, Tensor]:
        network = self.networks[replica]
        both = {**dict(network.named_parameters()), **dict(network.named_buffers())}
        tensors = {name: tensor.detach().clone() for name, tensor in both.items()}
        return tensors | {name: tensors[first] for name, first in self.aliases.items()}

    def _learn(self, replica: int, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        for p in self.networks[replica].parameters():
            p.grad = None
        try:
            logits = self._output(replica, inputs)
            losses, correct = loss_and_correct(logits[None], labels[None])
            losses.mean().backward()
        except RAISED:
            self._refuse_unless_diverged(replica)
            missing = torch.full(labels.shape, torch.nan, dtype=inputs.dtype, device=labels.device)
            return missing, torch.zeros_like(labels, dtype=torch.bool)
        self.outputs = logits.shape[1]
        for parameter, leaf in zip(self.trainable[replica], self.leaves[replica], strict=True):
            if leaf.data_ptr() != parameter.data_ptr():  # the network has put other values in place of its own
                leaf.copy_(_seen_as_one(parameter))
            leaf.grad = None if parameter.grad is None else _dense(parameter.grad)[None]
        return losses.detach()[0], correct[0]

    def _output(self, replica: int, inputs: Tensor) -> Tensor:
        network, name = self.networks[replica], ("draws", self.seeds[replica], *self.moment)
        streams.turn(*name)
        if self.draws[replica] == BY_LAYER and network.training:
            with layer_streams(self.names[replica], name):
                return network(inputs)
        before = streams.position()
        output = network(inputs)
        if not self.draws[replica] and streams.moved(before):
            self.draws[replica] = BY_LAYER
        return output

    def _evaluate(self, replica: int, inputs: Tensor) -> Tensor:
        try:
            return self._output(replica, inputs)
        except RAISED:
            self._refuse_unless_diverged(replica)
            return inputs.new_full((len(inputs), self.outputs), torch.nan)

    def _refuse_unless_diverged(self, replica: int) -> None:
        """Raise the error at hand, unless a parameter is no longer a number: a network may refuse to go on then."""
        if is_finite(self.networks[replica]):
            raise


def can_learn(parameter: nn.Parameter) -> bool:
    """Whether a parameter is of numbers that have a gradient."""
    return parameter.is_floating_point() or parameter.is_complex()


def is_finite(network: nn.Module) -> bool:
    """Whether every parameter is a number."""
    return all(bool(torch.isfinite(p).all()) for p in network.parameters())


def _seen_as_one(parameter: nn.Parameter) -> Tensor:
    """The parameter's own memory with a leading axis of one; complex numbers as pairs, as optimizers see them."""
    return _real(parameter.detach())[None]


def _dense(gradient: Tensor) -> Tensor:
    return _real(gradient.detach().to_dense() if gradient.is_sparse else gradient.detach())


def _real(values: Tensor) -> Tensor:
    return torch.view_as_real(values.resolve_conj()) if values.is_complex() else values


def _stacked(each: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
    return {name: torch.stack([tensors[name].detach() for tensors in each]) for name in each[0]}


@contextmanager
def layer_streams(names: dict[int, str], moment: Sequence[str | int]) -> Iterator[None]:
    """Let each layer (by its name, by the id of its module) draw from a stream of its own.

    What one layer draws then does not depend on what those before it drew: an arm whose norm draws shares the masks of
    all other layers with an arm whose norm does not.
    """
    outer: list[tuple[Any, ...]] = []
    calls: Counter[str] = Counter()
    turned = partial(streams.turn, *moment)

    def enter(module: nn.Module, _inputs: Any) -> None:
        if (name := names.get(id(module))) is not None:
            outer.append(streams.position())
            calls[name] += 1
            turned(name, calls[name])

    def leave(module: nn.Module, _inputs: Any, _output: Any) -> None:
        if id(module) in names:
            streams.restore(outer.pop())

    handles = [register_module_forward_pre_hook(enter), register_module_forward_hook(leave, always_call=True)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
