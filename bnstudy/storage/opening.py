"""Results read from disk without trusting the file.

A study folder's own dataset is looked at by its checksum first and then opened here. Any other netCDF file is opened by
a process of its own (:mod:`bnstudy.storage.untrusted`).
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import netCDF4
import xarray as xr

from bnstudy.storage import atomic, netcdf, plan_file
from bnstudy.storage.conformity import problem, problem_of_diagnostics
from bnstudy.storage.manifest import DATASET, DIAGNOSTICS, dataset_digests, is_current
from bnstudy.storage.nearby import what_to_do
from bnstudy.storage.store import Store
from bnstudy.storage.untrusted import read_apart, refuse_huge
from bnstudy.study import schema
from bnstudy.study.errors import DataWarning, InputError, first_line
from bnstudy.study.study import UNNAMED


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
        raise atomic.cannot_read(file, error) from None
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
            refuse_huge(opened.variables.values(), file)
            return xr.open_dataset(xr.backends.NetCDF4DataStore(opened)).load()
    except Exception as error:  # whatever these libraries raise over what somebody wrote there
        raise InputError(f"{file}: cannot be read as netCDF: {first_line(error)}") from None


def _foreign(file: Path) -> xr.Dataset:
    coords = {variable.name for variable in schema.COORDS}
    variables, attributes = read_apart(file, {*coords, *(one.name for one in schema.variables(validation=True))})
    for held in (attributes, *(about for _, _, about in variables.values())):
        for name in netcdf.STORAGE:
            held.pop(name, None)
    dataset = xr.Dataset({name: v for name, v in variables.items() if name not in coords}, attrs=attributes)
    return dataset.assign_coords({name: v for name, v in variables.items() if name in coords})
