"""Processes that train: their threads, and their memory."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest
import torch
from bnstudy.training import one_thread

FAULTS = """
import resource, torch
from bnstudy.training.one_thread import one_thread

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    signals = [torch.ones(size * 1024**2) for size in (12, 10, 6)]  # 48, 40 and 24 MiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

before = [faults() for _ in range(4)][-1]
with one_thread():
    while_training = [faults() for _ in range(4)][-1]
print(before, while_training)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
def test_memory_that_is_freed_is_kept_while_training():
    found = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    before, while_training = map(int, found.stdout.split())
    assert while_training < 0.1 * before, "its pages had to be fetched again"


def test_threads_are_as_before_afterwards():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread.one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_where_the_c_library_cannot_be_asked_training_goes_on(monkeypatch):
    def refuse(name):
        raise OSError

    monkeypatch.setattr(one_thread.ctypes, "CDLL", refuse)
    with one_thread.one_thread():
        assert torch.get_num_threads() == 1
