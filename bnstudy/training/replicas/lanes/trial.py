"""Which registers the kernel is built for: those with which this machine is fastest, found by a short trial.

Wide registers work on more replicas at once, and some processors take twice as long for that. The instruction set does
not tell which do, so ``cpp/trial.cpp``, a convolution as a step has it, is built (a second) and timed for every width.
No number that is computed depends on the choice.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Sequence
from pathlib import Path

WORTH = 1.05  # times as fast a wider register has to be: it leaves more lanes idle


def widths(processor: Sequence[str]) -> tuple[int, ...]:
    """Bytes of the registers that a processor has, as its description tells, the narrowest first; empty: not known."""
    flags = {word for line in processor if line.startswith("flags") for word in line.split()}
    if {"avx512f", "avx512vl"} <= flags:
        return (32, 64)
    return (32,) if "avx" in flags else ()


def fastest(source: Path, bytes_: Sequence[int], folder: Path, compiled: Callable[[Path, Path, str], None]) -> int:
    """The width with which the trial computes fastest.

    Parameters
    ----------
    source : Path
        The trial's.
    bytes_ : sequence of int
        Widths, the narrowest first.
    folder : Path
        Where it may be built.
    compiled : callable
        Builds a source into a library, with one more flag of the compiler's.

    Returns
    -------
    int
        In bytes.
    """
    chosen, best = bytes_[0], 0.0
    for width in bytes_:
        made = folder / f"trial-{width}"
        compiled(source, made, flag(width))
        run = ctypes.CDLL(str(made)).trial
        run.restype = ctypes.c_double
        if (speed := float(run())) > WORTH * best:
            chosen, best = width, speed
    return chosen


def of_a_product(size: int = 1024, attempts: int = 5) -> float:
    """Billions of multiplications and additions a second that a product of large matrices reaches here, on one core."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        a, best = torch.ones(size, size), float("inf")
        for _ in range(attempts):
            start = time.perf_counter()
            torch.mm(a, a)
            best = min(best, time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    return 2 * size**3 / best / 1e9


def flag(width: int) -> str:
    """What tells the compiler of a width in bytes."""
    return f"-DREGISTER_BYTES={width}"
