"""The kernel: built where there is a compiler, kept, and done without where there is none."""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest
import torch
from bnstudy import models
from bnstudy.replicas import Folded, kernel, replicate
from bnstudy.study import Study


def has_compiler() -> bool:
    """Whether a compiler is here that can build a library with these flags; then it must build ours."""
    with tempfile.TemporaryDirectory() as folder:
        command = [kernel.find_compiler() or "", *kernel.FLAGS, "-x", "c++", "-", "-o", f"{folder}/library"]
        try:
            return (
                subprocess.run(command, input=b"#include <cmath>\n", capture_output=True, check=False).returncode == 0
            )
        except OSError:
            return False


needs_compiler = pytest.mark.skipif(not has_compiler(), reason="no C++ compiler here, or none that works")


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache, as on a new machine."""
    monkeypatch.setattr(kernel.platformdirs, "user_cache_dir", lambda name: str(tmp_path / name))
    monkeypatch.setattr(kernel, "FLAGS", [flag if flag != "-O3" else "-O0" for flag in kernel.FLAGS])  # sooner built
    kernel.load.cache_clear()
    yield tmp_path / "bnstudy" / "kernels"
    kernel.load.cache_clear()


def compiler(folder: Path, script: str) -> str:
    path = folder / "my-c++"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@needs_compiler
def test_built_once_and_found_again(cache):
    built = kernel.load()
    assert built is not None
    assert built.lanes(torch.float32) == 2 * built.lanes(torch.float64) > 0
    assert built.lanes(torch.float16) == 0
    (library,) = cache.iterdir()
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    when = library.stat().st_mtime_ns
    kernel.load.cache_clear()
    assert kernel.load() is not None
    assert [path.stat().st_mtime_ns for path in cache.iterdir()] == [when]


@pytest.mark.parametrize(
    "script",
    ["exit 1", "echo v; exit 1", 'case "$1" in --version) echo v;; *) exit 3;; esac', "echo v"],
    ids=["fails", "fails with a version", "cannot build", "builds nothing"],
)
def test_a_compiler_that_does_not_work_is_done_without(cache, tmp_path, monkeypatch, script):
    monkeypatch.setenv("CXX", compiler(tmp_path, script))
    assert kernel.load() is None
    assert not [path for path in cache.iterdir() if path.suffix != ".so"]


def test_without_a_compiler_the_folded_form_is_used(cache, monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "")
    assert kernel.load() is None
    network = models.build("cnn", "batch", Study.make({"dataset": "digits"}), (1, 8, 8), 10)
    assert type(replicate([network], torch.zeros(4, 1, 8, 8))) is Folded


@needs_compiler
def test_a_damaged_library_in_the_cache_is_built_again(cache):
    assert kernel.load() is not None
    (library,) = cache.iterdir()
    library.unlink()
    library.write_bytes(b"not a library")
    kernel.load.cache_clear()
    assert kernel.load() is not None


@needs_compiler
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_cache_that_cannot_be_written_is_done_without(cache):
    cache.parent.mkdir(parents=True)
    cache.parent.chmod(0o500)
    assert kernel.load() is not None
    assert not cache.exists()
