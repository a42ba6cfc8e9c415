"""Time and memory against the number of runs, and how long it takes to start.

Usage: python benchmarks/scale.py [--out benchmarks/scale.json]

Small networks on scikit-learn's digits: what is asked is whether memory stays flat and time grows in proportion to the
runs, not how fast a network is.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = (128, 512, 2048)


def train(seeds: int) -> None:
    """A study of 4 x `seeds` runs in this process and its workers; prints seconds and the largest process."""
    import bnstudy

    study = bnstudy.Study.make(
        {
            "dataset": "digits",
            "models": "mlp,cnn",
            "inits": "default",
            "epochs": 10,
            "seeds": seeds,
            "hidden": "64",
            "channels": "4",
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        bnstudy.run(study, Path(folder) / "study", jobs=2)
        seconds = time.perf_counter() - started
    peaks = [resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps({"runs": 4 * seeds, "seconds": seconds, "parent_MiB": peaks[0], "largest_worker_MiB": peaks[1]}))


def seconds_of(command: list[str], times: int = 7) -> float:
    """The median time of a command."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""})
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("scale.json"))
    parser.add_argument("--seeds", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.seeds:
        train(options.seeds)
        return
    from bnstudy.study import provenance
    from rows import processor

    found: dict[str, object] = {"processor": processor(), "versions": provenance.versions(), "by_runs": []}
    for runs in RUNS:
        command = [sys.executable, __file__, "--seeds", str(runs // 4)]
        line = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        print(line.strip(), file=sys.stderr)
        found["by_runs"].append(json.loads(line))  # type: ignore[attr-defined]
    tool = str(Path(sys.executable).with_name("bnstudy"))
    commands = {
        "bnstudy --help": [tool, "--help"],
        "bnstudy list inits": [tool, "list", "inits"],
        "python -c 'import bnstudy'": [sys.executable, "-c", "import bnstudy"],
        "python -c 'import torch'": [sys.executable, "-c", "import torch"],
    }
    found["start_seconds"] = {name: seconds_of(command) for name, command in commands.items()}
    check = [sys.executable, "-c", "import sys, bnstudy.cli; assert not {'torch', 'xarray'} & set(sys.modules)"]
    subprocess.run(check, check=True)
    options.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
