"""How a study's results lie in netCDF files: an ensemble's, and the one dataset's coordinates."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from bnstudy.study import registry, schema
from bnstudy.study.plan import Ensemble
from bnstudy.study.study import Study

if TYPE_CHECKING:
    from bnstudy.study.curves import Curves
from bnstudy.study.factors import FACTORS, Factor

FINGERPRINT = "content_sha256"  # the attribute that holds it
MOMENTS = ("run", "moment")  # of an ensemble's diagnostics: before its first epoch, and after each
STORAGE = ("_FillValue", "_Encoding", "coordinates")  # attributes that say how something is stored


def coords(study: Study) -> dict[str, tuple[tuple[str, ...], Any, dict[str, str]]]:
    """The coordinates of a study's dataset, as xarray takes them."""
    levels = [registry.initializers.level(label) for label in study.inits]
    values = [registry.initializers.value(level) for level in levels]
    columns: dict[str, Any] = {
        **{factor.name: _column(factor, getattr(study, factor.key)) for factor in FACTORS},
        "seed": np.array(study.seeds, dtype=np.int64),
        "epoch": np.arange(1, study.epochs + 1, dtype=np.int32),
        "init_family": np.array([level.family for level in levels], dtype=object),
        "init_value": np.array([np.nan if value is None else value for value in values], dtype=np.float64),
        "init_role": np.array(list(study.init_roles.values()), dtype=object),
    }
    found = {v.name: (v.dims, columns[v.name], schema.attributes(v)) for v in schema.COORDS}
    single = [name for name in schema.FURTHER_DIMS if name not in study.further]
    if study.condition != "init":
        role = schema.role_of(study.condition)
        over = () if study.condition in single else role.dims
        roles = np.array(list(study.roles.values()), dtype=object)
        found[role.name] = (over, roles if over else roles[0], schema.attributes(role))
    return found | {name: ((), found[name][1][0], found[name][2]) for name in single}


def _column(factor: Factor, levels: Sequence[Any]) -> np.ndarray:
    """Levels of a factor as an array of its kind."""
    return np.array(levels, dtype=object if factor.dtype == "str" else factor.dtype)


def ensemble_dataset(ensemble: Ensemble, curves: Curves, attributes: dict[str, str]) -> xr.Dataset:
    """What an ensemble's file holds: curves over (run, epoch), facts over (run,), and what the runs are."""
    runs = ensemble.runs
    seconds = np.full(len(runs), curves.seconds / len(runs), np.float32)
    per_run = {"status": curves.status, "diverged_epoch": curves.diverged_epoch, "train_seconds": seconds}
    described = {v.name: v for v in schema.variables(validation=True)}
    data: dict[str, Any] = {
        name: (("run", "epoch"), values, schema.attributes(described[name])) for name, values in curves.values.items()
    }
    data |= {name: ("run", values, schema.attributes(described[name])) for name, values in per_run.items()}
    labels: dict[str, Any] = {
        factor.name: ("run", _column(factor, [getattr(run, factor.name) for run in runs])) for factor in FACTORS
    }
    labels["seed"] = ("run", np.array([run.seed for run in runs], np.int64))
    if looked := curves.diagnostics:
        data |= {name: ((*MOMENTS, "layer"), v, about(*looked.about[name])) for name, v in looked.by_layer.items()}
        data |= {name: (MOMENTS, v, about(*looked.about[name])) for name, v in looked.of_whole.items()}
        labels["layer"] = ("layer", np.array(looked.layers, dtype=object))
    return xr.Dataset(data, labels, attributes)


def about(long_name: str, units: str) -> dict[str, str]:
    return {"long_name": long_name, "units": units}


def read_diagnostics(path: Path) -> xr.Dataset:
    """An ensemble's diagnostics, over run, moment and layer."""
    with xr.open_dataset(path, engine="netcdf4") as stored:
        names = [name for name, values in stored.data_vars.items() if values.dims[:2] == MOMENTS]
        return stored[names].load()


def fingerprint(dataset: xr.Dataset) -> str:
    """SHA-256 over a dataset's labels, numbers and attributes, however they are stored; 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for name, variable in sorted(dataset.variables.items(), key=lambda item: str(item[0])):
        digest.update(json.dumps([name, variable.dims, variable.shape, _plain(variable.attrs)]).encode())
        values = variable.values
        if values.dtype.kind in "fiu":
            numbers = np.array(values, dtype="<f8")
            numbers[np.isnan(numbers)] = np.nan  # there are many; one is enough
            digest.update(numbers.tobytes())
        else:
            digest.update(json.dumps([str(label) for label in values.ravel()]).encode())
    digest.update(json.dumps(_plain(dataset.attrs)).encode())
    return digest.hexdigest()


def _plain(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Attributes as plain values, those of the storage left out."""
    listed = {str(name): np.asarray(value).tolist() for name, value in attributes.items()}
    return {name: value for name, value in sorted(listed.items()) if name not in (*STORAGE, FINGERPRINT)}


def write_netcdf(dataset: xr.Dataset, path: Path) -> None:
    """Write a dataset as netCDF-4, its numbers compressed without loss."""
    compressed = {
        name: {"zlib": True, "complevel": 4, "shuffle": True}
        for name, variable in dataset.variables.items()
        if variable.ndim and variable.dtype.kind in "fiu"
    }
    dataset.to_netcdf(path, engine="netcdf4", encoding=compressed)
