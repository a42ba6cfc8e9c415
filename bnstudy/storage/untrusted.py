"""A netCDF file of anyone's, read by a process of its own, with limits of time and memory.

A damaged one can hang or crash the HDF5 library. The process hands over plain arrays, and imports little: whoever opens
a file waits for it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from bnstudy.study.errors import InputError, first_line

PATIENCE = 30.0  # seconds that a reader may take to start, from a slow disk too, and to open a file; another for every
BYTES_A_SECOND = 20e6
MAX_BYTES = 8 * 2**30  # of arrays that a file may hold, and of memory to read them with
MAGIC = (b"\x89HDF\r\n\x1a\n", b"CDF\x01", b"CDF\x02", b"CDF\x05")
FEW = 1e6  # numbers that any file may claim to hold
MOST_COMPRESSED = 1100  # numbers a byte: zlib's best
START = "from bnstudy.storage.untrusted import deliver; deliver()"

Variable = tuple[list[str], np.ndarray, dict[str, Any]]  # dimensions, values and attributes, as xarray takes them


def read_apart(file: Path, wanted: Iterable[str]) -> tuple[dict[str, Variable], dict[str, Any]]:
    """Those of the `wanted` variables that a file holds, by name, and its attributes.

    Raises
    ------
    InputError
        The file is no netCDF, is damaged, or says that it holds more than it can.
    """
    with file.open("rb") as opened:
        if not opened.read(8).startswith(MAGIC):
            raise InputError(f"{file}: cannot be read as netCDF: it does not begin as such a file does")
    limit = PATIENCE + file.stat().st_size / BYTES_A_SECOND
    command = [sys.executable, "-P", "-c", START, str(file.absolute()), *wanted]
    # Where the current folder is looked into it comes last: a user's random.py there is not the library's.
    places = sorted(sys.path, key=lambda place: place == "")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(place or os.getcwd() for place in places)}
    with tempfile.TemporaryFile() as delivered:
        try:
            ended = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=delivered, stderr=subprocess.PIPE, env=environment,
                timeout=limit, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise InputError(f"{file}: cannot be read as netCDF: it takes more than {limit:.0f} s to open") from None
        if ended.returncode:
            lines = ended.stderr.decode(errors="replace").strip().splitlines()
            reason = lines[-1] if ended.returncode == 1 and lines else "reading it crashes the netCDF library"
            raise InputError(f"{file}: cannot be read as netCDF: {reason[:200]}")
        delivered.seek(0)
        with np.load(delivered, allow_pickle=False) as arrays:
            about = json.loads(str(arrays["about"]))
            listed = enumerate(about["variables"])
            variables = {name: (dims, arrays[f"values{i}"], attributes) for i, (name, dims, attributes) in listed}
            return variables, about["attributes"]


# -------------------------------------------------------------- in the process of its own


def deliver() -> None:
    """Read the variables that the command line names after their file; write them to standard output as arrays."""
    _limit_memory()
    sys.tracebacklimit = 0
    try:
        arrays = _read(sys.argv[1], sys.argv[2:])
    except Exception as error:
        sys.exit(first_line(error))
    np.savez(sys.stdout.buffer, **arrays)


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (2 * MAX_BYTES, 2 * MAX_BYTES))


def _read(path: str, wanted: Collection[str]) -> dict[str, Any]:
    arrays: dict[str, Any] = {}
    listed = []
    with netCDF4.Dataset(path) as file:
        known = [variable for name, variable in file.variables.items() if name in wanted]
        refuse_huge(known, Path(path))
        for i, variable in enumerate(known):
            values, dims = _values(variable), list(variable.dimensions)
            arrays[f"values{i}"] = values
            listed.append([variable.name, dims[: values.ndim], _attributes(variable)])
        about = {"variables": listed, "attributes": _attributes(file)}
    return {"about": np.array(json.dumps(about)), **arrays}


def refuse_huge(variables: Iterable[Any], file: Path) -> None:
    """ValueError where a file says it holds what does not fit into memory, or cannot have come from so small a file."""
    counts = [float(np.prod(variable.shape, dtype=float)) for variable in variables]
    if 8 * sum(counts) > MAX_BYTES:
        raise ValueError("it says it holds more than fits into memory")
    if sum(counts) > FEW + MOST_COMPRESSED * file.stat().st_size:
        raise ValueError("it says it holds far more than a file of its size can")


def _values(variable: Any) -> np.ndarray:
    """A variable's values: text as text, masked numbers as NaN."""
    values = variable[...]
    if getattr(values, "dtype", None) is not None and values.dtype.kind == "S":
        values = netCDF4.chartostring(np.ma.filled(values, b"\0"), encoding="utf-8")
    if isinstance(values, np.ma.MaskedArray):
        missing = np.ma.getmaskarray(values)
        values = values.data if not missing.any() else np.where(missing, np.nan, values.data)
    values = np.asarray(values)
    if values.dtype.kind == "O":
        values = np.array([str(value) for value in values.ravel()]).reshape(values.shape)
    if values.dtype.kind not in "iufU":
        raise ValueError(f"{variable.name} is neither numbers nor text")
    return values


def _attributes(holder: Any) -> dict[str, Any]:
    found = {}
    for name in holder.ncattrs():
        value = holder.getncattr(name)
        plain = value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
        if isinstance(plain, (str, int, float, list)):
            found[name] = plain
    return found
