"""What a plan costs: arithmetic, counted, and time, measured on this machine with made-up data."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.utils.flop_counter import FlopCounterMode

from bnstudy import models, registry, streams, training
from bnstudy.data import Data
from bnstudy.plan import Ensemble
from bnstudy.study import Study

if TYPE_CHECKING:
    from bnstudy.store import Arm

STEPS = 10  # timed, after as many to warm up
BACKWARD = 2  # passes backward cost twice what one forward does


@dataclass(frozen=True)
class Cost:
    """What some ensembles cost: floating-point operations, and seconds of one worker where they were measured."""

    runs: int
    run_epochs: int
    operations: float
    seconds: float | None


def costs(study: Study, parts: Sequence[Sequence[Ensemble]], device: str | None = None) -> list[Cost]:
    """The cost of each part of a plan.

    Parameters
    ----------
    study : Study
        What is asked.
    parts : sequence of sequences of Ensemble
        Such as a plan's shards.
    device : str, optional
        Where to measure times; without it none are measured.
    """
    counted = {arm: run_epoch_operations(study, *arm) for arm in study.arms()}
    timed: dict[tuple[Arm, int, int], float] = {}
    found = []
    for part in parts:
        operations, seconds = 0.0, 0.0
        for ensemble in part:
            size = len(ensemble.runs) * study.epochs
            arm = (ensemble.runs[0].model, ensemble.runs[0].norm)
            operations += counted[arm] * size
            if device:
                key = (arm, ensemble.runs[0].batch_size, len(ensemble.runs))
                if key not in timed:
                    timed[key] = run_epoch_seconds(study, ensemble, device)
                seconds += timed[key] * size
        runs = sum(len(ensemble.runs) for ensemble in part)
        found.append(Cost(runs, runs * study.epochs, operations, seconds if device else None))
    return found


def run_epoch_operations(study: Study, model: str, norm: str) -> float:
    """Floating-point operations of one epoch of one run: products and sums of its layers, evaluation included."""
    about = registry.datasets[study.dataset].about
    network = models.build(model, norm, study, about["shape"], about["classes"])
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(2, *about["shape"]))  # two samples, for batch norm
    forward = counter.get_total_flops() / 2
    return forward * ((1 + BACKWARD) * study.n_train + about["test_size"] + study.validation_size)


def run_epoch_seconds(study: Study, ensemble: Ensemble, device: str) -> float:
    """Seconds of one epoch of one run in an ensemble, from a few steps on random data on one thread of this machine."""
    about = registry.datasets[study.dataset].about
    batch = ensemble.runs[0].batch_size
    n = min(study.n_train, STEPS * batch)
    share = n / study.n_train
    draws = streams.generator("cost", study.dataset)

    def samples(count: float) -> tuple[torch.Tensor, torch.Tensor]:
        size = max(2, round(count * share))
        images = torch.randn(size, *about["shape"], generator=draws)
        return images.to(device), torch.randint(about["classes"], (size,), generator=draws).to(device)

    data = Data(samples(study.n_train), None, samples(about["test_size"] + study.validation_size), about["classes"], "")
    few = {"epochs": 2, "validation_size": 0, "train_size": n, "batch_size": batch}
    short = Study.make({**study.model_dump(), **few})
    times: list[float] = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        training.train_ensemble(short, ensemble, data, device, report=lambda _: times.append(time.perf_counter()))
    finally:
        torch.set_num_threads(threads)
    if len(times) < 2:  # all diverged at once: the first epoch is all there is
        return 0.0
    return (times[1] - times[0]) / share / len(ensemble.runs)
