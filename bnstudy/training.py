"""One ensemble in, curves out: a pure epoch loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bnstudy import inits, models, registry, schema, streams
from bnstudy.data import Data
from bnstudy.plan import Ensemble
from bnstudy.replicas import Replicas, replicate
from bnstudy.schema import Status
from bnstudy.study import Run, Study

EVALUATION_BATCH = 1000
Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Curves:
    """What an ensemble's training gave; R replicas in the order of its runs, E epochs.

    `values` holds each curve of the schema, float32 (R, E); `status` int8 (R,) of :class:`~bnstudy.schema.Status`;
    `diverged_epoch` int32 (R,), from 1, or -1; `seconds` float, the ensemble's whole time.
    """

    values: dict[str, np.ndarray]
    status: np.ndarray
    diverged_epoch: np.ndarray
    seconds: float


@dataclass(frozen=True)
class Progress:
    """How far an ensemble is, after an epoch."""

    epoch: int
    best_accuracy: float


def train_ensemble(
    study: Study,
    ensemble: Ensemble,
    data: Data,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    report: Callable[[Progress], None] | None = None,
) -> Curves:
    """Train every run of an ensemble for the study's epochs.

    Parameters
    ----------
    study : Study
        The settings all runs share.
    ensemble : Ensemble
        The runs, of one model, norm and optimizer.
    data : Data
        The study's data, on `device`.
    device, dtype
        Where and in which precision to train.
    report : callable, optional
        Called after each epoch.

    Returns
    -------
    Curves
        A run whose training loss is not finite has diverged: its curves are NaN from that epoch on.
    """
    started = time.perf_counter()
    replicas = build_replicas(study, ensemble.runs, data, device, dtype)
    lr = torch.tensor([run.lr for run in ensemble.runs], device=device, dtype=torch.float64)
    optimizer = registry.optimizers[registry.optimizers.level(ensemble.runs[0].optimizer).family].function
    step = optimizer(list(replicas.parameters.values()), lr, study.momentum, study.weight_decay)
    names = [variable.name for variable in schema.curves(data.validation is not None)]
    values = {name: np.full((replicas.size, study.epochs), np.nan, np.float32) for name in names}
    diverged = np.full(replicas.size, -1, np.int32)
    for epoch in range(1, study.epochs + 1):
        measured = train_epoch(replicas, data.train, ensemble.seeds, epoch, study.batch_size, step)
        measured |= evaluate(replicas, data.test, "test")
        if data.validation is not None:
            measured |= evaluate(replicas, data.validation, "validation")
        measured["weight_norm"] = weight_norm(replicas)
        diverged[(diverged < 0) & ~np.isfinite(measured["train_loss"])] = epoch
        alive = diverged < 0
        with np.errstate(over="ignore"):  # a loss beyond float32 is stored as infinite
            for name in names:
                values[name][alive, epoch - 1] = measured[name][alive]
        if report:
            report(Progress(epoch, float(np.nanmax(values["test_accuracy"], initial=0.0))))
        if not alive.any():
            break
    status = np.where(diverged < 0, Status.DONE, Status.DIVERGED).astype(np.int8)
    return Curves(values, status, diverged, time.perf_counter() - started)


def build_replicas(
    study: Study, runs: tuple[Run, ...], data: Data, device: torch.device | str, dtype: torch.dtype = torch.float32
) -> Replicas:
    """The initialized replicas of some runs of one model and norm."""
    example = data.train[0][: min(len(data.train[0]), study.batch_size)].cpu()
    networks = []
    for run in runs:
        network = models.build(run.model, run.norm, study, data.shape, data.classes)
        inits.initialize(network, registry.initializers.level(run.init), run.seed, study.init_scope, example)
        networks.append(network.to(device, dtype))
    return replicate(networks, example[:4].to(device, dtype))


def batches(n: int, size: int) -> Iterator[slice]:
    """Consecutive slices of `size`; the last may be smaller, and one of a single sample joins the one before it."""
    start = 0
    while start < n:
        stop = n if n - start - size <= 1 else start + size
        yield slice(start, stop)
        start = stop


def train_epoch(
    replicas: Replicas, samples: Pair, seeds: tuple[int, ...], epoch: int, batch_size: int, step: Callable[[], None]
) -> dict[str, np.ndarray]:
    """Train one epoch.

    Parameters
    ----------
    replicas : Replicas
        In equal groups, one a seed.
    samples : pair of Tensor
        Images (n, channels, height, width) and labels (n,).
    seeds : tuple of int
        One a group; with `epoch` it chooses the order of the samples.
    batch_size : int
        Samples a step.
    step : callable
        Updates the parameters from their gradients.

    Returns
    -------
    dict of str to ndarray, shape (R,), float64
        ``train_loss`` and ``train_accuracy``, running over the epoch; ``grad_norm`` at its last batch.
    """
    n = len(samples[1])
    device = samples[1].device
    order = torch.stack([streams.batch_order(seed, epoch, n) for seed in seeds]).to(device)
    loss_sum = torch.zeros(replicas.size, dtype=torch.float64, device=device)
    correct_sum = torch.zeros_like(loss_sum)
    dtype = next(iter(replicas.parameters.values())).dtype
    replicas.train()
    for part in batches(n, batch_size):
        images, labels = _batch(samples, order[:, part], dtype)
        losses, correct = _loss_and_correct(replicas(images), labels)
        for parameter in replicas.parameters.values():
            parameter.grad = None
        # Replicas share nothing, so the gradient of the sum is each one's own.
        losses.mean(1).sum().backward()
        step()
        loss_sum += losses.detach().sum(1, dtype=torch.float64)
        correct_sum += correct.sum(1)
    gradients = [p.grad for p in replicas.parameters.values() if p.grad is not None]
    return _on_cpu(
        {"train_loss": loss_sum / n, "train_accuracy": correct_sum / n, "grad_norm": _norm(gradients, replicas.size)}
    )


@torch.no_grad()
def evaluate(replicas: Replicas, samples: Pair, prefix: str) -> dict[str, np.ndarray]:
    """Mean loss and accuracy in evaluation mode, float64 (R,), as ``{prefix}_loss`` and ``{prefix}_accuracy``."""
    images, labels = samples
    loss_sum = torch.zeros(replicas.size, dtype=torch.float64, device=labels.device)
    correct_sum = torch.zeros_like(loss_sum)
    dtype = next(iter(replicas.parameters.values())).dtype
    replicas.train(False)
    for part in batches(len(labels), EVALUATION_BATCH):
        losses, correct = _loss_and_correct(replicas(images[None, part].to(dtype)), labels[None, part])
        loss_sum += losses.sum(1, dtype=torch.float64)
        correct_sum += correct.sum(1)
    n = len(labels)
    return _on_cpu({f"{prefix}_loss": loss_sum / n, f"{prefix}_accuracy": correct_sum / n})


@torch.no_grad()
def weight_norm(replicas: Replicas) -> np.ndarray:
    """Euclidean norm of each replica's weights (parameters of two or more axes), float64 (R,)."""
    weights = [p for p in replicas.parameters.values() if p.dim() > 2]
    return _norm(weights, replicas.size).cpu().numpy()


def _loss_and_correct(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy and whether the prediction is right, each (R, batch), from logits (R, batch, classes)."""
    labels = labels.repeat_interleave(len(logits) // len(labels), dim=0)
    logits = logits.transpose(1, 2).contiguous()  # with the batch last the softmax is ten times as fast
    losses = F.cross_entropy(logits, labels, reduction="none")
    # A prediction that is not a number is wrong, whatever max makes of it.
    return losses, (logits.detach().max(1).indices == labels) & ~losses.detach().isnan()


def _batch(samples: Pair, chosen: Tensor, dtype: torch.dtype) -> Pair:
    """The chosen samples, (groups, batch, ...) and (groups, batch), for indices (groups, batch)."""
    images, labels = (values.index_select(0, chosen.flatten()).unflatten(0, chosen.shape) for values in samples)
    return images.to(dtype), labels


def _norm(tensors: list[Tensor], size: int) -> Tensor:
    squares = [t.detach().reshape(size, -1).double().square().sum(1) for t in tensors]
    return torch.stack(squares).sum(0).sqrt()


def _on_cpu(values: dict[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: value.cpu().numpy() for name, value in values.items()}


def count_parameters(study: Study, model: str, norm: str, data_shape: tuple[int, int, int], classes: int) -> int:
    """Trainable parameters of one arm's plain network."""
    network = models.build(model, norm, study, data_shape, classes)
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def seconds_alone(study: Study, model: str, norm: str, data: Data, budget: float = 2.0) -> float:
    """Training time per epoch of the plain network alone, as one would write it by hand: no ensemble, no evaluation.

    A whole epoch is timed if it fits in `budget` seconds; else as many steps as fit, scaled up to an epoch. It runs on
    the device of `data` with the threads torch has been given.
    """
    device = data.train[0].device
    network = models.build(model, norm, study, data.shape, data.classes).to(device)
    inits.initialize(network, registry.initializers.level("default"), 0)
    optimizer = torch.optim.SGD(network.parameters(), study.lr[0], study.momentum, weight_decay=study.weight_decay)
    images, labels = data.train
    parts = list(batches(len(labels), study.batch_size))
    order = streams.batch_order(0, 1, len(labels)).to(device)
    _plain_step(network, optimizer, images[order[parts[0]]], labels[order[parts[0]]])  # warm-up
    started, steps = time.perf_counter(), 0
    for part in parts:
        _plain_step(network, optimizer, images[order[part]], labels[order[part]])
        steps += 1
        if time.perf_counter() - started > budget:
            break
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (time.perf_counter() - started) / steps * len(parts)


def _plain_step(network: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor) -> None:
    optimizer.zero_grad()
    F.cross_entropy(network(images), labels).backward()
    optimizer.step()
