"""Replicas through ``torch.func.vmap`` over the plain network: no replica can reach another."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from bnstudy.training.replicas.base import Replicas, aliases_of


class Vmapped(Replicas):
    """Replicas through ``torch.func.vmap``."""

    name = "vmap"

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        self.size = len(networks)
        self.parameters = {
            name: stacked.requires_grad_(networks[0].get_parameter(name).requires_grad)
            for name, stacked in _stacked([dict(network.named_parameters()) for network in networks]).items()
        }
        self.buffers = _stacked([dict(network.named_buffers()) for network in networks])
        self.module = networks[0]
        self.aliases = aliases_of(self.module)

    def __call__(self, inputs: Tensor, groups: Sequence[int] | None = None) -> Tensor:
        inputs = self._evenly(inputs, groups)
        shared = inputs.shape[0] == 1
        x = inputs[0] if shared else inputs.repeat_interleave(self.size // inputs.shape[0], dim=0)
        return vmap(self._one, in_dims=(0, 0, None if shared else 0))(self.parameters, self.buffers, x)

    def _one(self, parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(self.module, (parameters, buffers), (x,))

    def train(self, mode: bool = True) -> None:
        self.module.train(mode)


def _stacked(each: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([tensors[name].detach() for tensors in each]) for name in each[0]}
