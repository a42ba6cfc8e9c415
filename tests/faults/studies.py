"""Studies small enough to break often, and what is looked at afterwards."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import xarray as xr
from bnstudy.storage.opening import open_results
from bnstudy.storage.store import Store
from bnstudy.storage.verification import verify

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


def command(study: Path, folder: Path, jobs: int = 2) -> list[str]:
    start = "from bnstudy.cli import main; main()"
    return [sys.executable, "-c", start, "run", str(study), "--out", str(folder), "--jobs", str(jobs), "--quiet"]


def finished(folder: Path) -> dict[str, tuple[int, int]]:
    """Every ensemble that is stored, with its file's identity and time: a recomputed one has another."""
    if not (folder / "plan.json").exists():
        return {}
    store = Store.open(folder)
    pending = {ensemble.name for ensemble in store.pending()}
    files = {e.name: store.path(e).stat() for e in store.plan if e.name not in pending}
    return {name: (about.st_ino, about.st_mtime_ns) for name, about in files.items()}


TINY = {
    "dataset": "digits", "train_size": 100, "models": "mlp", "hidden": "4", "inits": "default", "seeds": 1, "epochs": 1,
}  # fmt: skip


def numbers(folder: Path) -> xr.Dataset:
    """What a study found, but for the times it took."""
    return open_results(folder).drop_vars(TIMES).load()


def assert_unharmed(folder: Path, wanted: xr.Dataset) -> None:
    """A study folder is whole and clean, and holds the wanted numbers bit for bit."""
    found = numbers(folder)
    assert found.identical(wanted.assign_attrs(found.attrs))
    assert verify(folder) == []
    assert not [path for path in folder.rglob("*") if path.name.endswith(".tmp")]


def damaged(content: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """A file's content after one of many accidents, and which."""
    kind = str(rng.choice(["flip", "header", "bytes", "zeros", "swap", "cut", "more", "empty", "text"]))
    n, at = len(content), int(rng.integers(len(content)))
    changed = bytearray(content)
    if kind in ("flip", "header"):
        changed[at if kind == "flip" else at % 64 % n] ^= 1 << int(rng.integers(8))
    elif kind == "bytes":
        for place in rng.integers(n, size=rng.integers(1, 50)):
            changed[place] = rng.choice([0, 1, 127, 128, 255, int(rng.integers(256))])
    elif kind == "zeros":
        changed[at : at + n // 8 + 1] = bytes(len(changed[at : at + n // 8 + 1]))
    elif kind == "swap":
        changed = changed[n // 2 :] + changed[: n // 2]
    return kind, {
        "cut": content[:at],
        "more": content + bytes(1 + at % 1000),
        "empty": b"",
        "text": b"<html>404 not found</html>",
    }.get(kind, bytes(changed))


def workers_of(parent: int) -> list[int]:
    """Processes that a process started, and theirs."""
    listed = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            listed[int(entry.parent.name)] = int(entry.read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
    found, fresh = [], [parent]
    while fresh:
        fresh = [pid for pid, ppid in listed.items() if ppid in fresh]
        found += fresh
    return found


def is_alive(pid: int) -> bool:
    """Whether a process runs; a dead one that nobody collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
