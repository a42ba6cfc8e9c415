"""One epoch of all replicas: training and evaluation, on the device of the data from the first step to the last."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from bnstudy.training import streams
from bnstudy.training.replicas import Replicas
from bnstudy.training.replicas.base import loss_and_correct

WARM_UP = 3  # steps before a CUDA graph is recorded, so that libraries have set themselves up
Pair = tuple[Tensor, Tensor]
Gradients = list[tuple[int, list[Tensor]]]  # of each part of the replicas: how many there are, and theirs


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
        self.dtype = precision(replicas)
        self.order = torch.zeros(len(self.seeds), len(samples[1]), dtype=torch.int64, device=self.device)
        self.position = torch.zeros((), dtype=torch.int64, device=self.device)
        self.within = torch.arange(batch_size, device=self.device)
        self.loss_sum = torch.zeros(replicas.size, dtype=torch.float64, device=self.device)
        self.correct_sum = torch.zeros(replicas.size, dtype=torch.float64, device=self.device)
        self.gradients: Gradients = []
        self.is_last = False  # whether the step at hand is the last of its epoch
        recorded = self.device.type == "cuda" and replicas.is_recordable
        self.full_step: Callable[[], Gradients] | None = None if recorded else self._full
        self.steps = 0
        replicas.expect(samples[0])

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
        for i, part in enumerate(batches(n, self.batch_size)):
            self.replicas.at(number, i)
            self.is_last = part.stop == n
            if part.stop - part.start == self.batch_size:
                self.gradients = self._full_or_recorded()
            else:
                self.gradients = self._learn(self.order[:, part])
        return _on_cpu(
            {
                "train_loss": self.loss_sum / n,
                "train_accuracy": self.correct_sum / n,
                "grad_norm": self._grad_norm(),
            }
        )

    def _grad_norm(self) -> Tensor:
        """The norm of all gradients of the last step, those included that were not kept."""
        kept = torch.cat([norm(gradients, count) for count, gradients in self.gradients])
        return kept if self.replicas.squares is None else (kept.square() + self.replicas.squares).sqrt()

    def _full_or_recorded(self) -> Gradients:
        self.steps += 1
        if self.full_step is None and self.steps > WARM_UP:
            self.full_step = _recorded(self._full)
        return self._full() if self.full_step is None else self.full_step()

    def _full(self) -> Gradients:
        """The next full batch. Where it starts is read on the device, so that a recorded step moves on by itself."""
        gradients = self._learn(self.order.index_select(1, self.position + self.within))
        self.position.add_(self.batch_size)
        return gradients

    def _learn(self, chosen: Tensor) -> Gradients:
        """One step on the chosen samples (seeds, batch); returns the gradients."""
        images, labels = (
            values.index_select(0, chosen.flatten()).unflatten(0, chosen.shape) for values in self.samples
        )
        losses, correct = self.replicas.learn(images.to(self.dtype), labels, self.groups, self.is_last)
        gradients = [
            (part.replicas.stop - part.replicas.start, [leaf.grad for leaf in part.leaves if leaf.grad is not None])
            for part in self.replicas.parts
        ]
        self.step()
        self.replicas.stepped()
        self.loss_sum += losses.sum(1, dtype=torch.float64)
        self.correct_sum += correct.sum(1)
        return gradients


def _recorded(run: Callable[[], Gradients]) -> Callable[[], Gradients]:
    """A function's CUDA work, to be replayed without its Python; the function itself where it cannot be recorded.

    What it returns stays where it is.
    """
    try:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            results = run()
    except RuntimeError:  # a layer that waits for the device
        return run

    def replay() -> Gradients:
        graph.replay()
        return results

    return replay


@torch.no_grad()
def evaluate(replicas: Replicas, samples: Pair, prefix: str, epoch: int = 0) -> dict[str, np.ndarray]:
    """Mean loss and accuracy in evaluation mode, float64 (R,), as ``{prefix}_loss`` and ``{prefix}_accuracy``."""
    images, labels = samples
    loss_sum = torch.zeros(replicas.size, dtype=torch.float64, device=labels.device)
    correct_sum = torch.zeros_like(loss_sum)
    dtype = precision(replicas)
    replicas.train(False)
    for i, part in enumerate(batches(len(labels), replicas.evaluation_batch)):
        replicas.at(epoch, prefix, i)
        losses, correct = loss_and_correct(replicas(images[None, part].to(dtype, copy=True)), labels[None, part])
        loss_sum += losses.sum(1, dtype=torch.float64)
        correct_sum += correct.sum(1)
    n = len(labels)
    return _on_cpu({f"{prefix}_loss": loss_sum / n, f"{prefix}_accuracy": correct_sum / n})


@torch.no_grad()
def weight_norm(replicas: Replicas) -> np.ndarray:
    """Euclidean norm of each replica's weights (parameters of two or more axes), float64 (R,)."""
    weights = [p for p in replicas.parameters.values() if p.dim() > 2]
    return norm(weights, replicas.size).cpu().numpy()


def norm(tensors: Sequence[Tensor], size: int) -> Tensor:
    """Euclidean norm of each replica's part of some tensors (R, ...), float64 (R,)."""
    squares = [_real(t.detach()).reshape(size, -1).double().square().sum(1) for t in tensors]
    return torch.stack(squares).sum(0).sqrt() if squares else torch.zeros(size, dtype=torch.float64)


def precision(replicas: Replicas) -> torch.dtype:
    """The type of the replicas' inputs: that of their parameters, unless it is known otherwise."""
    parameters = replicas.parameters.values() if replicas.dtype is None else ()
    return next((p.dtype for p in parameters if p.is_floating_point()), replicas.dtype or torch.float32)


def _real(values: Tensor) -> Tensor:
    return torch.view_as_real(values) if values.is_complex() else values


def _on_cpu(values: dict[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: value.cpu().numpy() for name, value in values.items()}
