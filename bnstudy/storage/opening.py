"""Results read from disk without trusting the file.

A study folder's own dataset is looked at by its checksum first and then opened here. Any other netCDF file is opened by
a process of its own, with limits of time and memory, since a damaged one can hang or crash the HDF5 library; it hands
over plain arrays.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import netCDF4
import numpy as np
import xarray as xr

from bnstudy.storage import netcdf, plan_file
from bnstudy.storage.conformity import problem, problem_of_diagnostics
from bnstudy.storage.manifest import DATASET, DIAGNOSTICS, dataset_digests, is_current
from bnstudy.storage.nearby import what_to_do
from bnstudy.storage.store import Store
from bnstudy.study import schema
from bnstudy.study.errors import DataWarning, InputError, first_line
from bnstudy.study.study import UNNAMED

PATIENCE = 30.0  # seconds that a reader may take to start, from a slow disk too, and to open a file; another for every
BYTES_A_SECOND = 20e6
MAX_BYTES = 8 * 2**30  # of arrays that a file may hold, and of memory to read them with
MAGIC = (b"\x89HDF\r\n\x1a\n", b"CDF\x01", b"CDF\x02", b"CDF\x05")
FEW = 1e6  # numbers that any file may claim to hold
MOST_COMPRESSED = 1100  # numbers a byte: zlib's best
START = "from bnstudy.storage.opening import deliver; deliver()"


def open_results(path: str | Path) -> xr.Dataset:
    """Load a study's dataset into memory.

    Parameters
    ----------
    path : path
        A study folder, or a netCDF file in its layout.

    Returns
    -------
    Dataset
        Curves over model, norm, init, every other factor with several levels, seed and epoch.

    Raises
    ------
    InputError
        Nothing is there, it is damaged, or it is not such a file.

    Warns
    -----
    DataWarning
        A file's content is not what bnstudy wrote into it.

    Examples
    --------
    >>> import bnstudy
    >>> study = bnstudy.Study.make({"dataset": "digits", "models": "mlp", "hidden": "8", "seeds": 2, "epochs": 1})
    >>> _ = bnstudy.run(study, "results/small")
    >>> curves = bnstudy.open_results("results/small")
    >>> curves.test_accuracy.dims
    ('model', 'norm', 'init', 'seed', 'epoch')
    """
    path = Path(path)
    file = path / DATASET if path.is_dir() else path
    if not file.is_file() or file.suffix == ".toml":
        raise _nothing_yet(path)
    try:
        digests = dataset_digests(path) if path.is_dir() else []
        dataset = _own(file) if digests else _foreign(file)
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {(error.strerror or str(error)).lower()}") from None
    if wrong := problem(dataset):
        raise InputError(f"{file}: not a study's dataset: {wrong}")
    written = dataset.attrs.pop(netcdf.FINGERPRINT, None)  # whoever goes on to change the dataset may store it
    if not digests and written is not None and written != netcdf.fingerprint(dataset):
        warnings.warn(f"{file}: changed or damaged since bnstudy wrote it", DataWarning, stacklevel=2)
    single = [name for name in schema.FURTHER_DIMS if dataset.sizes.get(name) == 1]
    dims = schema.with_further(schema.CURVE_DIMS, schema.FURTHER_DIMS)
    return dataset.squeeze(single).transpose(*dims, missing_dims="ignore")


def _nothing_yet(path: Path) -> InputError:
    """Why there are no results: no study either, or one that has just begun to train."""
    if not (path / plan_file.NAME).is_file():
        told = what_to_do(path, "run the study first", datasets=True)
        return InputError(f"{path}: no results there (no curves.nc); {told}")
    store = Store.open(path)
    counts = store.counts()
    so_far = f"{path}: {counts['done'] + counts['diverged']} of {store.study.n_runs} runs so far"
    if store.is_locked():
        return InputError(f"{so_far}; they can be looked at within a minute after the first are stored")
    return InputError(f"{so_far}, and no process is at work on them; run the study again, which resumes it")


def name_of(dataset: xr.Dataset, source: str | Path) -> str:
    """What results go by: the study's name or, where it was given none, its folder's; of a file alone the file's."""
    name = str(dataset.attrs.get("study_name", ""))
    if name not in ("", UNNAMED):
        return name
    path = Path(os.path.abspath(source))
    return path.name if path.is_dir() else path.parent.name if path.name == DATASET else path.stem


def has_diagnostics(folder: str | Path) -> bool:
    """Whether a study folder holds what was looked at in training; a file its manifest does not know is not that."""
    return (Path(folder) / DIAGNOSTICS).is_file() and bool(dataset_digests(Path(folder), DIAGNOSTICS))


def open_diagnostics(folder: str | Path) -> xr.Dataset:
    """What a study looked at in training (``--diagnostics``), from its folder.

    Raises
    ------
    InputError
        There is none, or it is damaged.
    """
    if not has_diagnostics(folder):
        raise InputError(f"{folder}: no diagnostics there; run the study with --diagnostics")
    file = Path(folder) / DIAGNOSTICS
    dataset = _own(file)
    if wrong := problem_of_diagnostics(dataset):
        raise InputError(f"{file}: not what a study looked at: {wrong}")
    return dataset


def _own(file: Path) -> xr.Dataset:
    """The dataset of a study folder, if it is the one its manifest knows."""
    if not is_current(file):
        raise InputError(
            f"{file}: damaged or an earlier one (its checksum is not the manifest's); run the study again, which "
            "rebuilds it"
        )
    try:
        # From memory: the HDF5 library can crash where this process, a notebook say, holds the same file open already.
        with netCDF4.Dataset(file.name, memory=file.read_bytes()) as opened:
            _refuse_huge(opened.variables.values(), file)
            return xr.open_dataset(xr.backends.NetCDF4DataStore(opened)).load()
    except Exception as error:  # whatever these libraries raise over what somebody wrote there
        raise InputError(f"{file}: cannot be read as netCDF: {first_line(error)}") from None


def _foreign(file: Path) -> xr.Dataset:
    with file.open("rb") as opened:
        if not opened.read(8).startswith(MAGIC):
            raise InputError(f"{file}: cannot be read as netCDF: it does not begin as such a file does")
    limit = PATIENCE + file.stat().st_size / BYTES_A_SECOND
    command = [sys.executable, "-c", START, str(file.absolute())]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path)}
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
        return _received(delivered)


def _received(file: BinaryIO) -> xr.Dataset:
    with np.load(file, allow_pickle=False) as arrays:
        about = json.loads(str(arrays["about"]))
        variables = {}
        for i, (name, dims, attributes) in enumerate(about["variables"]):
            variables[name] = (dims, arrays[f"values{i}"], attributes)
    coords = {variable.name for variable in schema.COORDS}
    dataset = xr.Dataset({name: v for name, v in variables.items() if name not in coords}, attrs=about["attributes"])
    return dataset.assign_coords({name: v for name, v in variables.items() if name in coords})


# -------------------------------------------------------------- in the process of its own


def deliver() -> None:
    """Read the file that the command line names, and write it to standard output as NumPy arrays."""
    _limit_memory()
    sys.tracebacklimit = 0
    try:
        arrays = _read(sys.argv[1])
    except Exception as error:
        sys.exit(first_line(error))
    np.savez(sys.stdout.buffer, **arrays)


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (2 * MAX_BYTES, 2 * MAX_BYTES))


def _read(path: str) -> dict[str, Any]:
    wanted = {variable.name for variable in (*schema.variables(validation=True), *schema.COORDS)}
    arrays: dict[str, Any] = {}
    listed = []
    with netCDF4.Dataset(path) as file:
        known = [variable for name, variable in file.variables.items() if name in wanted]
        _refuse_huge(known, Path(path))
        for i, variable in enumerate(known):
            values, dims = _values(variable), list(variable.dimensions)
            arrays[f"values{i}"] = values
            listed.append([variable.name, dims[: values.ndim], _attributes(variable)])
        about = {"variables": listed, "attributes": _attributes(file)}
    return {"about": np.array(json.dumps(about)), **arrays}


def _refuse_huge(variables: Iterable[Any], file: Path) -> None:
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
        if name not in netcdf.STORAGE and isinstance(plain, (str, int, float, list)):
            found[name] = plain
    return found
