"""Whether a faster form gives what the reference gives: tried in double precision before anything trains in it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bnstudy import streams
from bnstudy.replicas.base import Replicas
from bnstudy.replicas.reference import Reference

TOLERANCE = 1e-9  # relative, of a tensor's norm
ROUNDING = 1e-15  # relative, of a weight
GROWTH = 100.0  # times what rounding does to the reference itself, a form may be off
MOST = 1e-4  # whatever rounding does
SPREAD = 0.5  # of the weights' size, by which each replica's are moved, so that no two are alike
NEGLIGIBLE = 1e-3  # of all gradients' norm; a bias before a batch norm has no gradient but rounding
REPLICAS = 16  # tried at most

Form = Callable[[Sequence[nn.Module]], Replicas]
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
        cls, samples: tuple[Tensor, Tensor], groups: Sequence[int], sizes: Sequence[int], evaluation: Tensor
    ) -> Trial:
        """Batches of the sizes there are, seen by all replicas and by some.

        `groups` says for each replica which batch it sees in the study; where all see the same, each has one of its
        own here as well.
        """
        images, labels = samples
        groups = tuple(groups)[:REPLICAS]
        apart, shared = groups if groups[-1] else tuple(range(len(groups))), (0,) * len(groups)
        steps = []
        for size, seen in [(sizes[0], apart), (sizes[-1], shared), (sizes[-1], apart), (sizes[0], shared)]:
            which = torch.arange(size * (seen[-1] + 1), device=images.device) % len(labels)
            steps.append((images[which].unflatten(0, (-1, size)), labels[which].unflatten(0, (-1, size)), seen))
        return cls(tuple(steps), evaluation)


def shown_equal(forms: Sequence[Form], networks: Sequence[nn.Module], trial: Trial) -> Form | None:
    """The first of some forms that gives what the reference gives; None if none does.

    Compared are every sample's loss, every gradient and every buffer over the trial's batches in training mode, and the
    outputs in evaluation mode, all in float64, with weights of the networks' own size that differ in every replica.
    Forms may be off by rounding, and by what rounding makes of the reference itself.
    """
    networks = networks[:REPLICAS]
    try:
        moved = [_moved(network, replica) for replica, network in enumerate(networks)]
        wanted = _run(Reference, moved, trial)
        if not all(bool(torch.isfinite(value).all()) for value in wanted.values()):  # it would show little
            moved = [_moved(network, replica, own_size=False) for replica, network in enumerate(networks)]
            wanted = _run(Reference, moved, trial)
    except Exception:  # a network that cannot be copied, or cannot do with double precision
        return None
    allowed: float | None = None
    for form in forms:
        try:
            apart = distance(_run(form, moved, trial), wanted)
        except Exception:  # whatever it raises, this form is not for these networks
            continue
        if apart <= TOLERANCE:
            return form
        if allowed is None and apart <= MOST:
            shaken = [_shaken(network, replica) for replica, network in enumerate(moved)]
            allowed = GROWTH * distance(_run(Reference, shaken, trial), wanted)
        if allowed is not None and apart <= min(allowed, MOST):
            return form
    return None


def distance(found: Found, wanted: Found) -> float:
    """The largest distance of two tensors, over the norm of the wanted one; infinite where they cannot be compared."""
    if found.keys() != wanted.keys():
        return math.inf
    sizes = {name: float(value.nan_to_num(0.0, 0.0, 0.0).norm()) for name, value in wanted.items()}
    largest = 0.0
    for name, value in wanted.items():
        other = found[name]
        if other.shape != value.shape or not torch.equal(other.isfinite(), value.isfinite()):
            return math.inf
        step = name.partition("/")[0]
        size = max(sizes[name], NEGLIGIBLE * sizes.get(step, 0.0), 1e-12)
        largest = max(largest, float((other - value).nan_to_num(0.0, 0.0, 0.0).norm()) / size)
    return largest


def _run(form: Form, networks: Sequence[nn.Module], trial: Trial) -> Found:
    """What copies of some networks give in a form, by what it is; of gradients the norm of all of them too."""
    replicas = form([copy.deepcopy(network) for network in networks])
    replicas.train()
    found: Found = {}
    for i, (inputs, labels, seen) in enumerate(trial.steps):
        found[f"loss {i}"], _ = replicas.learn(inputs.double(), labels, seen)
        gradients = dict(_gradients(replicas))
        for replica in range(replicas.size):
            own = {name: value for (r, name), value in gradients.items() if r == replica}
            key = f"gradient {i} of {replica}"
            found |= {f"{key}/{name}": value for name, value in own.items()}
            found[key] = torch.stack([value.norm() for value in own.values()] or [torch.zeros(())]).norm()
            state = replicas.state(replica)
            found |= {f"{name} {i} of {replica}": state[name].double() for name in replicas.buffers}
    replicas.train(False)
    with torch.no_grad():
        found["output"] = replicas(trial.evaluation[None].double())
    return found


def _gradients(replicas: Replicas) -> Iterator[tuple[tuple[int, str], Tensor]]:
    for part in replicas.parts:
        for i, leaf in enumerate(part.leaves):
            if leaf.grad is not None:
                for replica, gradient in enumerate(leaf.grad.detach().clone(), start=part.replicas.start):
                    yield (replica, str(i)), gradient


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
