"""The fastest form that gives what plain networks give."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from bnstudy.study.errors import InputError
from bnstudy.training.replicas.base import Replicas
from bnstudy.training.replicas.equality import Trial, shown_equal
from bnstudy.training.replicas.folded import Folded, foldable
from bnstudy.training.replicas.lanes.by_layer import LanesByLayer
from bnstudy.training.replicas.lanes.lanes import Lanes
from bnstudy.training.replicas.reference import Reference
from bnstudy.training.replicas.traits import Traits
from bnstudy.training.replicas.vmapped import Vmapped


def replicate(
    networks: Sequence[nn.Module],
    traits: Traits,
    trial: Trial,
    seeds: Sequence[int] = (),
    compiled: bool = True,
    dtype: torch.dtype | None = None,
    names: Sequence[str] | None = None,
) -> Replicas:
    """Join networks of one structure, in the first form that is shown to be right for them.

    Parameters
    ----------
    networks : sequence of nn.Module
        R plain networks that differ in the values of their parameters and buffers alone.
    traits : Traits
        What was seen of another one of them.
    trial : Trial
        On which a form is compared with the reference.
    seeds : sequence of int, length R
        Of each replica, for what draws random numbers.
    compiled : bool
        Whether code of our own may be built and used.
    dtype : torch.dtype, optional
        Of the inputs, if not that of the parameters.
    names : sequence of str, optional
        Of the forms that may be taken; by default all.

    Raises
    ------
    InputError
        Two networks share a layer, or differ in structure.
    """
    refuse_unlike(networks)
    forms = [
        form for form in forms_for(networks[0], len(networks), traits, compiled) if names is None or form.name in names
    ]
    form = shown_equal(forms, networks, trial) if forms else None
    if form:
        return form(networks)  # type: ignore[call-arg]
    replicas = Reference(networks, seeds, traits.draws, dtype)
    replicas.reason = traits.obstacle or ("no faster form gives the same" if forms else "no other form is faster")
    return replicas


def forms_for(network: nn.Module, size: int, traits: Traits, compiled: bool) -> list[type[Replicas]]:
    """What may be tried for so many networks like one, the form that is mostly fastest first."""
    forms = list[type[Replicas]]()
    if traits.obstacle:
        return forms
    if compiled and Lanes.suits(network, next(network.parameters()).device, size):
        forms.append(Lanes)
    elif compiled and traits.channelwise and LanesByLayer.suits(network, next(network.parameters()).device, size):
        forms.append(LanesByLayer)
    if traits.channelwise and foldable(network):
        forms.append(Folded)
    return [*forms, Vmapped]


def refuse_unlike(networks: Sequence[nn.Module]) -> None:
    """InputError where networks cannot be replicas: two share a tensor, or they differ in structure."""
    first = structure(networks[0])
    seen: set[int] = set()
    for network in networks:
        own = {id(tensor) for tensor in (*network.parameters(), *network.buffers())}
        if own & seen:
            raise InputError(
                "the model gives two runs the same parameter or buffer; make each anew in every call", "models"
            )
        seen |= own
        if structure(network) != first:
            raise InputError(
                "the model gives runs of different seeds networks of different layers; give all the same", "models"
            )


def structure(network: nn.Module) -> list[tuple[object, ...]]:
    """A network's layers, parameters and buffers by name, with their classes and shapes."""
    layers = [(name, type(module).__qualname__) for name, module in network.named_modules()]
    named = [*network.named_parameters(), *network.named_buffers()]
    return [*layers, *((name, tuple(tensor.shape), tensor.requires_grad) for name, tensor in named)]
