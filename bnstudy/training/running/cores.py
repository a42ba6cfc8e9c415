"""How many cores this process may use: those that are there, that it is bound to, and that its container is given."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")


def usable_cores(root: Path = ROOT) -> int:
    """Cores this process may use: of a part of one it is one, of two and a half two.

    Parameters
    ----------
    root : path
        Where ``proc`` and ``sys`` lie.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([bound, *(int(share) for share in _quotas(root))]))


def _quotas(root: Path) -> Iterator[float]:
    """The cores that this process's control groups, and all above them, are given; none for those without a limit."""
    for controllers, group in _groups(root):
        if controllers == "":
            base, read = root / "sys/fs/cgroup", _version_2
        elif "cpu" in controllers.split(","):
            # The first that is there: distributions name the folder so or so.
            names = (controllers, "cpu", "cpu,cpuacct", "cpuacct,cpu")
            base = next((path for name in names if (path := root / "sys/fs/cgroup" / name).is_dir()), root / "nowhere")
            read = _version_1
        else:
            continue
        # In a container the path is the host's, of which nothing but the top is seen.
        place = base / group.strip("/")
        while True:
            if (share := read(place)) is not None:
                yield share
            if place == base or base not in place.parents:
                break
            place = place.parent


def _groups(root: Path) -> Iterator[tuple[str, str]]:
    """Controllers (empty for version 2, which has one tree for all) and path of each group of this process."""
    try:
        lines = (root / "proc/self/cgroup").read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if number and group and ".." not in group.split("/"):
            yield controllers, group


def _version_2(folder: Path) -> float | None:
    quota, _, period = _read(folder / "cpu.max").partition(" ")
    return _share(quota, period)


def _version_1(folder: Path) -> float | None:
    return _share(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))


def _share(quota: str, period: str) -> float | None:
    """A quota in cores; None for ``max``, -1, and what cannot be read."""
    if not (quota.isdecimal() and period.isdecimal() and int(period)):
        return None
    return int(quota) / int(period)


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""
