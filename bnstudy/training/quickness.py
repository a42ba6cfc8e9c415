"""Which forms of replicas are faster than one run after the other: a few steps of each, on this machine.

Other forms compute other last digits. What was found is therefore kept with a study's results, whose runs train so from
then on, wherever they are resumed; and forms keep their order, so that noise decides little.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from bnstudy.study.errors import RAISED
from bnstudy.study.study import Run, Study
from bnstudy.training import streams
from bnstudy.training.assembly import traits_of
from bnstudy.training.datasets.data import Data
from bnstudy.training.ensembles import optimizer_step
from bnstudy.training.networks import models
from bnstudy.training.replicas import Reference, Replicas, forms_for

SHORT = 3e-3  # seconds of a network's step that is mostly overhead, which other forms share: they are faster
WORTH = 0.9  # of the time one run after the other takes, at most: a form has to be shown equal first
LOOKS, HOPELESS = (
    2,
    3,
)  # a form that seems to take no less, but not three times as much, is timed again: machines stutter
STEPS = 2  # timed, after one to warm up
SECONDS = 0.2  # that a step of all replicas may take one after the other; else fewer of them are timed

Make = Callable[[Sequence[nn.Module]], Replicas]


def forms_of(study: Study, runs: Sequence[Run], data: Data, compiled: bool = True) -> tuple[str, ...]:
    """The names of the forms that are faster than one run after the other for some runs of one arm, in their order.

    Parameters
    ----------
    study, runs, data
        What would train together, ordered by seed, and the study's data on the device.
    compiled : bool
        Whether code of our own may be built and used.
    """
    first, (images, labels) = runs[0], data.train
    name, device = study.network_of(first), images.device

    def network(run: Run) -> nn.Module:
        return models.build(name, run.norm, study, data.shape, data.classes, run.seed).to(device)

    forms = forms_for(network(first), len(runs), traits_of(study, name, first.norm, data, first.batch_size), compiled)
    if device.type != "cpu":  # there one replica after the other leaves most of the device idle
        return tuple(form.name for form in forms)
    seeds = list(dict.fromkeys(run.seed for run in runs))
    groups = [seeds.index(run.seed) for run in runs]
    size = min(first.batch_size, len(labels))
    which = torch.arange(size * len(seeds), device=device).view(-1, size) % len(labels)

    def seconds(make: Make, count: int) -> float:
        seen = which[: groups[count - 1] + 1]
        networks, some = [network(run) for run in runs[:count]], runs[:count]
        return _seconds(lambda: make(networks), lambda replicas: optimizer_step(study, some, replicas, device),
                        images[seen], labels[seen], groups[:count])  # fmt: skip

    return quicker(forms, seconds, len(runs))


def quicker(forms: Sequence[type[Replicas]], seconds: Callable[[Make, int], float], replicas: int) -> tuple[str, ...]:
    """The names of the forms that take less time than one replica after the other, in their order.

    Parameters
    ----------
    forms : sequence of Replicas' subclasses
        What may be taken.
    seconds : callable
        Of a step of so many replicas in one form; infinite where it cannot be done.
    replicas : int
        How many there will be.
    """
    alone = seconds(Reference, 1) if forms else 0.0
    if alone < SHORT:
        return tuple(form.name for form in forms)
    few = min(replicas, max(2, int(SECONDS / alone)))

    def is_worth_it(form: type[Replicas]) -> bool:
        for _ in range(LOOKS):
            share = seconds(form, few) / (alone * few)
            if share < WORTH or share > HOPELESS:
                return share < WORTH
        return False

    return tuple(form.name for form in forms if is_worth_it(form))


def _seconds(
    make: Callable[[], Replicas],
    optimizer: Callable[[Replicas], Callable[[], None]],
    inputs: Tensor,
    labels: Tensor,
    groups: Sequence[int],
) -> float:
    """Of a step, the update included; infinite where it cannot be done."""
    times = []
    try:
        with streams.kept(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is only tried; what trains will warn
            replicas = make()
            replicas.expect(inputs.flatten(0, 1))
            replicas.train()
            step = optimizer(replicas)
            for _ in range(1 + STEPS):
                started = time.perf_counter()
                replicas.learn(inputs.clone(), labels, groups)
                step()
                replicas.stepped()
                times.append(time.perf_counter() - started)
    except RAISED:
        return math.inf
    return min(times[1:])
