"""What every form of replicas offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor


class Replicas(ABC):
    """R independent copies of one network.

    Attributes
    ----------
    size : int
        R, the number of replicas.
    parameters : dict of str to Tensor
        The plain network's parameters by name, each with a leading axis of length R. They are leaves.
    buffers : dict of str to Tensor
        Likewise its buffers.
    evaluation_batch : int
        Samples at a time that are quickest to evaluate.
    """

    evaluation_batch: int = 1000

    size: int
    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]
    _index: tuple[Sequence[int], Tensor] | None = None

    @abstractmethod
    def __call__(self, inputs: Tensor, groups: Sequence[int] | None = None) -> Tensor:
        """Outputs of every replica.

        Parameters
        ----------
        inputs : Tensor, shape (inputs, batch, ...)
            One batch for all replicas, or several.
        groups : sequence of int, length R, optional
            For each replica the batch it sees, in ascending order. By default the first R/inputs replicas see
            ``inputs[0]``, the next ``inputs[1]``, and so on.

        Returns
        -------
        Tensor, shape (R, batch, outputs)
        """

    @abstractmethod
    def train(self, mode: bool = True) -> None:
        """Switch between training and evaluation mode."""

    def _evenly(self, inputs: Tensor, groups: Sequence[int] | None) -> Tensor:
        """Inputs of which each is seen by the same number of replicas, in order."""
        each, left = divmod(self.size, len(inputs))
        if groups is None or (not left and list(groups) == [r // each for r in range(self.size)]):
            return inputs
        if self._index is None or self._index[0] != groups:  # made once: a recorded step must not read the host
            self._index = (groups, torch.tensor(groups, device=inputs.device))
        return inputs[self._index[1]]

    def state(self, replica: int) -> dict[str, Tensor]:
        """One replica's state, as the plain network's ``load_state_dict`` takes it."""
        both = {**self.parameters, **self.buffers}
        return {name: tensor[replica].detach().clone() for name, tensor in both.items()}
