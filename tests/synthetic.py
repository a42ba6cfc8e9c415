"""Synthetic datasets as studies store them, for tests of everything that reads one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from bnstudy.study import schema
from bnstudy.study.schema import Status

# Of what is made here: a dataset of a study with several optimizers and learning rates.
RUN_DIMS = ("model", "norm", "init", "optimizer", "lr", "seed")
CURVE_DIMS = (*RUN_DIMS, "epoch")


def make_dataset(
    models: Sequence[str] = ("mlp", "cnn"),
    norms: Sequence[str] = ("none", "batch"),
    inits: Sequence[str] = ("default", "scaled-normal:0.01", "scaled-normal:1", "zero"),
    optimizers: Sequence[str] = ("sgd",),
    lrs: Sequence[float] = (0.01,),
    seeds: int = 3,
    epochs: int = 6,
    diverged: int = 0,
    pending: int = 0,
    validation: bool = False,
) -> xr.Dataset:
    """Rising accuracies and falling losses; the first `diverged` runs died half-way, the last `pending` are missing."""
    rng = np.random.default_rng(5)
    families, _, values = zip(*(init.partition(":") for init in inits), strict=True)
    numbers = [float(value) if value.replace(".", "").isdigit() else np.nan for value in values]
    well = {"default", "scaled-normal:1"}
    columns = {
        "model": list(models),
        "norm": list(norms),
        "init": list(inits),
        "optimizer": list(optimizers),
        "lr": np.array(lrs),
        "seed": np.arange(seeds),
        "epoch": np.arange(1, epochs + 1, dtype=np.int32),
        "init_family": list(families),
        "init_value": np.array(numbers),
        "init_role": ["well" if init in well else "poor" for init in inits],
    }
    coords = {v.name: (v.dims, columns[v.name]) for v in schema.COORDS if v.name in columns}
    sizes = {name: len(column) for name, column in columns.items()}
    shape = tuple(sizes[dim] for dim in CURVE_DIMS)
    time = np.arange(1, epochs + 1) / epochs
    base = rng.uniform(0.3, 0.9, (*shape[:-1], 1))
    data: dict[str, np.ndarray] = {}
    for variable in schema.curves(validation):
        if variable.name.endswith("accuracy"):
            data[variable.name] = (base + (1 - base) * time).astype(np.float32)
        else:
            data[variable.name] = (2.3 * base * (1.01 - time) + 0.01).astype(np.float32)
    status = np.full(shape[:-1], Status.DONE, np.int8)
    dead = np.full(shape[:-1], -1, np.int32)
    status.reshape(-1)[:diverged] = Status.DIVERGED
    dead.reshape(-1)[:diverged] = max(1, epochs // 2)
    if pending:
        status.reshape(-1)[-pending:] = Status.PENDING
    gone = (dead[..., None] > 0) & (columns["epoch"] >= dead[..., None]) | (status == Status.PENDING)[..., None]
    for name in data:
        data[name][gone] = np.nan
    arms = (sizes["model"], sizes["norm"])
    others = {
        "status": status,
        "diverged_epoch": dead,
        "train_seconds": np.ones(shape[:-1], np.float32),
        "n_parameters": np.full(arms, 100),
        "epoch_seconds_alone": np.full(arms, 2.0, np.float32),
    }
    described = {v.name: v.over(("optimizer", "lr")) for v in schema.variables(validation)}
    attributes = {
        "title": "Made up",
        "study_name": "made-up",
        "dataset": "digits",
        "classes": 10,
        "test_size": 1000,
        "study_hash": "ab" * 32,
    }
    return xr.Dataset({k: (described[k], v) for k, v in {**data, **others}.items()}, coords, attributes)
