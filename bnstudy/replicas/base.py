"""What every form of replicas offers."""

from __future__ import annotations

from abc import ABC, abstractmethod

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
    """

    size: int
    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]

    @abstractmethod
    def __call__(self, inputs: Tensor) -> Tensor:
        """Outputs of every replica.

        Parameters
        ----------
        inputs : Tensor, shape (groups, batch, ...)
            `groups` divides R: the first R/groups replicas see ``inputs[0]``, the next ``inputs[1]``, and so on.

        Returns
        -------
        Tensor, shape (R, batch, outputs)
        """

    @abstractmethod
    def train(self, mode: bool = True) -> None:
        """Switch between training and evaluation mode."""

    def state(self, replica: int) -> dict[str, Tensor]:
        """One replica's state, as the plain network's ``load_state_dict`` takes it."""
        both = {**self.parameters, **self.buffers}
        return {name: tensor[replica].detach().clone() for name, tensor in both.items()}
