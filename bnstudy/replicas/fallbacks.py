"""Forms that are right for any network, and slower."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from bnstudy.replicas.base import Replicas


class Vmapped(Replicas):
    """Replicas through ``torch.func.vmap`` over the plain network."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        self.size = len(networks)
        self.parameters, self.buffers = stack_module_state(list(networks))
        self.module = copy.deepcopy(networks[0])

    def __call__(self, inputs: Tensor, groups: Sequence[int] | None = None) -> Tensor:
        inputs = self._evenly(inputs, groups)
        shared = inputs.shape[0] == 1
        x = inputs[0] if shared else inputs.repeat_interleave(self.size // inputs.shape[0], dim=0)
        return vmap(self._one, in_dims=(0, 0, None if shared else 0))(self.parameters, self.buffers, x)

    def _one(self, parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(self.module, (parameters, buffers), (x,))

    def train(self, mode: bool = True) -> None:
        self.module.train(mode)


class Looped(Vmapped):
    """Replicas one at a time: right for any network."""

    def __call__(self, inputs: Tensor, groups: Sequence[int] | None = None) -> Tensor:
        inputs = self._evenly(inputs, groups)
        parameters = {name: p.unbind() for name, p in self.parameters.items()}
        each = self.size // inputs.shape[0]
        outputs = [
            self._one(
                {name: p[r] for name, p in parameters.items()},
                {name: b[r] for name, b in self.buffers.items()},
                inputs[r // each],
            )
            for r in range(self.size)
        ]
        return torch.stack(outputs)
