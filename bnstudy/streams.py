"""Named, independent random streams.

A stream's seed is a hash of its name, so that streams are independent of each other and of the order in which they
are used. Draws are made on the CPU: every device sees the same numbers. Both arms of a seed ask for the same names,
and so share their base weights and their batches (common random numbers).
"""

from __future__ import annotations

import hashlib

import torch


def generator(*name: str | int) -> torch.Generator:
    """A CPU generator for the stream called `name`, for example ``generator("weights", seed, "conv1")``."""
    digest = hashlib.sha256("\x1f".join(str(part) for part in name).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little", signed=True))


def batch_order(seed: int, epoch: int, n: int) -> torch.Tensor:
    """The order in which the `n` training samples are visited in `epoch` (from 1): a permutation, int64, shape (n,)."""
    return torch.randperm(n, generator=generator("batches", seed, epoch))
