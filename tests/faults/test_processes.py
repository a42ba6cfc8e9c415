"""Several processes on one study, and signals."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from bnstudy.storage.store import Store
from bnstudy.storage.verification import verify

from tests.faults.studies import STUDY, assert_unharmed, command, is_alive, numbers, workers_of


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, pytest.param(10, marks=pytest.mark.faults)])
def test_processes_on_one_study_train_each_run_once(tmp_path, processes):
    """One works, those that wait find all done, and those that do not exit 4."""
    study = tmp_path / "study.toml"
    study.write_text(STUDY.format(seeds=4))
    folder = tmp_path / "study"
    waiting = [subprocess.Popen([*command(study, folder), "--wait"]) for _ in range(processes - 1)]
    hasty = subprocess.Popen(command(study, folder), stderr=subprocess.PIPE, text=True)
    assert [process.wait() for process in waiting] == [0] * len(waiting)
    _, error = hasty.communicate()
    assert hasty.returncode in (0, 4), error
    assert hasty.returncode == 0 or "another process" in error
    lines = [line for line in (folder / "manifest.jsonl").read_text().splitlines() if '"ensemble"' in line]
    assert len(lines) == len(Store.open(folder).plan)
    assert verify(folder) == []


# ------------------------------------------------------------------ signals

PATIENCE = 30.0  # seconds a busy machine may take; what a quiet one takes is printed


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A study file, and what it gives when nothing happens to it."""
    folder = tmp_path_factory.mktemp("signals")
    study = folder / "study.toml"
    study.write_text(STUDY.format(seeds=12))
    started = time.monotonic()
    assert subprocess.run(command(study, folder / "whole"), check=False).returncode == 0
    return study, numbers(folder / "whole"), time.monotonic() - started


def stop_at(
    study: Path, folder: Path, number: int, delay: float, second: float | None = None
) -> tuple[int, str, float]:
    """Run a study and send it a signal after `delay` seconds: exit code, standard error, seconds until it ended."""
    process = subprocess.Popen(command(study, folder), stderr=subprocess.PIPE, text=True)
    time.sleep(delay)
    family = workers_of(process.pid)
    sent = time.monotonic()
    process.send_signal(number)
    if second is not None:
        time.sleep(second)
        process.send_signal(number)
    _, error = process.communicate(timeout=60)
    took = time.monotonic() - sent
    while [pid for pid in family if is_alive(pid)]:
        assert time.monotonic() - sent < 2 * PATIENCE, "workers were left behind"
        time.sleep(0.05)
    return process.returncode, error, took


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("times", [pytest.param(1, marks=pytest.mark.slow), pytest.param(20, marks=pytest.mark.faults)])
def test_a_signal_at_any_time_ends_in_seconds_and_resumes(whole, tmp_path, rng, number, times):
    """From the first import to the last file: 130 or 143 (or done, if it came too late), one line, no traceback."""
    study, wanted, lasts = whole
    slowest, stopped = 0.0, 0
    for i, delay in enumerate(np.sort(rng.uniform(0.05, 0.7 * lasts, times))):
        folder = tmp_path / f"s{i}"
        code, error, took = stop_at(study, folder, number, delay)
        slowest, stopped = max(slowest, took), stopped + (code != 0)
        # A process that has not begun to run Python's code yet dies of the signal itself.
        assert code in (0, 128 + number, -number), (delay, error)
        assert "Traceback" not in error, (delay, error)
        assert error.count("\n") <= 1, (delay, error)
        assert took < PATIENCE, delay
        assert subprocess.run(command(study, folder), check=False).returncode == 0
        assert_unharmed(folder, wanted)
    print(
        f"\n{number.name}: {stopped} of {times} stopped, the slowest in {slowest:.1f} s; all resumed to the same bits"
    )


@pytest.mark.parametrize("times", [pytest.param(1, marks=pytest.mark.slow), pytest.param(10, marks=pytest.mark.faults)])
def test_a_second_interrupt_ends_at_once(whole, tmp_path, rng, times):
    study, wanted, lasts = whole
    slowest = 0.0
    for i in range(times):
        folder = tmp_path / f"s{i}"
        code, error, took = stop_at(study, folder, signal.SIGINT, rng.uniform(0.5, 0.9) * lasts, second=0.02)
        slowest = max(slowest, took)
        assert code in (0, 128 + signal.SIGINT), error
        assert "Traceback" not in error
        assert took < PATIENCE
        assert subprocess.run(command(study, folder), check=False).returncode == 0
        assert_unharmed(folder, wanted)
    print(f"\na second SIGINT, {times} times: ended within {slowest:.1f} s, and resumed to the same bits")
