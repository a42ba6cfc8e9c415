"""Data that worker processes share without copies: one file of raw arrays, which each maps into its memory.

On Linux the file has no name and lives in memory (``memfd_create``); elsewhere it is a temporary file on disk.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from bnstudy.training.datasets.data import Data

ALIGNMENT = 64  # bytes, as torch aligns its own memory


@dataclass(frozen=True)
class Piece:
    """One array in the file."""

    offset: int
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Shared:
    """Where a study's data lie; small enough to send to a worker."""

    path: str
    pieces: tuple[Piece, ...]  # images and labels of train, test and, if there is one, validation
    classes: int
    digest: str

    def open(self) -> Data:
        """The data. Pages are shared by all who open them; whoever writes gets a copy of the page."""
        tensors = [
            torch.from_numpy(np.memmap(self.path, piece.dtype, "c", piece.offset, piece.shape)) for piece in self.pieces
        ]
        pairs = list(zip(tensors[::2], tensors[1::2], strict=True))
        validation = pairs[2] if len(pairs) > 2 else None
        return Data(pairs[0], validation, pairs[1], self.classes, self.digest)


@contextmanager
def share(data: Data) -> Iterator[Shared]:
    """Write the data where workers can map them, for as long as the block runs."""
    handle, path = _file()
    try:
        with open(handle, "wb", closefd=False) as file:
            pairs = [data.train, data.test, *([data.validation] if data.validation else [])]
            pieces = tuple(_written(file, tensor) for pair in pairs for tensor in pair)
        yield Shared(path, pieces, data.classes, data.digest)
    finally:
        os.close(handle)
        if not path.startswith("/proc/"):
            with suppress(OSError):
                Path(path).unlink()


def _file() -> tuple[int, str]:
    """A new file's descriptor, and a path by which child processes can open it."""
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("bnstudy-data")
        path = f"/proc/{os.getpid()}/fd/{handle}"
        if os.path.exists(path):
            return handle, path
        os.close(handle)
    return tempfile.mkstemp(prefix="bnstudy-data-")


def _written(file: BinaryIO, tensor: Tensor) -> Piece:
    array = tensor.numpy()
    file.write(b"\0" * (-file.tell() % ALIGNMENT))
    piece = Piece(file.tell(), array.shape, array.dtype.str)
    file.write(np.ascontiguousarray(array).data)
    return piece
