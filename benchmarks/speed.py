"""Seconds a run-epoch, of bnstudy and of everything it can be compared with, interleaved in one run on one machine.

Usage: python benchmarks/speed.py [--rounds 4] [--share 0.05] [--out benchmarks/speed.jsonl]

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
from contestants import CONTESTANTS, offered
from rows import ROWS, Row, processor


def _measure(name: str, row: Row, shared, pipe) -> None:
    pipe.send(CONTESTANTS[name](row, shared))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--share", type=float, default=0.05, help="of MNIST, for training and test")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("speed.jsonl"))
    parser.add_argument("--only", default="", help="contestants, with semicolons")
    parser.add_argument("--rows", default="", help="what their titles begin with, with semicolons")
    parser.add_argument("--forget", action="store_true", help="what was measured on this machine, and measure nothing")
    options = parser.parse_args()
    machine = processor()
    lines = options.out.read_text().splitlines() if options.out.exists() else []
    here = [line for line in map(json.loads, lines) if line["processor"] == machine]
    if options.forget:
        others = [line for line in lines if json.loads(line)["processor"] != machine]
        options.out.write_text("".join(f"{line}\n" for line in others))
        return
    done = {(line["round"], line["contestant"], line["row"]) for line in here}
    chosen = [row for row in ROWS if row.title.startswith(tuple(options.rows.split(";")))]
    for number in range(options.rounds):
        for row in chosen:
            names = [name for name in offered(row) if not options.only or name in options.only.split(";")]
            names = [name for name in names if (number, name, row.title) not in done]
            with share(row.pictures.drawn(options.share)) as shared:
                for name in random.Random(f"{number} {row.title}").sample(names, len(names)):
                    _one(number, name, row, shared, options)


def _one(number: int, name: str, row: Row, shared, options: argparse.Namespace) -> None:
    """Measure in a process of its own, and write it down."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_measure, args=(name, row, shared, theirs))
    process.start()
    theirs.close()
    found = ours.recv()
    process.join()
    seconds, *compiling = found if isinstance(found, tuple) else (found,)
    line = {"round": number, "contestant": name, "row": row.title, "seconds": seconds / options.share}
    line |= {"share": options.share, "processor": processor()}
    if compiling:
        line["compiling"] = compiling[0]
    with options.out.open("a") as file:
        file.write(json.dumps(line) + "\n")
    print(f"{number} {row.title:30} {name:35} {seconds / options.share:8.3f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
