"""Faults, injected: a study survives kill -9 at any time, and ends as if nothing had happened.

A few kills in every test run; a hundred under ``make test-faults``.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from bnstudy.errors import InputError
from bnstudy.execution import run
from bnstudy.reading import open_results
from bnstudy.store import Store
from bnstudy.study import Study
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
    assert subprocess.run(command(study, folder), check=False, capture_output=True).returncode == 0
    assert before.items() <= finished(folder).items()
    return kills


@pytest.mark.parametrize(
    ("kills", "seeds"), [(5, 20), pytest.param(100, 60, marks=pytest.mark.faults, id="a hundred kills")]
)
def test_kill_9_loses_nothing_and_changes_nothing(tmp_path, rng, kills, seeds):
    study = tmp_path / "study.toml"
    study.write_text(STUDY.format(seeds=seeds))
    assert subprocess.run(command(study, tmp_path / "whole"), check=False).returncode == 0
    wanted = open_results(tmp_path / "whole").drop_vars(TIMES).load()
    left, studies = kills, 0
    while left > 0:
        folder = tmp_path / f"killed-{studies}"
        left, studies = left - max(1, kill_until_done(study, folder, left, rng)), studies + 1
        found = open_results(folder).drop_vars(TIMES).load()
        assert found.identical(wanted.assign_attrs(found.attrs))
        assert verify(folder) == []
        assert not [path for path in folder.rglob("*") if path.name.endswith(".tmp")]
    print(f"\n{kills} kills of {studies} studies of {len(Store.open(folder).plan)} ensembles: none lost or recomputed")


# ------------------------------------------------------------------ the disk says no

TINY = {
    "dataset": "digits",
    "train_size": 100,
    "models": "mlp",
    "hidden": "4",
    "inits": "default",
    "seeds": 1,
    "epochs": 1,
}


class Disk:
    """Counts what is opened for writing, flushed and renamed in a folder, and refuses the `fails`-th of them."""

    def __init__(self, folder: Path, fails: int, number: int) -> None:
        self.folder, self.fails, self.number, self.count = str(folder), fails, number, 0

    def check(self, path: object) -> None:
        if isinstance(path, int) or str(path).startswith(self.folder):
            self.count += 1
            if self.count == self.fails:
                raise OSError(self.number, os.strerror(self.number), None if isinstance(path, int) else str(path))

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for owner, name in (
            (io, "open"),
            (builtins, "open"),
            (os, "fsync"),
            (os, "replace"),
            (os, "open"),
            (os, "write"),
        ):
            self._wrap(monkeypatch, owner, name)

    def _wrap(self, monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> None:
        real = getattr(owner, name)

        def checked(path, *arguments, **options):
            self.check(path)
            return real(path, *arguments, **options)

        monkeypatch.setattr(owner, name, checked)


def steps_of(begun: Path, tmp_path: Path) -> int:
    """How many steps finishing the begun study takes."""
    folder = Path(shutil.copytree(begun, tmp_path / "counted"))
    with pytest.MonkeyPatch.context() as patched:
        disk = Disk(folder, 0, 0)
        disk.install(patched)
        run(Study.make(TINY), folder)
    return disk.count


@pytest.fixture(scope="module")
def begun(tmp_path_factory) -> tuple[Path, Path]:
    """A study of two ensembles with one still to be trained, and the same study finished."""
    whole = tmp_path_factory.mktemp("disk") / "whole"
    run(Study.make(TINY), whole)
    half = Path(shutil.copytree(whole, whole.with_name("half")))
    store = Store.open(half)
    store.path(store.plan[1]).unlink()
    return half, whole


@pytest.mark.parametrize(
    ("every", "number"),
    [
        (4, errno.ENOSPC),
        *(
            pytest.param(1, n, marks=pytest.mark.faults, id=errno.errorcode[n])
            for n in (errno.ENOSPC, errno.EIO, errno.EACCES)
        ),
    ],
)
def test_an_io_error_at_any_step_is_one_line_and_loses_nothing(begun, tmp_path, monkeypatch, every, number):
    half, whole = begun
    steps = steps_of(half, tmp_path)
    assert steps > 10
    wanted = open_results(whole).drop_vars(TIMES).load()
    refused = 0
    for fails in range(1, steps + 1, every):
        folder = Path(shutil.copytree(half, tmp_path / f"study-{fails}"))
        with monkeypatch.context() as patched:
            Disk(folder, fails, number).install(patched)
            try:
                run(Study.make(TINY), folder)
            except InputError as error:
                refused += 1
                assert os.strerror(number).lower() in str(error).lower(), fails
                assert "\n" not in str(error)
        assert not [path for path in folder.rglob("*") if path.name.endswith(".tmp")], fails
        assert Store.open(folder).path(Store.open(folder).plan[0]).exists(), fails
        run(Study.make(TINY), folder)
        found = open_results(folder).drop_vars(TIMES).load()
        assert found.identical(wanted.assign_attrs(found.attrs)), fails
        shutil.rmtree(folder)
    tried = len(range(1, steps + 1, every))
    print(f"\n{errno.errorcode[number]} at {tried} of {steps} steps: {refused} refused in one line, nothing lost")


# ------------------------------------------------------------------ several at once


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
