"""Faults, injected: a study survives kill -9 at any time, and ends as if nothing had happened.

A few kills in every test run; a hundred under ``make test-faults``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from bnstudy.store import Store, open_results
from bnstudy.verification import verify

TIMES = ["train_seconds", "epoch_seconds_alone"]
STUDY = """
name = "killed"
dataset = "digits"
train_size = 400
hidden = [16]
channels = [2]
inits = ["default", "zero", "scaled-normal:10", "xavier"]
seeds = {seeds}
epochs = 3
"""


def command(study: Path, folder: Path) -> list[str]:
    start = "from bnstudy.cli import main; main()"
    return [sys.executable, "-c", start, "run", str(study), "--out", str(folder), "--jobs", "2", "--quiet"]


def finished(folder: Path) -> dict[str, tuple[int, int]]:
    """Every ensemble that is stored, with its file's identity and time: a recomputed one has another."""
    if not (folder / "plan.json").exists():
        return {}
    store = Store.open(folder)
    pending = {ensemble.name for ensemble in store.pending()}
    files = {e.name: store.path(e).stat() for e in store.plan if e.name not in pending}
    return {name: (about.st_ino, about.st_mtime_ns) for name, about in files.items()}


def kill_until_done(study: Path, folder: Path, kills: int, rng: np.random.Generator) -> int:
    """Start, kill at a random time, look; `kills` times or until the study is done. Returns how often it was killed."""
    before: dict[str, tuple[int, int]] = {}
    for killed in range(kills):
        process = subprocess.Popen(command(study, folder), stderr=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + rng.uniform(1.0, 6.0)
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
    assert subprocess.run(command(study, folder), capture_output=True).returncode == 0
    assert before.items() <= finished(folder).items()
    return kills


@pytest.mark.parametrize(
    ("kills", "seeds"), [(5, 20), pytest.param(100, 60, marks=pytest.mark.faults, id="a hundred kills")]
)
def test_kill_9_loses_nothing_and_changes_nothing(tmp_path, rng, kills, seeds):
    study = tmp_path / "study.toml"
    study.write_text(STUDY.format(seeds=seeds))
    assert subprocess.run(command(study, tmp_path / "whole")).returncode == 0
    wanted = open_results(tmp_path / "whole").drop_vars(TIMES).load()
    left, round_ = kills, 0
    while left > 0:
        folder = tmp_path / f"killed-{round_}"
        left, round_ = left - max(1, kill_until_done(study, folder, left, rng)), round_ + 1
        found = open_results(folder).drop_vars(TIMES).load()
        assert found.identical(wanted.assign_attrs(found.attrs))
        assert verify(folder) == []
        assert not [path for path in folder.rglob("*") if path.name.endswith(".tmp")]
    print(
        f"{kills} kills over {round_} studies of {len(Store.open(folder).plan)} ensembles: none lost, none recomputed"
    )
