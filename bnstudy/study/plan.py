"""Which runs train together: planned once, from the study and the machine, then stored with the study."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

from bnstudy.study.errors import InputError
from bnstudy.study.factors import FACTORS
from bnstudy.study.shown import plan_line, plan_table
from bnstudy.study.study import Run, Study, check_study

T = TypeVar("T")

# Replicas an ensemble at most: on a CPU what fills its registers twice, a GPU wants hundreds. A small study on many
# cores is cut finer, so that each has work.
CAPACITY = {"cpu": 16, "cuda": 256}
FINER = 8
LANES = 8  # replicas in one register of a CPU, where there are 256 bits of single precision


@dataclass(frozen=True)
class Ensemble:
    """Replicas of one model and norm that train together in one module, and are stored together.

    They share optimizer, batch size and weight decay, and are ordered by seed; those of one seed see the same batches.
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

    @property
    def groups(self) -> tuple[int, ...]:
        """For each run, the position of its seed among :attr:`seeds`."""
        seeds = self.seeds
        return tuple(seeds.index(run.seed) for run in self.runs)


class Plan(tuple[Ensemble, ...]):
    """Ensembles in the order in which they are numbered: a tuple that shows itself in short."""

    def __repr__(self) -> str:
        """How many runs in how many ensembles."""
        return f"<Plan of {plan_line(self)}>"

    def _repr_html_(self) -> str:
        return plan_table(self)


def make_plan(
    study: Study,
    device: str = "cpu",
    capacity: int | None = None,
    cores: int = 1,
    leave_out: Container[Run] = (),
) -> Plan:
    """Split a study's runs into ensembles.

    Parameters
    ----------
    study : Study
        What is asked.
    device : {"cpu", "cuda"}
        Where it will train.
    capacity : int, optional
        Replicas an ensemble at most; by default what suits the device.
    cores : int
        Of the machine; on a CPU each should have an ensemble to work on.
    leave_out : container of Run
        Runs that are planned already.

    Returns
    -------
    Plan
        A tuple of ensembles, each with its ``runs``, which share model, norm, optimizer, batch size and weight decay.

    Examples
    --------
    >>> import bnstudy
    >>> study = bnstudy.Study.make({"dataset": "digits", "models": "mlp", "scales": "0.01,1", "seeds": 10})
    >>> [(ensemble.runs[0].norm, len(ensemble.runs)) for ensemble in bnstudy.make_plan(study, capacity=16)]
    [('none', 16), ('none', 4), ('batch', 4), ('batch', 16)]
    """
    check_study(study, "bnstudy.make_plan")
    most = capacity or CAPACITY[device]
    if not capacity and device == "cpu" and study.n_runs < 2 * cores * most:
        most = FINER
    runs = (run for run in study.runs() if run not in leave_out)
    by_arm = sorted(runs, key=lambda run: (_arm(study, run), study.seeds.index(run.seed)))
    chunks = [
        chunk
        for i, (_, runs) in enumerate(groupby(by_arm, key=lambda run: _arm(study, run)))
        for chunk in _chunks(list(runs), most, LANES if device == "cpu" and most % LANES == 0 else 1, bool(i % 2))
    ]
    return Plan(Ensemble(index, tuple(chunk)) for index, chunk in enumerate(chunks))


def _arm(study: Study, run: Run) -> tuple[int, ...]:
    """What the runs of an ensemble share, as a key to sort by."""
    apart = (factor for factor in FACTORS if not factor.together)
    return tuple(getattr(study, factor.key).index(getattr(run, factor.name)) for factor in apart)


def _chunks(items: list[T], most: int, lanes: int, small_first: bool) -> Iterator[list[T]]:
    """At most so many at a time, as many each; but where that takes more registers, whole ones as far as they go.

    Every other arm has the small ones first, so that shards, which take turns, get alike.
    """
    sizes = _even(len(items), math.ceil(len(items) / most))
    registers = math.ceil(len(items) / lanes)
    if sum(math.ceil(size / lanes) for size in sizes) > registers:
        sizes = [size * lanes for size in _even(registers, math.ceil(registers * lanes / most))]
        sizes[-1] -= registers * lanes - len(items)
    start = 0
    for size in reversed(sizes) if small_first else sizes:
        yield items[start : start + size]
        start += size


def _even(count: int, parts: int) -> list[int]:
    size, longer = divmod(count, parts)
    return [size + (i < longer) for i in range(parts)]


def idle_lanes(ensembles: Iterable[Ensemble]) -> float:
    """The share of a CPU's registers' lanes in which no replica trains, from 0 to 1, at 8 lanes a register."""
    sizes = [len(ensemble.runs) for ensemble in ensembles]
    lanes = sum(math.ceil(size / LANES) * LANES for size in sizes)
    return 1 - sum(sizes) / lanes if lanes else 0.0


@dataclass(frozen=True)
class Shard:
    """One of `count` parts of a plan, counted from 1: each part is run by itself, on this machine or another."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """``"2/8"`` as a shard.

        Raises
        ------
        InputError
            It is not two whole numbers K/N with 1 <= K <= N.
        """
        index, slash, count = text.partition("/")
        if not (slash and index.strip().isdecimal() and count.strip().isdecimal() and len(text) < 20):
            raise InputError(f"must be K/N, as in 2/8, not {text[:60]!r}", "shard")
        if not 1 <= int(index) <= int(count):
            raise InputError(f"must be K/N with K from 1 to N, not {text!r}", "shard")
        return cls(int(index), int(count))

    def holds(self, ensemble: Ensemble) -> bool:
        """Whether an ensemble is of this part. Parts take turns, so that each gets its share of every arm."""
        return ensemble.index % self.count == self.index - 1
