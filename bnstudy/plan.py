"""Which runs train together: planned once, from the study and the machine, then stored with the study."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, groupby
from typing import TypeVar

from bnstudy.study import Run, Study

T = TypeVar("T")

# Replicas an ensemble at most. On a CPU a few that share their batches; a GPU wants hundreds.
CAPACITY = {"cpu": 8, "cuda": 256}


@dataclass(frozen=True)
class Ensemble:
    """Replicas of one model and norm that train together in one module, and are stored together.

    The runs are ordered by seed, the same number for each seed: those of one seed see the same batches.
    """

    index: int
    runs: tuple[Run, ...]

    @property
    def name(self) -> str:
        """The file it is stored under, without its ending."""
        return f"ensemble-{self.index:05d}"

    @property
    def seeds(self) -> tuple[int, ...]:
        """Its seeds, in order."""
        return tuple(dict.fromkeys(run.seed for run in self.runs))


def make_plan(study: Study, device: str = "cpu", capacity: int | None = None) -> tuple[Ensemble, ...]:
    """Split a study's runs into ensembles.

    Parameters
    ----------
    study : Study
        What is asked.
    device : {"cpu", "cuda"}
        Where it will train.
    capacity : int, optional
        Replicas an ensemble at most; by default what suits the device.
    """
    capacity = capacity or CAPACITY[device]
    by_arm = sorted(study.runs(), key=lambda run: _arm(study, run))
    chunks = [
        chunk for _, runs in groupby(by_arm, key=lambda run: _arm(study, run)) for chunk in _split(list(runs), capacity)
    ]
    return tuple(Ensemble(index, chunk) for index, chunk in enumerate(chunks))


def _arm(study: Study, run: Run) -> tuple[int, int, int]:
    return study.models.index(run.model), study.norms.index(run.norm), study.optimizers.index(run.optimizer)


def _split(runs: list[Run], capacity: int) -> Iterator[tuple[Run, ...]]:
    """Chunks of nearly equal size, each of whole seeds or of one seed's runs."""
    by_seed: dict[int, list[Run]] = {}
    for run in runs:
        by_seed.setdefault(run.seed, []).append(run)
    per_seed = len(next(iter(by_seed.values())))
    if per_seed > capacity:
        for each in by_seed.values():
            yield from (tuple(chunk) for chunk in _chunks(each, capacity))
    else:
        for some in _chunks(list(by_seed.values()), capacity // per_seed):
            yield tuple(chain.from_iterable(some))


def _chunks(items: list[T], most: int) -> Iterator[list[T]]:
    count = math.ceil(len(items) / most)
    size, longer = divmod(len(items), count)
    start = 0
    for i in range(count):
        stop = start + size + (i < longer)
        yield items[start:stop]
        start = stop
