"""TensorBoard event files: a folder a run."""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import xarray as xr

from bnstudy.analysis import responses
from bnstudy.storage import atomic
from bnstudy.study.errors import InputError
from bnstudy.study.factors import FACTORS
from bnstudy.study.schema import CURVE_DIMS, FURTHER_DIMS, with_further

EVENTS = "events.out.tfevents."
NAMED = tuple(factor.name for factor in FACTORS if factor.dtype == "str")  # their labels say what they are


def safe_name(text: str) -> str:
    """A label as the name of a file or folder: letters, digits and a few signs; never hidden, never a path."""
    return re.sub(r"[^\w.=:-]", "-", text)[:80].lstrip(".") or "study"


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
            _write_scalars(temporary / run, epochs, scalars, _created(dataset))
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
        labels = [
            safe_name(("" if dim in NAMED else f"{dim.replace('_', '-')}-") + str(dataset[dim].values[i]))
            for dim, i in zip(dims[:-1], where, strict=True)
        ]
        run = "/".join(labels)
        while run in used:  # two labels may become one word
            run += "_"
        used.add(run)
        yield run, {_tag(name): values[where] for name, values in curves.items()}


def _tag(name: str) -> str:
    """``test_accuracy`` as ``accuracy/test``, so that what is compared shares a section."""
    part, _, what = name.partition("_")
    return f"{what}/{part}" if part in ("train", "test", "validation") else name


def _write_scalars(folder: Path, epochs: list[int], scalars: dict[str, np.ndarray], created: float) -> None:
    """One event file of scalars over epochs; what is not a number has no event."""
    event_pb2 = importlib.import_module("tensorboard.compat.proto.event_pb2")
    summary_pb2 = importlib.import_module("tensorboard.compat.proto.summary_pb2")
    writer_module = importlib.import_module("tensorboard.summary.writer.event_file_writer")
    folder.mkdir(parents=True)
    writer = writer_module.EventFileWriter(str(folder))
    for tag, values in scalars.items():
        for epoch, value in zip(epochs, values.tolist(), strict=True):
            if math.isfinite(value):
                summary = summary_pb2.Summary(value=[summary_pb2.Summary.Value(tag=tag, simple_value=value)])
                writer.add_event(event_pb2.Event(wall_time=created + epoch, step=epoch, summary=summary))
    writer.close()


def _created(dataset: xr.Dataset) -> float:
    try:
        return datetime.fromisoformat(str(dataset.attrs.get("created", ""))).timestamp()
    except ValueError:
        return 0.0
