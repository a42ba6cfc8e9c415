"""Any ``nn.Module`` as R independent copies in one module.

Four forms, the fastest first: *lanes* (the replicas fill the vector registers of a CPU; needs a C++ compiler), *folded*
(the replicas are channels), ``torch.func.vmap``, and one replica at a time. The last two take any network; the first
two know the layers that plain networks are made of.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from bnstudy.replicas.base import Replicas
from bnstudy.replicas.fallbacks import Looped, Vmapped
from bnstudy.replicas.folded import Folded, foldable, is_plain
from bnstudy.replicas.lanes import Lanes

__all__ = ["Folded", "Lanes", "Looped", "Replicas", "Vmapped", "replicate"]


def replicate(networks: Sequence[nn.Module], example: Tensor, compiled: bool = True) -> Replicas:
    """Join networks of one structure into one module, in the fastest form that is right for them.

    Parameters
    ----------
    networks : sequence of nn.Module
        R plain networks that differ in their parameters and buffers alone.
    example : Tensor, shape (batch, ...)
        A few inputs (at least two, for batch norm) on which a form that rests on assumptions is tried first.
    compiled : bool
        Whether code of our own may be built and used.
    """
    if compiled and Lanes.suits(networks[0], example.device):
        return Lanes(networks)
    if foldable(networks[0]):
        folded = Folded(networks)
        if is_plain(networks[0]) or _agrees(Folded, networks, example):
            return folded
    return Vmapped(networks) if _agrees(Vmapped, networks, example) else Looped(networks)


def _agrees(form: Callable[[Sequence[nn.Module]], Replicas], networks: Sequence[nn.Module], example: Tensor) -> bool:
    """Whether a form runs and gives, in float64, what the networks give alone."""
    networks = [copy.deepcopy(network).double() for network in networks[:3]]
    example = example.double()
    try:
        replicas = form([copy.deepcopy(network) for network in networks])
        outputs = replicas(example[None])
    except Exception:  # whatever the user's forward raises, this form is not for it
        return False
    alone = torch.stack([network(example) for network in networks])
    return outputs.shape == alone.shape and torch.allclose(outputs, alone, rtol=1e-9, atol=1e-12, equal_nan=True)
