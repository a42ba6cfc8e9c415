"""What a plan costs: arithmetic, counted, and time, measured on this machine with made-up data."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.utils.flop_counter import FlopCounterMode

from bnstudy.study import registry, schema
from bnstudy.study.plan import Ensemble
from bnstudy.study.study import Study
from bnstudy.training import ensembles, quickness
from bnstudy.training.assembly import told
from bnstudy.training.datasets.noise import noise
from bnstudy.training.networks import models, weights
from bnstudy.training.one_thread import one_thread

if TYPE_CHECKING:
    from bnstudy.storage.store import Arm

STEPS = 10  # timed, after as many to warm up
BACKWARD = 2  # passes backward cost twice what one forward does


@dataclass(frozen=True)
class Timed:
    """An ensemble's time: seconds of one epoch of one run, and seconds before the first step; its form in words."""

    run_epoch: float
    before: float
    form: str


@dataclass(frozen=True)
class Cost:
    """What some ensembles cost: floating-point operations, and seconds of one worker where they were measured.

    `timed` holds what was measured of the first ensemble of each model and norm.
    """

    runs: int
    run_epochs: int
    operations: float
    seconds: float | None
    timed: Mapping[Arm, Timed]


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
    timed: dict[tuple[Arm, int, int], Timed] = {}
    parts_costs = []
    for part in parts:
        operations, seconds = 0.0, 0.0
        first: dict[Arm, Timed] = {}
        for ensemble in part:
            size = len(ensemble.runs) * study.epochs
            arm = (ensemble.runs[0].model, ensemble.runs[0].norm)
            operations += counted[arm] * size
            if device:
                key = (arm, ensemble.runs[0].batch_size, len(ensemble.runs))
                if key not in timed:
                    timed[key] = time_ensemble(study, ensemble, device)
                seconds += timed[key].before + timed[key].run_epoch * size
                first.setdefault(arm, timed[key])
        runs = sum(len(ensemble.runs) for ensemble in part)
        parts_costs.append(Cost(runs, runs * study.epochs, operations, seconds if device else None, first))
    return parts_costs


def run_epoch_operations(study: Study, model: str, norm: str) -> float:
    """Floating-point operations of one epoch of one run: products and sums of its layers, evaluation included."""
    facts = registry.datasets[study.dataset].about
    network = models.build(model, norm, study, facts["shape"], facts["classes"])
    with told(model, norm, 2), FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(2, *facts["shape"]))  # two samples, for batch norm
    forward = counter.get_total_flops() / 2
    return forward * ((1 + BACKWARD) * study.n_train + facts["test_size"] + study.validation_size)


def time_ensemble(study: Study, ensemble: Ensemble, device: str) -> Timed:
    """How long an ensemble takes, from a few steps on random data on one thread of this machine."""
    batch = ensemble.runs[0].batch_size
    n = min(study.n_train, STEPS * batch)
    share = n / study.n_train
    tested = registry.datasets[study.dataset].about["test_size"] + study.validation_size
    data = noise(study, n, max(2, round(tested * share))).to(torch.device(device))
    few = {"epochs": 2, "validation_size": 0, "train_size": n, "batch_size": batch}
    short = Study.make({**study.model_dump(), **few})
    times: list[float] = []
    with one_thread():
        forms = quickness.forms_of(short, ensemble.runs, data)
        started = time.perf_counter()
        trained = ensembles.end_of(
            ensembles.training(short, ensemble, data, device, forms=forms), lambda _: times.append(time.perf_counter())
        )
    # Where all diverged at once the first epoch is all there is.
    epoch = times[1] - times[0] if len(times) > 1 else 0.0
    return Timed(epoch / share / len(ensemble.runs), max(0.0, times[0] - started - epoch), trained.form)


def not_initialized(study: Study) -> str:
    """The parameters that no initializer sets, by model, in one line; empty where there are none."""
    facts = registry.datasets[study.dataset].about
    built = {arm: models.build(*arm, study, facts["shape"], facts["classes"]) for arm in study.arms()}
    return schema.told_by_model({arm: weights.untouched(network) for arm, network in built.items()})
