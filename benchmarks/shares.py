"""Where the time of a training step goes, in one process on one thread: the shares behind the bounds in README.md.

Usage: python benchmarks/shares.py

Of each row: milliseconds a replica and step, the update included; and of them what each call of the kernel takes, with
what is left for Python and PyTorch.
"""

from __future__ import annotations

import time
from collections import Counter

from bnstudy.study.plan import make_plan
from bnstudy.training import epochs
from bnstudy.training.assembly import build_replicas
from bnstudy.training.ensembles import optimizer_step
from bnstudy.training.one_thread import train_on_one_thread
from bnstudy.training.replicas.lanes import kernel
from rows import ROWS, Row

SEEDS = (1, 2)  # in an ensemble of 16
SHARE = 0.05


def main() -> None:
    train_on_one_thread()
    taken = _timed_calls()
    for row in ROWS:
        for seeds in SEEDS:
            _show(row, seeds, taken)


def _timed_calls() -> Counter:
    """The seconds that the kernel's functions take, by their names and the shapes of their layers."""
    taken: Counter = Counter()
    call = kernel._called

    def timed(library, function, dtype, arguments, gives=None):
        started = time.perf_counter()
        found = call(library, function, dtype, arguments, gives)
        shapes = [f"{a.inputs}->{a.outputs}" for a in arguments if isinstance(a, kernel.Linear | kernel.Block)]
        taken[" ".join([function, *shapes])] += time.perf_counter() - started
        return found

    kernel._called = timed
    return taken


def _show(row: Row, seeds: int, taken: Counter) -> None:
    inits = [f"normal:{0.02 * (i + 1):g}" for i in range(16 // seeds)]
    study = row.study(seeds=seeds, inits=inits)
    (ensemble,) = make_plan(study, capacity=16)
    data = row.pictures.drawn(SHARE)
    replicas = build_replicas(study, ensemble.runs, data, "cpu")
    step = optimizer_step(study, ensemble.runs, replicas, "cpu")
    trainer = epochs.Trainer(replicas, data.train, ensemble.seeds, ensemble.groups, row.batch, step)
    trainer.epoch(1)
    taken.clear()
    started = time.perf_counter()
    trainer.epoch(2)
    each = 1e3 / len(list(epochs.batches(len(data.train[1]), row.batch))) / replicas.size
    whole = (time.perf_counter() - started) * each
    parts = [f"{seconds * each:.3f} {name}" for name, seconds in taken.most_common(8)]
    left = whole - sum(taken.values()) * each
    started = time.perf_counter()
    epochs.evaluate(replicas, data.test, "test")
    evaluation = (time.perf_counter() - started) * each
    print(f"{row.title}, {seeds} seeds, {replicas.name}: {whole:.2f} ms; {', '.join(parts)}; {left:.3f} left; "
          f"evaluation {evaluation:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
