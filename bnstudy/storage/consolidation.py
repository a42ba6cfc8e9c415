"""One dataset of all ensembles of a study: ``curves.nc``, and ``diagnostics.nc`` where the study asks for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import xarray as xr

from bnstudy.storage import netcdf
from bnstudy.storage.manifest import DATASET, DIAGNOSTICS
from bnstudy.storage.store import Store
from bnstudy.study import registry, schema
from bnstudy.study.plan import Ensemble
from bnstudy.study.schema import Status
from bnstudy.study.study import Study


def consolidate(store: Store) -> Path:
    """Rebuild a study's datasets from its ensembles and put them into place, each atomically; where the curves are."""
    path = store.folder / DATASET
    curves = curves_dataset(store)
    attributes = dict(curves.attrs)
    curves.attrs[netcdf.FINGERPRINT] = netcdf.fingerprint(curves)
    store.publish_dataset(path, lambda temporary: netcdf.write_netcdf(curves, temporary))
    if store.study.diagnostics or store.study.mechanism:
        looked = diagnostics_dataset(store, attributes)
        store.publish_dataset(store.folder / DIAGNOSTICS, lambda temporary: netcdf.write_netcdf(looked, temporary))
    return path


class _Grid:
    """Arrays over the run dimensions of a study, and where in them the runs of an ensemble stand."""

    def __init__(self, study: Study) -> None:
        self.dims = schema.with_further(schema.RUN_DIMS, study.further)
        self.coords = netcdf.coords(study)
        self.index = {run: i for i, run in enumerate(study.runs())}

    def shape(self, dims: tuple[str, ...]) -> list[int]:
        return [len(self.coords[dim][1]) for dim in dims]

    def where(self, ensemble: Ensemble) -> tuple[np.ndarray, ...]:
        return np.unravel_index([self.index[run] for run in ensemble.runs], self.shape(self.dims))


def curves_dataset(store: Store) -> xr.Dataset:
    """Everything stored so far, in the layout of the schema; runs without curves are pending or failed.

    Where there are such, the attributes ``runs_finished`` and ``runs_planned`` count the others, and all.
    """
    study, grid = store.study, _Grid(store.study)
    variables = schema.variables(study.validation_size > 0)
    dims = {v.name: v.over(study.further) for v in variables}
    arrays = {v.name: np.full(grid.shape(dims[v.name]), v.fill, np.dtype(v.dtype)) for v in variables}
    entries, pending = store.manifest(), {e.index for e in store.pending()}
    attributes: dict[str, str] = {}
    forms: dict[str, dict[str, None]] = {}
    for ensemble in store.plan:
        where = grid.where(ensemble)
        if ensemble.index in pending:
            failed = "failed" in entries.get(store.name(ensemble), {})
            arrays["status"][where] = Status.FAILED if failed else Status.PENDING
            continue
        stored, attributes = read_curves(store, ensemble)
        first = ensemble.runs[0]
        forms.setdefault(f"{first.model}, {first.norm}", {})[attributes.pop("form", "")] = None
        for name, values in stored.items():
            arrays[name][where] = values
    for (model, norm), facts in store.arms().items():
        for name in ("n_parameters", "epoch_seconds_alone"):
            arrays[name][study.models.index(model), study.norms.index(norm)] = facts[name]
    data = {v.name: (dims[v.name], arrays[v.name], schema.attributes(v)) for v in variables}
    attributes["forms"] = "; ".join(f"{arm}: {' or '.join(found)}" for arm, found in forms.items())
    missing = sum(len(ensemble.runs) for ensemble in store.plan if ensemble.index in pending)
    counts = {"runs_finished": study.n_runs - missing, "runs_planned": study.n_runs} if missing else {}
    return xr.Dataset(data, grid.coords, {**_attributes(store), **attributes, **counts})


def diagnostics_dataset(store: Store, attributes: Mapping[str, Any]) -> xr.Dataset:
    """What was looked at in training: measures over the runs, ``epoch`` from 0 and, most of them, ``layer``.

    Layers are named as the networks name them, the last one ``output``; NaN where a network lacks one, and where
    nothing was measured. `attributes` are the dataset's.
    """
    grid, pending = _Grid(store.study), {e.index for e in store.pending()}
    parts = [(ensemble, netcdf.read_diagnostics(store.checked(ensemble))) for ensemble in store.plan
             if ensemble.index not in pending]  # fmt: skip
    named = dict.fromkeys(str(layer) for _, part in parts for layer in part.layer.values)
    layers = [*(layer for layer in named if layer != schema.OUTPUT), schema.OUTPUT]
    about_epochs = grid.coords["epoch"][2]
    grid.coords["epoch"] = (("epoch",), np.arange(store.study.epochs + 1, dtype=np.int32), about_epochs)
    grid.coords["layer"] = (("layer",), np.array(layers, dtype=object), netcdf.about("weight layer", "1"))
    data: dict[str, Any] = {}
    for ensemble, part in parts:
        placed = part.reindex(layer=layers)
        for name, values in placed.data_vars.items():
            dims = (*grid.dims, "epoch", *map(str, values.dims[2:]))
            if name not in data:
                data[str(name)] = (dims, np.full(grid.shape(dims), np.nan, np.float32), values.attrs)
            data[str(name)][1][grid.where(ensemble)] = values.values
    return xr.Dataset(data, grid.coords, dict(attributes))


def read_curves(store: Store, ensemble: Ensemble) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """What is stored of an ensemble: its curves over (run, epoch) and facts over (run,); and the attributes."""
    with netCDF4.Dataset(store.checked(ensemble)) as file:
        file.set_auto_mask(False)
        names = [v.name for v in schema.variables(store.study.validation_size > 0) if v.name in file.variables]
        attributes = {name: file.getncattr(name) for name in file.ncattrs() if name != "study_hash"}
        return {name: file.variables[name][:] for name in names}, attributes


def _attributes(store: Store) -> dict[str, Any]:
    study = store.study
    about = registry.datasets[study.dataset].about
    return {
        "Conventions": "CF-1.11",
        "title": study.title or study.name,
        "study_name": study.name,
        "study": study.to_toml(),
        "study_hash": study.digest,
        "dataset": study.dataset,
        "classes": about["classes"],
        "test_size": about["test_size"],
        **{
            key: getattr(study, key)
            for key in (
                "treatment",
                "control",
                "condition",
                "reference",
                "mainly_times",
                "margin",
                "alpha",
                "target_accuracy",
            )
        },
        "looks": ", ".join(map(str, study.looks)),
        "amendments": json.dumps(store.amendments),
        "preregistered": store.preregistered,
        "sealed": json.dumps(dict(store.sealed)),
        "not_initialized": schema.told_by_model(
            {arm: facts.get("not_initialized", []) for arm, facts in store.arms().items()}
        ),
    }
