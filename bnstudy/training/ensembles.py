"""One ensemble in, curves out: a pure epoch loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.sgd import sgd

from bnstudy.study import registry, schema
from bnstudy.study.curves import Curves, Progress
from bnstudy.study.plan import Ensemble
from bnstudy.study.schema import Status
from bnstudy.study.study import Run, Study
from bnstudy.training import streams
from bnstudy.training.assembly import build_replicas, told
from bnstudy.training.datasets.data import Data
from bnstudy.training.epochs import Trainer, batches, evaluate, weight_norm
from bnstudy.training.inspection.diagnostics import Recorder
from bnstudy.training.networks import initialization, models
from bnstudy.training.replicas import Replicas

MEMORY_SHARE = 0.5  # of a GPU's free memory that an ensemble may be estimated to take


@streams.one_thread_at_a_time
def training(
    study: Study,
    ensemble: Ensemble,
    data: Data,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    compiled: bool = True,
    reference: bool = False,
    forms: Sequence[str] | None = None,
) -> Generator[Progress, None, Curves]:
    """Train every run of an ensemble for the study's epochs: gives how far it is after each, and the curves at its end.

    A run whose training loss is not finite has diverged: its curves are NaN from that epoch on. :func:`end_of` gives
    the curves alone.

    Parameters
    ----------
    study : Study
        The settings all runs share.
    ensemble : Ensemble
        The runs, of one model, norm, optimizer, batch size and weight decay.
    data : Data
        The study's data, on `device`.
    device, dtype
        Where and in which precision to train.
    compiled : bool
        Whether code of our own may be built and used.
    reference : bool
        Whether to train one run after the other, whatever faster form there is.
    forms : sequence of str, optional
        Forms of replicas that may be taken; by default all.
    """
    started = time.perf_counter()
    threads = torch.get_num_threads()
    replicas = build_replicas(study, ensemble.runs, data, device, dtype, compiled, reference, forms)
    torch.set_num_threads(threads)  # which the user's code may have changed; sums depend on it
    step = optimizer_step(study, ensemble.runs, replicas, device)
    trainer = Trainer(replicas, data.train, ensemble.seeds, ensemble.groups, ensemble.runs[0].batch_size, step)
    names = [variable.name for variable in schema.curves(data.validation is not None)]
    values = {name: np.full((replicas.size, study.epochs), np.nan, np.float32) for name in names}
    diverged = np.full(replicas.size, -1, np.int32)
    recorder = Recorder(study, ensemble, data) if study.diagnostics or study.mechanism else None
    if recorder:
        recorder.look(replicas)
    for epoch in range(1, study.epochs + 1):
        measured = trainer.epoch(epoch)
        measured |= evaluate(replicas, data.test, "test", epoch)
        if data.validation is not None:
            measured |= evaluate(replicas, data.validation, "validation", epoch)
        measured["weight_norm"] = weight_norm(replicas)
        diverged[(diverged < 0) & ~np.isfinite(measured["train_loss"])] = epoch
        alive = diverged < 0
        with np.errstate(over="ignore"):  # a loss beyond float32 is stored as infinite
            for name in names:
                values[name][alive, epoch - 1] = measured[name][alive]
        if recorder:
            recorder.look(replicas)
        latest = {name: curve[:, epoch - 1].copy() for name, curve in values.items()}
        yield Progress(epoch, float(np.nanmax(values["test_accuracy"], initial=0.0)), latest)
        if not alive.any():
            break
    status = np.where(diverged < 0, Status.DONE, Status.DIVERGED).astype(np.int8)
    looked = recorder.result(study.epochs) if recorder else None
    return Curves(values, status, diverged, time.perf_counter() - started, replicas.described, looked)


def end_of(trained: Generator[Progress, None, Curves], heard: Callable[[Progress], None] = lambda _: None) -> Curves:
    """The curves at the end of a training; `heard` is told how far it is."""
    while True:
        try:
            progress = next(trained)
        except StopIteration as end:
            curves: Curves = end.value
            return curves
        heard(progress)


def optimizer_step(
    study: Study, runs: Sequence[Run], replicas: Replicas, device: torch.device | str
) -> Callable[[], None]:
    """One step of the runs' optimizer, over all parts of the replicas; each run at its own rate."""
    lr = torch.tensor([run.lr for run in runs], device=device, dtype=torch.float64)
    entry = registry.optimizers[registry.optimizers.level(runs[0].optimizer).family]
    if momentum_of := entry.about.get("descent"):
        replicas.descend(lr, momentum_of(study.momentum), runs[0].weight_decay)
    steps = [
        entry.function(list(part.leaves), lr[part.replicas], study.momentum, runs[0].weight_decay)
        for part in replicas.parts
    ]

    def step() -> None:
        for one in steps:
            one()

    return step


def capacity(study: Study, device: torch.device | str) -> int:
    """Replicas that fit the free memory of a CUDA device with room to spare, from 1 to 512."""
    facts = registry.datasets[study.dataset].about
    shape, classes = facts["shape"], facts["classes"]
    needed = max(replica_bytes(study, model, norm, shape, classes) for model in study.models for norm in study.norms)
    free, _ = torch.cuda.mem_get_info(device)
    return max(1, min(512, int(free * MEMORY_SHARE / needed)))


def replica_bytes(study: Study, model: str, norm: str, shape: tuple[int, int, int], classes: int) -> int:
    """Memory that training one replica takes: what the layers give, their gradients, and four tensors a parameter."""
    network = models.build(model, norm, study, shape, classes)
    values = 0

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: object) -> None:
        nonlocal values
        values += _numbers(output)

    for module in network.modules():
        if not list(module.children()):
            module.register_forward_hook(count)
    with told(model, norm, 2):
        network(torch.zeros(2, *shape))  # two samples, for batch norm
    parameters = sum(p.numel() for p in network.parameters())
    return 4 * (2 * (values // 2) * max(study.batch_size) + 4 * parameters)


def _numbers(output: object) -> int:
    """How many numbers a layer gives, in one tensor or several."""
    if isinstance(output, Tensor):
        return output.numel()
    return sum(map(_numbers, output)) if isinstance(output, (tuple, list)) else 0


@streams.one_thread_at_a_time
def count_parameters(study: Study, model: str, norm: str, data_shape: tuple[int, int, int], classes: int) -> int:
    """Trainable parameters of one arm's plain network."""
    network = models.build(model, norm, study, data_shape, classes)
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


@streams.one_thread_at_a_time
def seconds_alone(study: Study, model: str, norm: str, data: Data, budget: float = 2.0) -> float:
    """Training time per epoch of the plain network alone, as one would write it by hand: no ensemble, no evaluation.

    A whole epoch is timed if it fits in `budget` seconds; else as many steps as fit, scaled up to an epoch. It runs on
    the device of `data` with the threads torch has been given. The rate is 0, which takes as long and never diverges.
    """
    device = data.train[0].device
    network = models.build(model, norm, study, data.shape, data.classes).to(device)
    initialization.initialize(network, registry.initializers.level("default"), 0)
    descend = partial(_plain_step, network, {}, study.momentum, study.weight_decay[0])
    images, labels = data.train
    parts = list(batches(len(labels), study.batch_size[0]))
    order = streams.batch_order(0, 1, len(labels)).to(device)
    with streams.kept():
        descend(images[order[parts[0]]], labels[order[parts[0]]])  # warm-up
        started, steps = time.perf_counter(), 0
        for part in parts:
            descend(images[order[part]], labels[order[part]])
            steps += 1
            if time.perf_counter() - started > budget:
                break
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return (time.perf_counter() - started) / steps * len(parts)


def _plain_step(
    network: nn.Module, momenta: dict[Tensor, Tensor | None], momentum: float, decay: float, images: Tensor,
    labels: Tensor,
) -> None:  # fmt: skip
    """One step of SGD at rate 0, by the function of torch.optim: its class imports torch.compile, seconds of work."""
    network.zero_grad()
    F.cross_entropy(network(images), labels).backward()
    gradients = {p: p.grad.to_dense() for p in network.parameters() if p.grad is not None}  # no decay of a sparse one
    moved: list[Tensor] = list(gradients)
    velocities = [momenta.get(p) for p in moved]
    with torch.no_grad():
        sgd(moved, list(gradients.values()), velocities, weight_decay=decay, momentum=momentum, lr=0.0, dampening=0.0,
            nesterov=False, maximize=False)  # fmt: skip
    momenta.update(zip(moved, velocities, strict=True))
