"""Cores that a control group leaves: both versions of Linux's, fractions, no limit, groups above."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from bnstudy.cli.app import main
from bnstudy.training.running import cores
from bnstudy.training.running.cores import usable_cores


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """A machine of eight cores without any control group."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    return tmp_path


def put(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ("50000 100000", 1),
        ("100000 100000", 1),
        ("250000 100000", 2),
        ("800000 100000", 8),
        ("6400000 100000", 8),
        ("max 100000", 8),
        ("max", 8),
        ("", 8),
        ("50000 0", 8),
        ("nonsense", 8),
    ],
)
def test_a_quota_of_version_2(root, quota, expected):
    put(root, **{"proc/self/cgroup": "0::/a/b", "sys/fs/cgroup/a/b/cpu.max": quota})
    assert usable_cores(root) == expected


@pytest.mark.parametrize(("quota", "expected"), [("50000", 1), ("350000", 3), ("-1", 8)])
@pytest.mark.parametrize("folder", ["cpu", "cpu,cpuacct"])
def test_a_quota_of_version_1(root, quota, expected, folder):
    put(root, **{"proc/self/cgroup": f"5:memory:/a\n3:{folder}:/a",
                 f"sys/fs/cgroup/{folder}/a/cpu.cfs_quota_us": quota,
                 f"sys/fs/cgroup/{folder}/a/cpu.cfs_period_us": "100000"})  # fmt: skip
    assert usable_cores(root) == expected


def test_a_group_above_counts_and_a_containers_top_does(root):
    put(root, **{"proc/self/cgroup": "0::/a/b", "sys/fs/cgroup/a/cpu.max": "300000 100000",
                 "sys/fs/cgroup/a/b/cpu.max": "max 100000"})  # fmt: skip
    assert usable_cores(root) == 3
    put(root, **{"proc/self/cgroup": "0::/of/the/host", "sys/fs/cgroup/cpu.max": "200000 100000"})
    assert usable_cores(root) == 2


def test_where_there_are_no_groups_cores_are_those_it_is_bound_to(root, monkeypatch):
    assert usable_cores(root) == 8
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3}, raising=False)
    assert usable_cores(root) == 1
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores(root) == 1


def test_half_a_core_is_told_and_means_one_worker(root, monkeypatch, capsys):
    put(root, **{"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "50000 100000"})
    monkeypatch.setattr(cores.usable_cores, "__defaults__", (root,))
    with pytest.raises(SystemExit):
        main(["doctor"])
    assert "cores        1 usable" in capsys.readouterr().out
