"""Code of our own for the CPU: ``lanes.cpp``, built on first use where there is a C++ compiler, and kept.

Without a compiler, or where the build or its check fails, there is no kernel, and the forms that need it are not used.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from ctypes import c_double, c_int64, c_void_p
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
import torch
from torch import Tensor

SOURCE = Path(__file__).with_name("lanes.cpp")
FLAGS = ("-std=c++17", "-O3", "-march=native", "-shared", "-fPIC")  # no -ffast-math: NaN must stay NaN
BUILD_SECONDS = 600  # clang took over two minutes on a busy machine
TYPES = (torch.float32, torch.float64)


class Block(ctypes.Structure):
    """The shape of one block; the fields of ``struct Block`` in the source."""

    _fields_ = [
        *((name, c_int64) for name in ("samples", "height", "width", "inputs", "outputs", "kernel")),
        *((name, c_int64) for name in ("relu", "pool", "sharing")),
        ("group", c_void_p),
        ("eps", c_double),
        *((name, c_int64) for name in ("packs", "groups", "centred")),
    ]


class Norm(ctypes.Structure):
    """The tensors of a block's norm, or nothing."""

    _fields_ = [(name, c_void_p) for name in ("gamma", "beta", "mean", "variance")]


@dataclass(frozen=True)
class Kernel:
    """The built library.

    Attributes
    ----------
    library : ctypes.CDLL
    compiler : str
        What built it, as it names itself.
    """

    library: ctypes.CDLL
    compiler: str

    def lanes(self, dtype: torch.dtype) -> int:
        """Replicas in one register, a pack; 0 if there is no kernel for the type."""
        return int(getattr(self.library, f"lanes_{_name(dtype)}")()) if dtype in TYPES else 0


@functools.cache
def load() -> Kernel | None:
    """The kernel, built if need be; None where it cannot be had."""
    compiler = find_compiler()
    if compiler is None:
        return None
    try:
        version = subprocess.run([compiler, "--version"], capture_output=True, text=True, timeout=30).stdout
        path = _path(version)
        if not path.exists():
            _build(compiler, path)
        try:
            library = ctypes.CDLL(str(path))
        except OSError:  # damaged in the cache
            _build(compiler, path)
            library = ctypes.CDLL(str(path))
        return Kernel(library, version.partition("\n")[0].strip())
    except (OSError, subprocess.SubprocessError):
        return None


def source_digest() -> str:
    """Which source this is: another may sum in another order, and change the last digits."""
    return hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:8]


def find_compiler() -> str | None:
    """The C++ compiler: ``$CXX`` if set, else the first of c++, g++, clang++ on the path."""
    if sys.platform == "win32":
        return None
    names = [os.environ["CXX"]] if os.environ.get("CXX") else ["c++", "g++", "clang++"]
    return next((found for name in names if (found := shutil.which(name))), None)


def _path(version: str) -> Path:
    """Where the library lies. Its name holds all that goes into it, the processor's abilities included."""
    identity = "\0".join([SOURCE.read_text(encoding="utf-8"), version, *FLAGS, *_processor()])
    return _cache_folder() / f"lanes-{hashlib.sha256(identity.encode()).hexdigest()[:20]}.so"


def _build(compiler: str, path: Path) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    os.close(handle)
    try:
        command = [compiler, *FLAGS, str(SOURCE), "-o", temporary]
        subprocess.run(command, check=True, capture_output=True, timeout=BUILD_SECONDS)
        os.replace(temporary, path)  # two processes may build at once; either result will do
    finally:
        Path(temporary).unlink(missing_ok=True)


def _cache_folder() -> Path:
    """The user's cache, or a folder for this process alone where that cannot be written."""
    folder = Path(platformdirs.user_cache_dir("bnstudy")) / "kernels"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    return Path(_private_folder().name)


@functools.cache
def _private_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="bnstudy-")


def _processor() -> list[str]:
    """What ``-march=native`` depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return sorted({line for line in lines if line.startswith(("flags", "Features", "model name", "CPU part"))})
    except OSError:
        return [platform.machine(), platform.processor(), platform.version()]


def call(library: ctypes.CDLL, function: str, dtype: torch.dtype, *arguments: Any) -> None:
    """Call ``{function}_{dtype}`` with structures and tensors (or None), each as a pointer."""
    run = getattr(library, f"{function}_{_name(dtype)}")
    run.argtypes = run.argtypes or [c_void_p] * len(arguments)
    run(*(ctypes.byref(a) if isinstance(a, ctypes.Structure) else address(a) for a in arguments))


def address(tensor: Tensor | None) -> int | None:
    """Where a tensor's values start."""
    if tensor is None:
        return None
    assert tensor.is_contiguous()
    return tensor.data_ptr()


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
