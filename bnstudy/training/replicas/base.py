"""What every form of replicas offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Part:
    """Replicas whose parameters lie together: which ones, and the leaves that an optimizer moves.

    Each leaf is a trainable parameter with a leading axis, as long as the part; its ``grad`` is None where the loss
    does not depend on it.
    """

    replicas: slice
    leaves: tuple[Tensor, ...]


class Replicas(ABC):
    """R independent copies of one network.

    Attributes
    ----------
    name : str
        What the form is called in what is stored.
    size : int
        R, the number of replicas.
    parameters : dict of str to Tensor
        The plain network's parameters by name, each with a leading axis of length R.
    buffers : dict of str to Tensor
        Likewise its buffers.
    aliases : dict of str to str
        Other names of tied parameters and shared buffers, and the name that they go by here.
    evaluation_batch : int
        Samples at a time that are quickest to evaluate.
    dtype : torch.dtype, optional
        Of the inputs; that of the parameters by default.
    reason : str
        Why no faster form was taken, where that is worth telling.
    is_recordable : bool
        Whether a step is the same work every time, so that it may be recorded as a CUDA graph.
    squares : Tensor, shape (R,), optional
        The sum of squares of the last gradients that :meth:`learn` did not leave.
    """

    name: str
    reason: str = ""
    evaluation_batch: int = 1000
    dtype: torch.dtype | None = None
    is_recordable: bool = True

    size: int
    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]
    aliases: dict[str, str] = {}  # noqa: RUF012 (replaced, never changed)
    squares: Tensor | None = None
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

    @property
    def described(self) -> str:
        """The form, and why it is not a faster one."""
        return f"{self.name} ({self.reason})" if self.reason else self.name

    @property
    def parts(self) -> tuple[Part, ...]:
        """All replicas, by whose parameters lie together."""
        return (Part(slice(0, self.size), tuple(p for p in self.parameters.values() if p.requires_grad)),)

    def at(self, *moment: str | int) -> None:  # noqa: B027 (most forms need not know)
        """Say when the next call happens: what draws random numbers draws from the streams of that moment."""

    def expect(self, images: Tensor) -> None:  # noqa: B027 (most forms need not know)
        """Say what the inputs are going to be like: (samples, ...) of the training data, as :meth:`learn` gets them."""

    def descend(self, lr: Tensor, momentum: float, decay: float) -> bool:
        """Ask that :meth:`learn` moves weights by gradient descent with momentum as it makes their gradients.

        Returns whether it will: those that it moves are no :attr:`parts` any more, and have no gradient. `lr` is (R,).
        """
        return False

    def learn(
        self, inputs: Tensor, labels: Tensor, groups: Sequence[int], measured: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Losses and whether predictions are right, each (R, batch), of one batch; leaves each replica's gradients.

        `labels` are (inputs, batch), as the inputs of :meth:`__call__`. Of gradients that are not left, `squares` holds
        the sum of squares if they are to be `measured`.
        """
        for part in self.parts:
            for leaf in part.leaves:
                leaf.grad = None
        logits = self(inputs, groups)
        losses, correct = loss_and_correct(logits, self._each(labels, groups))
        # Replicas share nothing, so the gradient of the sum is each one's own.
        losses.mean(1).sum().backward()
        return losses.detach(), correct

    def stepped(self) -> None:  # noqa: B027
        """The optimizer has moved the leaves."""

    def _each(self, labels: Tensor, groups: Sequence[int] | None) -> Tensor:
        """Labels of every replica (R, batch); (1, batch) where all see the same."""
        return labels if len(labels) == 1 else labels[self._index_of(labels, groups)]

    def _evenly(self, inputs: Tensor, groups: Sequence[int] | None) -> Tensor:
        """Inputs of which each is seen by the same number of replicas, in order."""
        each, left = divmod(self.size, len(inputs))
        if groups is None or (not left and list(groups) == [r // each for r in range(self.size)]):
            return inputs
        return inputs[self._index_of(inputs, groups)]

    def _index_of(self, inputs: Tensor, groups: Sequence[int] | None) -> Tensor:
        chosen = tuple(groups) if groups is not None else tuple(r * len(inputs) // self.size for r in range(self.size))
        if self._index is None or self._index[0] != chosen:  # made once: a recorded step must not read the host
            self._index = (chosen, torch.tensor(chosen, device=inputs.device))
        return self._index[1]

    def state(self, replica: int) -> dict[str, Tensor]:
        """One replica's state, as the plain network's ``load_state_dict`` takes it."""
        both = {**self.parameters, **self.buffers}
        tensors = {name: tensor[replica].detach().clone() for name, tensor in both.items()}
        return tensors | {name: tensors[first] for name, first in self.aliases.items()}


def aliases_of(network: nn.Module) -> dict[str, str]:
    """Other names of a network's tied parameters and shared buffers, and the first name of each."""
    first: dict[int, str] = {}
    named = chain(network.named_parameters(remove_duplicate=False), network.named_buffers(remove_duplicate=False))
    return {name: there for name, tensor in named if (there := first.setdefault(id(tensor), name)) != name}


def loss_and_correct(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy and whether the prediction is right, each (R, batch).

    Logits are (R, batch, classes); labels (R, batch), or (1, batch) for all.
    """
    logits = logits.transpose(1, 2).contiguous()  # with the batch last the softmax is ten times as fast
    losses = F.cross_entropy(logits, labels.expand(len(logits), -1), reduction="none")
    # A prediction that is not a number is wrong, whatever max makes of it.
    return losses, (logits.detach().max(1).indices == labels) & ~losses.detach().isnan()
