"""Where the time of a training step goes, in one process on one thread: the shares behind the bounds in README.md.

Usage: python benchmarks/profile.py
"""

from __future__ import annotations

import warnings

import torch
from bnstudy.study import registry
from bnstudy.training import epochs
from bnstudy.training.replicas import Folded, Lanes
from contestants import BATCH, LR, MOMENTUM, Task, network, pictures
from torch.profiler import ProfilerActivity, profile

REPLICAS, ROWS = 15, 9


def main() -> None:
    torch.set_num_threads(1)
    data = pictures(0.05)
    sgd = registry.optimizers["sgd"].function
    for task in (Task(model, norm) for model in ("cnn", "mlp") for norm in ("none", "batch")):
        for compiled in (True, False) if task.model == "cnn" else (True,):
            networks = [network(task) for _ in range(REPLICAS)]
            form = Lanes if compiled and Lanes.suits(networks[0], torch.device("cpu")) else Folded
            replicas = form(networks)
            rates = torch.full((REPLICAS,), LR, dtype=torch.float64)
            step = sgd(list(replicas.parameters.values()), rates, MOMENTUM, 0.0)
            trainer = epochs.Trainer(replicas, data.train, (0,), (0,) * REPLICAS, BATCH, step)
            trainer.epoch(1)
            with warnings.catch_warnings(), profile(activities=[ProfilerActivity.CPU]) as found:
                warnings.simplefilter("ignore")
                trainer.epoch(2)
            averages = sorted(found.key_averages(), key=lambda e: -e.self_cpu_time_total)
            total = sum(e.self_cpu_time_total for e in averages)
            steps = len(data.train[1]) // BATCH
            print(f"\n{task.model}, {task.norm}, {type(replicas).__name__}: {total / 1e3 / steps / REPLICAS:.2f} ms")
            for average in averages[:ROWS]:
                own = average.self_cpu_time_total
                print(f"  {100 * own / total:5.1f} %  {own / 1e3 / steps / REPLICAS:.3f} ms  {average.key[:60]}")


if __name__ == "__main__":
    main()
