"""Time and memory of reading, judging and drawing a large study: 100,000 runs of 50 epochs, made up.

Usage: python benchmarks/analysis.py [--runs 100000] [--epochs 50]

The limits are 60 s and 4 GiB for tables and figures together.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bnstudy

MODELS, NORMS, SCALES = 2, 2, (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)
OTHERS = ("default", "zero", "zero-hidden", "large-variance", "xavier", "orthogonal")


def make(folder: Path, runs: int, epochs: int) -> None:
    """A finished study whose curves rise to a level of their own; a twentieth of the runs diverged."""
    import numpy as np
    from bnstudy.storage.store import Store
    from bnstudy.study import schema
    from bnstudy.study.curves import Curves
    from bnstudy.study.schema import Status
    from bnstudy.study.study import Study

    inits = [*OTHERS, *(f"scaled-normal:{scale:g}" for scale in SCALES)]
    seeds = max(1, runs // (MODELS * NORMS * len(inits)))
    study = Study.make({"name": "large", "epochs": epochs, "seeds": seeds, "inits": inits})
    store = Store.create(folder, study, "cpu")
    arms = {(m, n): {"n_parameters": 4266, "epoch_seconds_alone": 3.7} for m in study.models for n in study.norms}
    store.save_arms(arms)
    rng = np.random.default_rng(0)
    for ensemble in store.plan:
        size = len(ensemble.runs)
        level = rng.uniform(0.1, 0.99, (size, 1))
        rise = level * (1 - np.exp(-np.arange(1, epochs + 1) / 5))
        curves = {v.name: rise + rng.normal(0, 0.002, rise.shape) for v in schema.CURVES}
        died = np.where(rng.random(size) < 0.05, epochs // 2, -1).astype(np.int32)
        gone = (died[:, None] > 0) & (np.arange(1, epochs + 1) >= died[:, None])
        for values in curves.values():
            values[gone] = np.nan
        status = np.where(died < 0, Status.DONE, Status.DIVERGED).astype(np.int8)
        store.save(ensemble, Curves({k: v.astype(np.float32) for k, v in curves.items()}, status, died, 1.0), {})


def measure(folder: Path, what: str, runs: int, epochs: int) -> None:
    """One part, in this process; prints its seconds and this process's peak memory."""
    started = time.perf_counter()
    if what == "make":
        make(folder, runs, epochs)
    elif what == "consolidate":
        from bnstudy.storage.consolidation import consolidate
        from bnstudy.storage.store import Store

        consolidate(Store.open(folder))
    elif what == "open":
        from bnstudy.storage.opening import open_results

        open_results(folder).load()
    elif what == "table":
        from bnstudy.analysis.results import Results
        from bnstudy.analysis.tables.summary import report_table, sweep_table

        results = Results.open(folder)
        report_table(results)
        sweep_table(results)
    elif what == "analyze":
        from bnstudy.analysis.assessment import assess
        from bnstudy.analysis.tables.verdicts import rows, sentences, verdict_table
        from bnstudy.storage.opening import open_results

        result = assess(open_results(folder))
        rows(result), sentences(result), verdict_table(result)
    elif what == "report":
        from bnstudy.analysis.report import write_report

        write_report(folder)
    else:
        from bnstudy.analysis.figures.gallery import draw_studies

        draw_studies([folder], folder.parent / "figures")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    line = {"what": what, "seconds": time.perf_counter() - started, "GiB": peak, "version": bnstudy.__version__}
    print(json.dumps(line))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        measure(options.folder, options.part, options.runs, options.epochs)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary) / "large"
        # Each part in a process of its own, so that its memory is its own.
        for part in ("make", "consolidate", "open", "table", "analyze", "figures", "report"):
            if part == "make" and folder.exists():
                continue
            command = [sys.executable, __file__, "--part", part, "--folder", str(folder)]
            command += ["--runs", str(options.runs), "--epochs", str(options.epochs)]
            print(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip(), flush=True)


if __name__ == "__main__":
    main()
