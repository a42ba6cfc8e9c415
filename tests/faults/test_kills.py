"""SIGKILL: at any time, and at every step of a write. A study survives it, and ends as if nothing had happened.

A few kills in every test run; a hundred, and every step, under ``make test-faults``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from bnstudy.storage.consolidation import curves_dataset
from bnstudy.storage.store import Store
from bnstudy.study.study import Study
from bnstudy.training.running.execution import run

from tests.faults.studies import STUDY, TINY, assert_unharmed, command, finished, numbers


def seconds_to_begin(study: Path, folder: Path, jobs: int) -> float:
    """Run a study; returns how long it takes until its first ensemble is stored."""
    started = time.monotonic()
    process = subprocess.Popen(command(study, folder, jobs))
    while not finished(folder) and process.poll() is None:
        time.sleep(0.01)
    took = time.monotonic() - started
    assert process.wait() == 0
    return took


def kill_until_done(study: Path, folder: Path, jobs: int, kills: int, latest: float, rng: np.random.Generator) -> int:
    """Start, kill within `latest` seconds, look; `kills` times or until the study is done. Returns how often it was."""
    before: dict[str, tuple[int, int]] = {}
    for killed in range(kills):
        process = subprocess.Popen(command(study, folder, jobs), stderr=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + rng.uniform(0.2 * latest, latest)
        while time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.002)
        if process.poll() is not None:
            assert process.returncode == 0
            return killed
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        after = finished(folder)
        assert before.items() <= after.items(), "a finished ensemble was lost or recomputed"
        before = after
    assert subprocess.run(command(study, folder, jobs), check=False, capture_output=True).returncode == 0
    assert before.items() <= finished(folder).items()
    return kills


@pytest.mark.parametrize(
    ("kills", "seeds", "jobs"),
    [
        pytest.param(2, 8, 1, marks=pytest.mark.slow),
        pytest.param(100, 60, 2, marks=pytest.mark.faults, id="a hundred kills"),
    ],
)
def test_kill_9_loses_nothing_and_changes_nothing(tmp_path, rng, kills, seeds, jobs):
    study = tmp_path / "study.toml"
    study.write_text(STUDY.format(seeds=seeds))
    latest = 1.5 * seconds_to_begin(study, tmp_path / "whole", jobs)
    wanted = numbers(tmp_path / "whole")
    left, studies = kills, 0
    while left > 0:
        folder = tmp_path / f"killed-{studies}"
        left, studies = left - max(1, kill_until_done(study, folder, jobs, left, latest, rng)), studies + 1
        assert_unharmed(folder, wanted)
    print(f"\n{kills} kills within {latest:.1f} s of the start, of {studies} studies of {len(Store.open(folder).plan)} "
          "ensembles: none lost or recomputed, the same bits")  # fmt: skip


# ------------------------------------------------------------------ at every step of a write

DIES = """
import builtins, io, os, signal, sys

study_file, home, steps = sys.argv[1], sys.argv[2], [int(at) for at in sys.argv[3:]]
count, at, folder = 0, 0, ""

TARGETS = (io, "open"), (builtins, "open"), (os, "fsync"), (os, "replace"), (os, "open"), (os, "unlink")

def step(path):
    global count
    if isinstance(path, int) or str(path).startswith(folder):
        count += 1
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)

def wrap(owner, name):
    real = getattr(owner, name)
    def counted(path, *arguments, **options):
        step(path)
        done = real(path, *arguments, **options)
        step(path)
        return done
    setattr(owner, name, counted)

import netCDF4, sklearn.datasets, sklearn.model_selection, torch, xarray
from bnstudy.training.running.execution import run
from bnstudy.training.running import renewal
from bnstudy.study.study import Study

renewal.FIRST, renewal.EVERY, renewal.SHARE = 0.0, 0.0, float("inf")  # after every ensemble
study = Study.load(study_file)
for at in steps:
    child = os.fork()
    if child == 0:
        folder = f"{home}/study-{at}"
        for owner, name in TARGETS:
            wrap(owner, name)
        run(study, folder)
        print(count, flush=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status == (signal.SIGKILL if at else 0), (at, status)
"""


def run_and_die(study: Path, home: Path, steps: Sequence[int]) -> str:
    """For each of `steps` run a study in a process that kills itself before or after that step; 0: never."""
    command = [sys.executable, "-c", DIES, str(study), str(home), *map(str, steps)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


@pytest.mark.parametrize(
    "every", [pytest.param(79, marks=pytest.mark.slow), pytest.param(1, marks=pytest.mark.faults, id="every step")]
)
def test_kill_9_at_every_step_of_a_write(tmp_path, every):
    """Each file is absent, or the old one whole, or the new one whole; what is counted as stored reads well."""
    study = tmp_path / "study.toml"
    study.write_text(Study.make(TINY).to_toml())
    steps = int(run_and_die(study, tmp_path, [0]))
    wanted = numbers(tmp_path / "study-0")
    assert steps > 100
    tried = range(1, steps + 1, every)
    run_and_die(study, tmp_path, tried)
    for at in tried:
        folder = tmp_path / f"study-{at}"
        if (folder / "plan.json").exists():
            store = Store.open(folder)
            stored = curves_dataset(store)  # reads every ensemble that counts as stored, against its checksum
            assert int((stored.status != 0).sum()) == len(store.plan) - len(store.pending()), at
            if (folder / "curves.nc").exists():
                assert numbers(folder).test_loss.dims == wanted.test_loss.dims, at
        run(Study.make(TINY), folder)
        assert_unharmed(folder, wanted)
    print(f"\nSIGKILL at {len(tried)} of {steps} steps of writing: nothing partial, nothing lost")
