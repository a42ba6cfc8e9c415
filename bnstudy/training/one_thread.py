"""How a process trains: on one thread, with memory that it keeps."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

# Parameters of glibc's mallopt(3), while training and as they are where nobody has asked for anything: how many large
# blocks get pages of their own, and how much free memory at the top of the heap goes back to the system.
MMAP_MAX, TRIM_THRESHOLD = -4, -1
KEEPING = {MMAP_MAX: 0, TRIM_THRESHOLD: 2**31 - 1}
USUAL = {MMAP_MAX: 65536, TRIM_THRESHOLD: 64 * 1024**2}


def train_on_one_thread() -> None:
    """Let this process train on one thread, and keep the memory that it frees for what it needs next.

    A step's signals are freed at its end. The system would take the large ones back, and give the next step others that
    it first fills with zeros, page by page: a third of the time of a network of large signals.
    """
    torch.set_num_threads(1)
    _ask_allocator(KEEPING)


@contextmanager
def one_thread() -> Iterator[None]:
    """The same for a while."""
    threads = torch.get_num_threads()
    train_on_one_thread()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        _ask_allocator(USUAL)
        if trim := _of_the_c_library("malloc_trim"):
            trim(0)


def _ask_allocator(values: dict[int, int]) -> None:
    """Set parameters of glibc's allocator; of another nothing is known."""
    if mallopt := _of_the_c_library("mallopt"):
        for parameter, value in values.items():
            mallopt(parameter, value)


def _of_the_c_library(name: str) -> Any:
    try:
        return getattr(ctypes.CDLL(None), name, None)
    except (OSError, TypeError):  # where programs cannot look into themselves
        return None
