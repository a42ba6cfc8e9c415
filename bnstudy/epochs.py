"""One epoch of all replicas: training and evaluation, on the device of the data from the first step to the last."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from bnstudy import streams
from bnstudy.replicas import Replicas

WARM_UP = 3  # steps before a CUDA graph is recorded, so that libraries have set themselves up
Pair = tuple[Tensor, Tensor]


def batches(n: int, size: int) -> Iterator[slice]:
    """Consecutive slices of `size`; the last may be smaller, and one of a single sample joins the one before it."""
    start = 0
    while start < n:
        stop = n if n - start - size <= 1 else start + size
        yield slice(start, stop)
        start = stop


class Trainer:
    """Trains replicas an epoch at a time.

    Nothing is read from the device during an epoch. On a CUDA device the step is recorded once as a graph, and then
    replayed: a small network's kernels are shorter than the time it takes to launch them.

    Parameters
    ----------
    replicas : Replicas
        What to train.
    samples : pair of Tensor
        Images (n, channels, height, width) and labels (n,).
    seeds : sequence of int
        With the epoch, each chooses an order of the samples.
    groups : sequence of int, length R
        For each replica the position of its seed among `seeds`.
    batch_size : int
        Samples a step.
    step : callable
        Updates the parameters from their gradients.
    """

    def __init__(
        self,
        replicas: Replicas,
        samples: Pair,
        seeds: Sequence[int],
        groups: Sequence[int],
        batch_size: int,
        step: Callable[[], None],
    ) -> None:
        self.replicas, self.samples, self.seeds, self.groups = replicas, samples, tuple(seeds), tuple(groups)
        self.batch_size, self.step = batch_size, step
        self.device = samples[1].device
        self.parameters = list(replicas.parameters.values())
        self.order = torch.zeros(len(self.seeds), len(samples[1]), dtype=torch.int64, device=self.device)
        self.of_replica = torch.tensor(self.groups, device=self.device)
        self.position = torch.zeros((), dtype=torch.int64, device=self.device)
        self.within = torch.arange(batch_size, device=self.device)
        self.loss_sum = torch.zeros(replicas.size, dtype=torch.float64, device=self.device)
        self.correct_sum = torch.zeros(replicas.size, dtype=torch.float64, device=self.device)
        self.gradients: list[Tensor | None] = []
        self.full_step: Callable[[], list[Tensor | None]] | None = None if self.device.type == "cuda" else self._full
        self.steps = 0

    def epoch(self, number: int) -> dict[str, np.ndarray]:
        """Train epoch `number`, from 1.

        Returns
        -------
        dict of str to ndarray, shape (R,), float64
            ``train_loss`` and ``train_accuracy``, running over the epoch; ``grad_norm`` at its last batch.
        """
        n = len(self.samples[1])
        self.order.copy_(torch.stack([streams.batch_order(seed, number, n) for seed in self.seeds]))
        for total in (self.position, self.loss_sum, self.correct_sum):
            total.zero_()
        self.replicas.train()
        for part in batches(n, self.batch_size):
            if part.stop - part.start == self.batch_size:
                self.gradients = self._full_or_recorded()
            else:
                self.gradients = self._learn(self.order[:, part])
        gradients = [g for g in self.gradients if g is not None]
        return _on_cpu(
            {
                "train_loss": self.loss_sum / n,
                "train_accuracy": self.correct_sum / n,
                "grad_norm": norm(gradients, self.replicas.size),
            }
        )

    def _full_or_recorded(self) -> list[Tensor | None]:
        self.steps += 1
        if self.full_step is None and self.steps > WARM_UP:
            self.full_step = _recorded(self._full)
        return self._full() if self.full_step is None else self.full_step()

    def _full(self) -> list[Tensor | None]:
        """The next full batch. Where it starts is read on the device, so that a recorded step moves on by itself."""
        gradients = self._learn(self.order.index_select(1, self.position + self.within))
        self.position.add_(self.batch_size)
        return gradients

    def _learn(self, chosen: Tensor) -> list[Tensor | None]:
        """One step on the chosen samples (seeds, batch); returns the gradients."""
        for parameter in self.parameters:
            parameter.grad = None
        images, labels = (
            values.index_select(0, chosen.flatten()).unflatten(0, chosen.shape) for values in self.samples
        )
        logits = self.replicas(images.to(self.parameters[0].dtype), self.groups)
        losses, correct = loss_and_correct(logits, labels if len(labels) == 1 else labels[self.of_replica])
        # Replicas share nothing, so the gradient of the sum is each one's own.
        losses.mean(1).sum().backward()
        self.step()
        self.loss_sum += losses.detach().sum(1, dtype=torch.float64)
        self.correct_sum += correct.sum(1)
        return [parameter.grad for parameter in self.parameters]


def _recorded(run: Callable[[], list[Tensor | None]]) -> Callable[[], list[Tensor | None]]:
    """A function's CUDA work, to be replayed without its Python; the function itself where it cannot be recorded.

    What it returns stays where it is.
    """
    try:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            results = run()
    except RuntimeError:  # a layer that waits for the device
        return run

    def replay() -> list[Tensor | None]:
        graph.replay()
        return results

    return replay


@torch.no_grad()
def evaluate(replicas: Replicas, samples: Pair, prefix: str) -> dict[str, np.ndarray]:
    """Mean loss and accuracy in evaluation mode, float64 (R,), as ``{prefix}_loss`` and ``{prefix}_accuracy``."""
    images, labels = samples
    loss_sum = torch.zeros(replicas.size, dtype=torch.float64, device=labels.device)
    correct_sum = torch.zeros_like(loss_sum)
    dtype = next(iter(replicas.parameters.values())).dtype
    replicas.train(False)
    for part in batches(len(labels), replicas.evaluation_batch):
        losses, correct = loss_and_correct(replicas(images[None, part].to(dtype)), labels[None, part])
        loss_sum += losses.sum(1, dtype=torch.float64)
        correct_sum += correct.sum(1)
    n = len(labels)
    return _on_cpu({f"{prefix}_loss": loss_sum / n, f"{prefix}_accuracy": correct_sum / n})


@torch.no_grad()
def weight_norm(replicas: Replicas) -> np.ndarray:
    """Euclidean norm of each replica's weights (parameters of two or more axes), float64 (R,)."""
    weights = [p for p in replicas.parameters.values() if p.dim() > 2]
    return norm(weights, replicas.size).cpu().numpy()


def loss_and_correct(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy and whether the prediction is right, each (R, batch).

    Logits are (R, batch, classes); labels (R, batch), or (1, batch) for all.
    """
    logits = logits.transpose(1, 2).contiguous()  # with the batch last the softmax is ten times as fast
    losses = F.cross_entropy(logits, labels.expand(len(logits), -1), reduction="none")
    # A prediction that is not a number is wrong, whatever max makes of it.
    return losses, (logits.detach().max(1).indices == labels) & ~losses.detach().isnan()


def norm(tensors: Sequence[Tensor], size: int) -> Tensor:
    """Euclidean norm of each replica's part of some tensors (R, ...), float64 (R,)."""
    squares = [t.detach().reshape(size, -1).double().square().sum(1) for t in tensors]
    return torch.stack(squares).sum(0).sqrt()


def _on_cpu(values: dict[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: value.cpu().numpy() for name, value in values.items()}
