"""Data sets in the format IDX, which torchvision downloads: fetched whole, checked, and decoded here.

What is decoded are the very bytes that were checked. torchvision would rather read a copy that its early versions kept
in ``processed/``, of which nobody knows a checksum.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import math
import os
import socket
import struct
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bnstudy.storage import atomic
from bnstudy.study.errors import InputError, refusal_of

CHECKSUMS = "SHA256SUMS"
ARCHIVES = (".gz", ".zip")
DOWNLOAD_TIMEOUT = 30.0  # seconds without an answer
TYPES: dict[int, np.dtype[Any]] = {8: np.dtype(np.uint8), 12: np.dtype(">i4")}  # by their number in the format


@dataclass(frozen=True)
class Idx:
    """A file: its name, its array's shape, and the number of its type."""

    name: str
    shape: tuple[int, ...]
    type: int = 8

    @property
    def header(self) -> bytes:
        """How the file begins."""
        return struct.pack(f">BBBB{len(self.shape)}i", 0, 0, self.type, len(self.shape), *self.shape)

    @property
    def size(self) -> int:
        """Its bytes."""
        return len(self.header) + math.prod(self.shape) * TYPES[self.type].itemsize

    def decode(self, content: bytes) -> np.ndarray:
        """The array, in this machine's order of bytes."""
        values = np.frombuffer(content, TYPES[self.type], offset=len(self.header)).reshape(self.shape)
        return values.astype(TYPES[self.type].newbyteorder("="))


@dataclass(frozen=True)
class Source:
    """A data set of torchvision's.

    Attributes
    ----------
    name : str
        What ``--dataset`` calls it.
    folder : str
        Its folder in the data folder; the files lie in ``raw`` within.
    files : tuple of Idx
        Training images and labels, test images and labels.
    fetch : callable
        ``fetch(folder, train)`` downloads a part.
    md5 : mapping
        Checksums of the originals by name, where they are known.
    """

    name: str
    folder: str
    files: tuple[Idx, ...]
    fetch: Callable[[str, bool], Any]
    md5: Mapping[str, str] = field(default_factory=dict)

    def check(self, root: Path) -> None:
        """InputError that names the first file, among those that are there, that is damaged."""
        for _ in self._contents(root):
            pass

    def read(self, root: Path, quiet: bool) -> list[np.ndarray]:
        """The arrays of all files, downloaded if some are not there."""
        arrays = {file: file.decode(content) for file, content in self._contents(root)}
        if len(arrays) < len(self.files):
            _download(self, root, quiet)
            arrays = {file: file.decode(content) for file, content in self._contents(root)}
        if missing := [file.name for file in self.files if file not in arrays]:
            raise InputError(f"{root}: {self.name} lacks {missing[0]} after it was downloaded", "data_dir")
        return [arrays[file] for file in self.files]

    def _contents(self, root: Path) -> Iterator[tuple[Idx, bytes]]:
        """The files that are there, each as read once and found to be right."""
        sums = _noted_checksums(root / self.folder)
        for file in self.files:
            path = root / self.folder / "raw" / file.name
            with readable(path):
                if not path.exists():
                    continue
                content = b""  # of what is no file
                if path.is_file():
                    with path.open("rb") as opened:
                        content = opened.read(file.size + 1)
            self._check(file, path, content, sums)
            yield file, content

    def _check(self, file: Idx, path: Path, content: bytes, sums: Mapping[str, str] | None) -> None:
        if sums is not None:
            noted = sums.get(f"raw/{file.name}")
            if noted is None:
                place = root_of(path) / CHECKSUMS
                raise InputError(
                    f"{place}: says nothing of raw/{file.name}; delete {place.parent}, so that it is fetched again",
                    "data_dir",
                )
            if hashlib.sha256(content).hexdigest() != noted:
                raise _damaged(path, "download")
        known = self.md5.get(file.name)
        if known is not None and hashlib.md5(content, usedforsecurity=False).hexdigest() != known:
            raise _damaged(path, "original")
        if len(content) != file.size:
            raise InputError(f"{path}: not a file of {file.size:,} bytes; {_AGAIN}", "data_dir")
        if not content.startswith(file.header):
            raise InputError(f"{path}: does not begin as {self.name}'s file does; {_AGAIN}", "data_dir")


_AGAIN = "delete it, so that it is fetched again"


def root_of(path: Path) -> Path:
    """The folder of the data set that a file in ``raw`` belongs to."""
    return path.parent.parent


def _damaged(path: Path, known: str) -> InputError:
    return InputError(f"{path}: its checksum is not that of the {known}; {_AGAIN}", "data_dir")


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what the system refuses into one line that names the file."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {refusal_of(error)}", "data_dir") from None


def _noted_checksums(folder: Path) -> dict[str, str] | None:
    """What the files of a data set added up to when they were downloaded; files from elsewhere have no checksum."""
    path = folder / CHECKSUMS
    with readable(path):
        if not path.is_file():
            return None
        pairs = [line.partition("  ") for line in path.read_text(errors="replace").splitlines()]
    return {name: digest for digest, _, name in pairs}


def _note_checksums(folder: Path) -> None:
    """Write beside a data set what its files add up to, now that torchvision has checked the archives they are from."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix not in ARCHIVES)
    lines = [f"{atomic.sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    (folder / CHECKSUMS).write_text("".join(lines))


def _download(source: Source, folder: Path, quiet: bool) -> None:
    """Fetch a data set, with torchvision's progress and checksums, and move it into `folder` once it is whole."""
    options = f"give --data-dir (or BNSTUDY_DATA_DIR) a folder that holds {source.name}, or use --dataset digits"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as temporary:
            before = socket.getdefaulttimeout()
            socket.setdefaulttimeout(DOWNLOAD_TIMEOUT)
            try:
                with contextlib.redirect_stderr(io.StringIO()) if quiet else contextlib.nullcontext():
                    for train in (True, False):
                        source.fetch(temporary, train)
            finally:
                socket.setdefaulttimeout(before)
            for kept in Path(temporary).iterdir():
                _note_checksums(kept)
            for path in Path(temporary).rglob("*"):
                target = folder / path.relative_to(temporary)
                if path.is_dir():
                    target.mkdir(exist_ok=True)
                elif path.suffix not in ARCHIVES:
                    os.replace(path, target)
    except (RuntimeError, ValueError, http.client.HTTPException, OSError, EOFError) as error:
        reason = str(error).strip().split("\n")[-1][:120] or type(error).__name__
        if isinstance(error, http.client.InvalidURL):  # it quotes a proxy's password
            reason = "the address of a proxy is not valid"
        raise InputError(
            f"no {source.name} in {folder}, and it cannot be downloaded ({reason}); {options}", "data_dir"
        ) from None
