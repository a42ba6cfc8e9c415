"""Named, independent random streams.

A stream's seed is a hash of its name, so that streams are independent of each other and of the order in which they
are used. Draws are made on the CPU: every device sees the same numbers. Both arms of a seed ask for the same names,
and so share their base weights, their batches and their masks (common random numbers).

What draws from the global generators of torch, NumPy or Python (a dropout, a layer's own first values) is turned to
such streams too, by :func:`kept` and :func:`turn`.
"""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import isgeneratorfunction
from typing import Any, TypeVar, cast

import numpy as np
import torch

Called = TypeVar("Called", bound=Callable[..., Any])
_lock = threading.RLock()


def one_thread_at_a_time(function: Called) -> Called:
    """Decorator of what turns the global generators or hooks all modules: the threads of a process share both.

    Of a generator it is each step that runs alone.
    """

    @wraps(function)
    def alone(*arguments: Any, **options: Any) -> Any:
        with _lock:
            return function(*arguments, **options)

    @wraps(function)
    def step_by_step(*arguments: Any, **options: Any) -> Any:
        steps = function(*arguments, **options)
        while True:
            try:
                with _lock:
                    value = next(steps)
            except StopIteration as end:
                return end.value
            yield value

    return cast(Called, step_by_step if isgeneratorfunction(function) else alone)


def generator(*name: str | int) -> torch.Generator:
    """A CPU generator for the stream called `name`, for example ``generator("weights", seed, "conv1")``."""
    return torch.Generator().manual_seed(seed_of(*name))


def seed_of(*name: str | int) -> int:
    """The seed of the stream called `name`: 64 bits, signed."""
    digest = hashlib.sha256("\x1f".join(str(part) for part in name).encode()).digest()
    return int.from_bytes(digest[:8], "little", signed=True)


def batch_order(seed: int, epoch: int, n: int) -> torch.Tensor:
    """The order in which the `n` training samples are visited in `epoch` (from 1): a permutation, int64, shape (n,)."""
    return torch.randperm(n, generator=generator("batches", seed, epoch))


@contextmanager
def kept() -> Iterator[None]:
    """Leave the global generators as they were before the block."""
    before = position()
    try:
        yield
    finally:
        restore(before)


def position() -> tuple[Any, ...]:
    """Where the global generators are: torch's, NumPy's and Python's."""
    return [generator.get_state() for generator in global_generators()], np.random.get_state(), random.getstate()  # noqa: NPY002


def restore(before: tuple[Any, ...]) -> None:
    """Put the global generators back to where they were."""
    states, numpy_state, python_state = before
    for generator, state in zip(global_generators(), states, strict=False):
        generator.set_state(state)
    np.random.set_state(numpy_state)  # noqa: NPY002
    random.setstate(python_state)


def moved(before: tuple[Any, ...]) -> frozenset[str]:
    """Whose global generators anything was drawn from since: of ``torch``, ``NumPy`` and ``Python``."""
    now = position()
    stayed = {
        "torch": all(map(torch.equal, before[0], now[0])),
        "NumPy": all(map(np.array_equal, before[1], now[1])),
        "Python": before[2] == now[2],
    }
    return frozenset(name for name, same in stayed.items() if not same)


def turn(*name: str | int) -> None:
    """Turn the global generators to the start of the stream called `name`; for use within :func:`kept`."""
    seed = seed_of(*name)
    for generator in global_generators():
        generator.manual_seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)  # noqa: NPY002
    random.seed(seed)


def global_generators() -> list[torch.Generator]:
    """torch's, of the CPU and of the CUDA devices in use."""
    cuda = list(torch.cuda.default_generators) if torch.cuda.is_initialized() else []
    return [torch.default_generator, *cuda]
