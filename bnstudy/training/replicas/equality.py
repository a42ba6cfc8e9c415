"""Whether a faster form gives what the reference gives: tried in double precision before anything trains in it."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from bnstudy.study.errors import RAISED
from bnstudy.training import streams
from bnstudy.training.replicas.base import Replicas
from bnstudy.training.replicas.reference import Reference

TOLERANCE = 1e-9  # relative, of a tensor's norm
ROUNDING = 1e-15  # relative, of a weight
GROWTH = 100.0  # times what rounding does to the reference itself, a form may be off
MOST = 1e-4  # whatever rounding does
SPREAD = 0.5  # of the weights' size, by which each replica's are moved, so that no two are alike
NEGLIGIBLE = 0.1  # of all gradients' norm: a bias before a batch norm has none but the rounding of 100,000 terms
REPLICAS, PARAMETERS = 16, 4e7  # tried at most, of the replicas of an ensemble
SECONDS = 0.1  # that a step of the reference may take; else fewer replicas are tried
GRADIENT = "gradient of "

Form = Callable[[Sequence[nn.Module]], Replicas]
F = TypeVar("F", bound=Callable[..., Replicas])
Found = dict[str, Tensor]


@dataclass(frozen=True)
class Trial:
    """What the replicas of an ensemble will see.

    Attributes
    ----------
    steps : tuple of (Tensor, Tensor, tuple of int)
        Batches to learn from: inputs (inputs, batch, ...), labels (inputs, batch) and for each replica which it sees.
    evaluation : Tensor, shape (batch, ...)
        Inputs that all replicas are evaluated on.
    """

    steps: tuple[tuple[Tensor, Tensor, tuple[int, ...]], ...]
    evaluation: Tensor

    @classmethod
    def of(
        cls,
        samples: tuple[Tensor, Tensor],
        groups: Sequence[int],
        sizes: Sequence[int],
        evaluation: Tensor,
        parameters: int = 0,
        thorough: bool = True,
    ) -> Trial:
        """Batches of the sizes there are, seen by all replicas and by some: every combination, or each size once.

        `groups` says for each replica which batch it sees in the study; where all see the same, each has one of its
        own here as well. Of networks with many `parameters` not all replicas are tried.
        """
        images, labels = samples
        groups = tuple(groups)[: max(2, min(REPLICAS, int(PARAMETERS / max(1, parameters))))]
        apart, shared = groups if groups[-1] else tuple(range(len(groups))), (0,) * len(groups)
        steps = []
        pairs = [(sizes[0], apart), (sizes[-1], shared), (sizes[-1], apart), (sizes[0], shared)]
        for size, seen in pairs if thorough else pairs[:2]:
            which = torch.arange(size * (seen[-1] + 1), device=images.device) % len(labels)
            steps.append((images[which].unflatten(0, (-1, size)), labels[which].unflatten(0, (-1, size)), seen))
        return cls(tuple(steps), evaluation)

    def of_few(self, replicas: int) -> Trial:
        """The same for the first replicas alone."""
        steps = []
        for inputs, labels, seen in self.steps:
            seen = seen[:replicas]
            steps.append((inputs[: seen[-1] + 1], labels[: seen[-1] + 1], seen))
        return replace(self, steps=tuple(steps))


def shown_equal(forms: Sequence[F], networks: Sequence[nn.Module], trial: Trial) -> F | None:
    """The first of some forms that gives what the reference gives; None if none does.

    Compared are every sample's loss, every gradient and every buffer over the trial's batches in training mode, and the
    outputs in evaluation mode, all in float64, with weights of the networks' own size that differ in every replica.
    Forms may be off by rounding, and by what rounding makes of the reference itself. Of networks whose step takes long
    not all replicas are tried.
    """
    networks = networks[: len(trial.steps[0][2])]
    try:
        moved = [_moved(network, replica) for replica, network in enumerate(networks)]
        started = time.perf_counter()
        first = next(_steps(Reference(copy.deepcopy(moved)), trial))
        few = max(2, int(len(moved) * SECONDS / (time.perf_counter() - started)))
        if few < len(moved):
            moved, networks, trial = moved[:few], networks[:few], trial.of_few(few)
        if not all(bool(value.isfinite().all()) for value in first.values()):  # it would show little
            moved = [_moved(network, replica, own_size=False) for replica, network in enumerate(networks)]
        return next(
            (form for form in forms if _is_equal(form, moved, trial) and _overflows_alike(form, networks, trial)), None
        )
    except RAISED:  # a network that cannot be copied, or cannot do with double precision
        return None


def _is_equal(form: Form, networks: Sequence[nn.Module], trial: Trial) -> bool:
    apart = _apart(form, networks, trial)
    if TOLERANCE < apart <= MOST:
        shaken = [_shaken(network, replica) for replica, network in enumerate(networks)]
        return apart <= GROWTH * _apart(lambda _: Reference(shaken), networks, trial)
    return apart <= TOLERANCE


def _overflows_alike(form: Form, networks: Sequence[nn.Module], trial: Trial) -> bool:
    """Whether a form has its NaN where the reference has, in the networks' own precision and with their own weights."""
    few = Trial(trial.steps[:1], trial.evaluation)
    pairs = zip(*(_steps(make(copy.deepcopy(networks)), few) for make in (form, Reference)), strict=True)
    return all(
        torch.equal(given[name].isfinite(), value.isfinite())
        for given, wanted in pairs
        for name, value in wanted.items()
    )


def _apart(form: Form, networks: Sequence[nn.Module], trial: Trial) -> float:
    """How far a form is from the reference at most; they go on side by side, so that little has to be kept."""
    reference = Reference(copy.deepcopy(networks))
    largest = 0.0
    try:
        for given, wanted in zip(_steps(form(copy.deepcopy(networks)), trial), _steps(reference, trial), strict=True):
            largest = max(largest, distance(given, wanted))
            if largest > MOST:
                break
    except RAISED:  # whatever it raises, this form is not for these networks
        return math.inf
    return largest


def distance(found: Found, wanted: Found) -> float:
    """The largest distance of a replica's tensor from the wanted one, over its norm; infinite if it has no number."""
    if found.keys() != wanted.keys():
        return math.inf
    sizes = {name: _norms(value) for name, value in wanted.items()}
    gradients = [size for name, size in sizes.items() if name.startswith(GRADIENT)]
    least = NEGLIGIBLE * torch.stack(gradients).norm(dim=0) if gradients else torch.zeros(())
    largest = 0.0
    for name, value in wanted.items():
        other = found[name]
        if other.shape != value.shape or not torch.equal(other.isfinite(), value.isfinite()):
            return math.inf
        floor = least if name.startswith(GRADIENT) else torch.zeros(())
        size = torch.maximum(sizes[name], floor.clamp(min=1e-12))
        largest = max(largest, float((_norms(other - value) / size).max()))
    return largest


def _norms(values: Tensor) -> Tensor:
    """Of each replica's part (R, ...); what is not finite counts as nothing."""
    return values.nan_to_num(0.0, 0.0, 0.0).flatten(1).norm(dim=1)


def _steps(replicas: Replicas, trial: Trial) -> Iterator[Found]:
    """What replicas give in each step and in evaluation, by what it is, each (R, ...)."""
    replicas.expect(trial.evaluation)
    replicas.train()
    dtype = next(iter(replicas.parameters.values())).dtype
    for inputs, labels, seen in trial.steps:
        losses, _ = replicas.learn(inputs.to(dtype, copy=True), labels, seen)
        values = {"loss": losses}
        parts = [part.leaves for part in replicas.parts]
        each = [[leaf.grad for leaf in leaves if leaf.grad is not None] for leaves in zip(*parts, strict=True)]
        for j, gradients in enumerate(filter(None, each)):  # if not of all replicas, its shape will tell
            values[f"{GRADIENT}{j}"] = torch.cat(gradients)
        yield values | {name: b.double().view(replicas.size, -1) for name, b in replicas.buffers.items()}
    replicas.train(False)
    with torch.no_grad():
        output = replicas(trial.evaluation[None].to(dtype, copy=True))
    yield {"output": output}


@torch.no_grad()
def _moved(network: nn.Module, replica: int, own_size: bool = True) -> nn.Module:
    """A copy in double precision whose weights are moved at random, by a part of their own size or of a usual one."""
    network = copy.deepcopy(network).double()
    for name, p in network.named_parameters():
        size = float(p.square().mean().sqrt()) if p.numel() else 0.0
        usual = 1 / math.sqrt(p[0].numel()) if p.dim() > 1 and p.numel() else 0.1
        noise = torch.randn(p.shape, generator=streams.generator("trial", replica, name), dtype=p.dtype).to(p.device)
        if own_size:
            p.add_(noise * (SPREAD * size if 0 < size < math.inf else usual))
        else:
            p.copy_(noise * usual + (p.dim() < 2))
    return network


@torch.no_grad()
def _shaken(network: nn.Module, replica: int) -> nn.Module:
    """A copy whose weights are off by rounding."""
    network = copy.deepcopy(network)
    for name, p in network.named_parameters():
        noise = torch.randn(p.shape, generator=streams.generator("shaken", replica, name), dtype=p.dtype).to(p.device)
        p.mul_(1 + ROUNDING * noise)
    return network
