"""Seconds a run-epoch, of bnstudy and of everything it can be compared with, interleaved in one run on one machine.

Usage: python benchmarks/speed.py [--rounds 4] [--share 0.1] [--out benchmarks/speed.jsonl]

Every measurement is a line of the output, written as it is made; what is there already is not measured again. Each
round measures every contestant once, in another order, so that a slow minute of the machine does not fall on one.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import sys
from pathlib import Path

from bnstudy.training.running.shared_data import share
from contestants import CONTESTANTS, Task, pictures

TASKS = [Task(model, norm) for model in ("cnn", "mlp") for norm in ("none", "batch")]


def _measure(name: str, task: Task, shared, pipe) -> None:
    pipe.send(CONTESTANTS[name](task, shared))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--share", type=float, default=0.1, help="of MNIST, for training and test")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("speed.jsonl"))
    parser.add_argument("--only", default="", help="contestants, with semicolons")
    options = parser.parse_args()
    done = set()
    if options.out.exists():
        lines = [json.loads(line) for line in options.out.read_text().splitlines()]
        done = {(line["round"], line["contestant"], line["model"], line["norm"]) for line in lines}
    names = options.only.split(";") if options.only else list(CONTESTANTS)
    context = multiprocessing.get_context("spawn")
    with share(pictures(options.share)) as shared:
        for number in range(options.rounds):
            for task in TASKS:
                order = random.Random(f"{number} {task}").sample(names, len(names))
                for name in order:
                    if (number, name, task.model, task.norm) in done:
                        continue
                    ours, theirs = context.Pipe()
                    process = context.Process(target=_measure, args=(name, task, shared, theirs))
                    process.start()
                    theirs.close()
                    seconds = ours.recv() / options.share
                    process.join()
                    line = {"round": number, "contestant": name, "model": task.model, "norm": task.norm}
                    line |= {"seconds": seconds, "share": options.share}
                    with options.out.open("a") as file:
                        file.write(json.dumps(line) + "\n")
                    print(f"{number} {task.model:4} {task.norm:6} {name:25} {seconds:8.3f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
