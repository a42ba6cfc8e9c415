"""TensorBoard event files: a folder a run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import xarray as xr

from bnstudy.analysis import responses
from bnstudy.analysis.export.scalars import EVENTS, folder_name, tag, write_scalars
from bnstudy.storage import atomic
from bnstudy.study.errors import InputError
from bnstudy.study.schema import CURVE_DIMS, FURTHER_DIMS, with_further


def write_events(dataset: xr.Dataset, folder: Path) -> list[Path]:
    """One folder of scalars a run, in place only when all are whole."""
    if folder.is_file():
        raise InputError(f"{folder} is a file, and its place would be a folder's; move it away", "out")
    if strange := next((p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(EVENTS)), None):
        raise InputError(f"{strange} is no event file, and its folder would be replaced; choose another --out", "out")
    temporary, before = atomic.temporary(folder), atomic.temporary(folder.with_name(f"{folder.name}.before"))
    atomic.remove(temporary)
    epochs = dataset.epoch.values.astype(int).tolist()
    try:
        for run, scalars in _runs(dataset):
            write_scalars(temporary / run, epochs, scalars, _created(dataset))
        if folder.exists():
            folder.rename(before)
        temporary.rename(folder)
    finally:
        if before.exists() and not folder.exists():  # the new one could not be put into place
            before.rename(folder)
        atomic.remove(temporary)
        atomic.remove(before)
    return [folder]


def _runs(dataset: xr.Dataset) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Every observed run: the path of its folder, and its curves by TensorBoard's tags."""
    dims = with_further(CURVE_DIMS, [name for name in FURTHER_DIMS if name in dataset.dims])
    names = [str(name) for name, values in dataset.data_vars.items() if set(values.dims) == set(dims)]
    curves = {name: dataset[name].transpose(*dims).values for name in names}
    seen = responses.observed(dataset).transpose(*dims[:-1]).values
    used: set[str] = set()
    for where in zip(*np.nonzero(seen), strict=True):
        labels = [folder_name(dim, dataset[dim].values[i]) for dim, i in zip(dims[:-1], where, strict=True)]
        run = "/".join(labels)
        while run in used:  # two labels may become one word
            run += "_"
        used.add(run)
        yield run, {tag(name): values[where] for name, values in curves.items()}


def _created(dataset: xr.Dataset) -> float:
    try:
        return datetime.fromisoformat(str(dataset.attrs.get("created", ""))).timestamp()
    except ValueError:
        return 0.0
