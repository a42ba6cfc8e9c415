"""Code of our own for the CPU: ``cpp/``, built on first use where there is a C++ compiler, and kept.

Without a compiler, or where the build fails, there is no kernel, and the form that needs it is not used; neither is one
that computes something else than PyTorch, see :func:`bnstudy.training.replicas.lanes.lanes.attempt`.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import shlex
import tempfile
from collections.abc import Sequence
from ctypes import c_double, c_int64, c_void_p
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bnstudy.study.errors import refusal_of
from bnstudy.training.replicas.lanes import compiling, prebuilt
from bnstudy.training.replicas.lanes.compiling import NoKernelError

TYPES = (torch.float32, torch.float64)


class Block(ctypes.Structure):
    """The shape of one block; the fields of ``struct Block`` in ``cpp/types.h``."""

    _fields_ = [
        *(
            (name, c_int64)
            for name in ("samples", "height", "width", "inputs", "outputs", "kernel", "stride", "padding")
        ),
        *((name, c_int64) for name in ("activation", "pool", "sharing")),
        ("group", c_void_p),
        ("eps", c_double),
        *((name, c_int64) for name in ("packs", "groups", "centred", "given")),
    ]


class Linear(ctypes.Structure):
    """A linear layer on one batch; the fields of ``struct Linear``."""

    _fields_ = [
        *((name, c_int64) for name in ("samples", "inputs", "outputs", "packs", "row", "sharing", "groups")),
        *((name, c_void_p) for name in ("group", "order")),
        ("relu", c_int64),
        ("background", c_double),
    ]


class Descent(ctypes.Structure):
    """How the gradient moves a layer's weights; the fields of ``struct Descent``."""

    _fields_ = [
        *((name, c_void_p) for name in ("momentum", "rate", "row_sums", "squares")),
        *((name, c_double) for name in ("keep", "decay")),
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
        What built it, as it names itself, with the flags that ``$CXX`` gives it.
    kept : bool
        Whether the next process finds it, or has to build it again.
    elsewhere : str
        Where it is kept, if not in the cache, and why; or why it is not.
    """

    library: ctypes.CDLL
    compiler: str
    kept: bool
    elsewhere: str = ""

    def lanes(self, dtype: torch.dtype) -> int:
        """Replicas in one register, a pack; 0 if there is no kernel for the type."""
        return int(getattr(self.library, f"lanes_{_name(dtype)}")()) if dtype in TYPES else 0

    def gflops(self, dtype: torch.dtype = torch.float32) -> float:
        """Billions of multiplications and additions a second that a convolution reaches here, on one core."""
        run = getattr(self.library, f"gflops_{_name(dtype)}")
        run.restype = c_double
        return float(run())


@functools.cache
def attempt() -> Kernel | str:
    """The kernel, built if need be, or why it cannot be had; what it computes was not looked at."""
    try:
        compiler = compiling.find_compiler()
        version = compiling.version_of(compiler)
        library, kept, elsewhere = _library(compiler, compiling.name_of(compiler, version))
    except NoKernelError as error:
        return _carried() or str(error)
    except OSError as error:
        return _carried() or f"no folder to build it in ({refusal_of(error)})"
    if not all(hasattr(library, f"lanes_{_name(dtype)}") for dtype in TYPES):
        return f"what {compiler[0]} built is something else"
    flags = [argument for argument in compiler[1:] if argument.startswith("-")]
    return Kernel(library, " ".join([version.partition("\n")[0].strip(), *flags]), kept, elsewhere)


def _carried() -> Kernel | None:
    """The kernel that came with the wheel, where it carries one for this processor."""
    try:
        found = prebuilt.find()
        return None if found is None else Kernel(ctypes.CDLL(str(found[0])), found[1], True)
    except OSError:  # of another system
        return None


def source_digest() -> str:
    """Which source this is: another may sum in another order, and change the last digits."""
    return hashlib.sha256(compiling.source().encode()).hexdigest()[:8]


def different_structures(library: ctypes.CDLL) -> str:
    """The first structure that the library lays out with another size than this module; empty if none.

    Raises
    ------
    AttributeError
        The library does not say.
    """
    for structure in (Block, Norm, Linear, Descent):
        name = structure.__name__
        ask = getattr(library, f"size_of_{name.lower()}")
        ask.restype = c_int64
        if ask() != ctypes.sizeof(structure):
            return name
    return ""


def _library(compiler: tuple[str, ...], name: str) -> tuple[ctypes.CDLL, bool, str]:
    """The library, whether it is kept, and what is to be told of where.

    It is used wherever it can be read, and built in the first place that can be written and run from.
    """
    refusals: dict[Path, str] = {}
    for folder in compiling.places():
        try:
            if not compiling.is_sealed(folder / name):
                compiling.build(compiler, folder / name)
            library = ctypes.CDLL(str(folder / name))
        except OSError as error:
            refusals[folder] = refusal_of(error)
            continue
        return library, True, _told(folder, refusals)
    with tempfile.TemporaryDirectory(prefix="bnstudy-", ignore_cleanup_errors=True) as alone:
        compiling.build(compiler, Path(alone) / name)
        try:  # a library that is loaded needs its file no more
            return ctypes.CDLL(str(Path(alone) / name)), False, _told(None, refusals)
        except OSError as error:
            raise NoKernelError(f"what {shlex.join(compiler)} built cannot be loaded: {error}") from None


def _told(kept: Path | None, refusals: dict[Path, str]) -> str:
    """Where a library is kept that is not in the cache, and why."""
    cache = compiling.cache_folder()
    if kept == cache:
        return ""
    why = f", since {cache} cannot be used: {refusals[cache]}" if cache in refusals else ""
    return f"; kept in {kept}{why}" if kept else f"; each process builds it again{why}"


def call(library: ctypes.CDLL, function: str, dtype: torch.dtype, *arguments: Any) -> None:
    """Call ``{function}_{dtype}`` with structures, tensors, addresses or None, each as a pointer."""
    _called(library, function, dtype, arguments)


def make(library: ctypes.CDLL, function: str, dtype: torch.dtype, *arguments: Any) -> int:
    """The same for a function that returns a pointer."""
    return int(_called(library, function, dtype, arguments, c_void_p))


def _called(
    library: ctypes.CDLL, function: str, dtype: torch.dtype, arguments: Sequence[Any], gives: Any = None
) -> Any:
    run = getattr(library, f"{function}_{_name(dtype)}")
    if run.argtypes is None:
        run.argtypes, run.restype = [c_void_p] * len(arguments), gives
    return run(*map(_pointer, arguments))


def _pointer(argument: Any) -> Any:
    if isinstance(argument, ctypes.Structure):
        return ctypes.byref(argument)
    return argument if isinstance(argument, int) else address(argument)


def address(tensor: Tensor | None) -> int | None:
    """Where a tensor's values start."""
    if tensor is None:
        return None
    assert tensor.is_contiguous()
    return tensor.data_ptr()


def address_of_rows(weight: Tensor) -> int:
    """Where the weights of a linear layer start, (in, out, replicas): rows that may lie apart."""
    assert weight.stride()[1:] == (weight.shape[2], 1)
    return weight.data_ptr()


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
