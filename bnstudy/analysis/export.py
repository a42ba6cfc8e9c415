"""Results for other programs: tidy tables as CSV or Parquet, and TensorBoard event files.

Tidy is one row an observation: ``curves`` has a row a run and epoch, ``runs`` a row a run.
"""

from __future__ import annotations

import importlib
import json
import math
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bnstudy.analysis import responses
from bnstudy.analysis.criteria import criteria_of
from bnstudy.analysis.formats import harmless
from bnstudy.storage import atomic, netcdf
from bnstudy.storage.opening import name_of, open_results
from bnstudy.study.errors import InputError
from bnstudy.study.schema import CURVE_DIMS, FURTHER_DIMS, Status, with_further

EVENTS = "events.out.tfevents."
HASH = "study_hash"
FORMATS = ("csv", "parquet", "tensorboard")
NAMED = ("model", "norm", "init", "optimizer")  # factors whose labels say what they are
CODES = ("init_family", "init_value", "init_role")


def export(source: str | Path, form: str, out: str | Path | None = None) -> list[Path]:
    """Write a study's results in another form; returns the paths written.

    What was exported of the same study before is replaced, also where it has grown since; other results are not, nor
    runs of the study that `source` lacks, as another of its shards may hold.

    Parameters
    ----------
    source : path
        A study folder or netCDF file.
    form : str
        ``csv`` or ``parquet``: ``NAME-curves`` and ``NAME-runs`` with that ending; ``tensorboard``: a folder
        ``NAME-tensorboard`` of event files, one a run.
    out : path, optional
        The folder to write into; by default the current one.

    Raises
    ------
    InputError
        An unknown form, a package that is missing, a source that cannot be read, or an `out` that cannot be written
        or holds other results under the same name.
    """
    if form not in FORMATS:
        raise InputError(f"must be one of {', '.join(FORMATS)}, not {form[:60]!r}", "format")
    _need({"parquet": "pyarrow", "tensorboard": "tensorboard"}.get(form), form)
    dataset = open_results(source)
    folder, name = Path(out or "."), _word(name_of(dataset, source))
    atomic.check_folder(folder)
    with atomic.disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if form == "tensorboard":
            return _write_events(dataset, folder / f"{name}-tensorboard")
        tables: dict[str, Callable[[xr.Dataset], pd.DataFrame]] = {"curves": curve_table, "runs": run_table}
        made = {what: make(dataset) for what, make in tables.items()}
        before = _runs_there(folder / f"{name}-runs.{form}", form)
        replaces = before is not None and str(before[HASH].iloc[0]) in _hashes(dataset)
        if replaces and before is not None and _ended(before, dataset) - _ended(made["runs"], dataset):
            raise _more_runs(folder / f"{name}-runs.{form}")
        return [_write_table(table, folder / f"{name}-{what}.{form}", form, replaces) for what, table in made.items()]


def curve_table(dataset: xr.Dataset) -> pd.DataFrame:
    """A row a run and epoch: the factors, the epoch, and every curve."""
    dims = _dims(dataset)
    curves = [str(name) for name, values in dataset.data_vars.items() if set(values.dims) == set(dims)]
    return _table(dataset, curves, dims)


def run_table(dataset: xr.Dataset) -> pd.DataFrame:
    """A row a run: the factors, the init's role, status, what was measured once, its responses, and of which study."""
    target = criteria_of(dataset).target
    crossing = responses.epochs_to_target(dataset, target)
    runs = dataset.assign(
        epochs_to_target=crossing.epochs,
        reached_target=crossing.reached,
        epochs_to_stay=responses.epochs_to_stay(dataset, target),
        final_accuracy=responses.final(dataset, "test_accuracy"),
        mean_accuracy=responses.mean_accuracy(dataset),
    )
    dims = _dims(dataset)[:-1]
    names = [str(name) for name, values in runs.data_vars.items() if values.dims and set(values.dims) <= set(dims)]
    table = _table(runs, names, dims)
    for code in reversed(CODES):
        if code in dataset.coords:
            table.insert(len(dims), code, table["init"].map(dict(zip(dataset.init.values, dataset[code].values,
                                                                         strict=True))))  # fmt: skip
    if "status" in table:
        table["status"] = table["status"].map({int(status): status.name.lower() for status in Status})
    if HASH in dataset.attrs:
        table[HASH] = dataset.attrs[HASH]
    return table


def _dims(dataset: xr.Dataset) -> tuple[str, ...]:
    """The dimensions of a study's curves, in order, epoch last."""
    return with_further(CURVE_DIMS, [name for name in FURTHER_DIMS if name in dataset.dims])


def _table(dataset: xr.Dataset, names: list[str], dims: tuple[str, ...]) -> pd.DataFrame:
    """Variables side by side, in the order of `dims`; the factors are columns."""
    like = dataset.test_accuracy.isel({dim: 0 for dim in _dims(dataset) if dim not in dims}, drop=True)
    columns: dict[str, Any] = {}
    sizes = [dataset.sizes[dim] for dim in dims]
    for position, dim in enumerate(dims):
        shape = [-1 if i == position else 1 for i in range(len(dims))]
        columns[dim] = np.broadcast_to(dataset[dim].values.reshape(shape), sizes).ravel()
    for name in names:
        columns[name] = dataset[name].broadcast_like(like).transpose(*dims).values.ravel()
    return pd.DataFrame(columns)


def _write_table(table: pd.DataFrame, path: Path, form: str, replaces: bool) -> Path:
    """Write a table; where it does not replace one of the same study, it must not find another there."""

    def write(temporary: Path) -> None:
        if form == "parquet":
            table.to_parquet(temporary, index=False)
        else:
            shown = table.assign(**{name: table[name].map(harmless) for name in table.select_dtypes(["object", "str"])})
            shown.to_csv(temporary, index=False)
        if not replaces and path.is_file() and atomic.sha256(path) != atomic.sha256(temporary):
            raise _other_results(path)

    atomic.write_atomically(path, write)
    return path


def _write_events(dataset: xr.Dataset, folder: Path) -> list[Path]:
    """One folder of scalars a run, in place only when all are whole."""
    if folder.is_file():
        raise _other_results(folder)
    if strange := next((p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(EVENTS)), None):
        raise InputError(f"{strange} is no event file, and its folder would be replaced; choose another --out", "out")
    endings = [f".{_word(digest)}" for digest in _hashes(dataset) or [netcdf.fingerprint(dataset)]]
    if any(not path.name.endswith(tuple(endings)) for path in folder.rglob(f"{EVENTS}*")):
        raise _other_results(folder)
    there = {path.parent.relative_to(folder).as_posix() for path in folder.rglob(f"{EVENTS}*{endings[0]}")}
    if there - {run for run, _ in _runs(dataset)}:
        raise _more_runs(folder)
    temporary, before = atomic.temporary(folder), atomic.temporary(folder.with_name(f"{folder.name}.before"))
    atomic.remove(temporary)
    epochs = dataset.epoch.values.astype(int).tolist()
    try:
        for run, scalars in _runs(dataset):
            _write_scalars(temporary / run, epochs, scalars, _created(dataset), endings[0])
        if folder.exists():
            folder.rename(before)
        temporary.rename(folder)
    finally:
        if before.exists() and not folder.exists():  # the new one could not be put into place
            before.rename(folder)
        atomic.remove(temporary)
        atomic.remove(before)
    return [folder]


def _hashes(dataset: xr.Dataset) -> list[str]:
    """The hash of a dataset's study, and of those it was extended from; empty where it tells none."""
    found = [dataset.attrs[HASH]] if HASH in dataset.attrs else []
    with suppress(ValueError, TypeError, LookupError, RecursionError):
        found += [str(amendment[HASH]) for amendment in json.loads(dataset.attrs.get("amendments", "[]"))]
    return [digest for digest in found if digest]


def _runs_there(path: Path, form: str) -> pd.DataFrame | None:
    """The table of runs at `path`; None where there is none that says of which study."""
    try:
        table = pd.read_parquet(path) if form == "parquet" else pd.read_csv(path, keep_default_na=False)
        return table if HASH in table and len(table) else None
    except (OSError, ValueError):
        return None


def _ended(table: pd.DataFrame, dataset: xr.Dataset) -> set[tuple[str, ...]]:
    """The runs of a table that finished or diverged, by the levels of the factors that `dataset` has."""
    if "status" not in table:
        return set()
    names = [name for name in _dims(dataset)[:-1] if name in table]
    ended = table[table["status"].isin(["done", "diverged"])]
    return set(zip(*(ended[name].map(lambda label: str(harmless(label))) for name in names), strict=True))


def _more_runs(path: Path) -> InputError:
    return InputError(
        f"{path} holds runs of this study that are not here; `bnstudy merge` joins shards, or choose another folder "
        "with --out", "out",
    )  # fmt: skip


def _other_results(path: Path) -> InputError:
    return InputError(f"{path} holds other results; choose another folder with --out, or move them away", "out")


def _runs(dataset: xr.Dataset) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Every observed run: the path of its folder, and its curves by TensorBoard's tags."""
    dims = _dims(dataset)
    names = [str(name) for name, values in dataset.data_vars.items() if set(values.dims) == set(dims)]
    curves = {name: dataset[name].transpose(*dims).values for name in names}
    seen = responses.observed(dataset).transpose(*dims[:-1]).values
    several = {dim for dim in ("optimizer", "lr") if dataset.sizes[dim] > 1}
    used: set[str] = set()
    for where in zip(*np.nonzero(seen), strict=True):
        labels = [
            _word(("" if dim in NAMED else f"{dim.replace('_', '-')}-") + str(dataset[dim].values[i]))
            for dim, i in zip(dims[:-1], where, strict=True)
            if dim not in ("optimizer", "lr") or dim in several
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


def _write_scalars(
    folder: Path, epochs: list[int], scalars: dict[str, np.ndarray], created: float, ending: str
) -> None:
    """One event file of scalars over epochs; what is not a number has no event."""
    event_pb2 = importlib.import_module("tensorboard.compat.proto.event_pb2")
    summary_pb2 = importlib.import_module("tensorboard.compat.proto.summary_pb2")
    writer_module = importlib.import_module("tensorboard.summary.writer.event_file_writer")
    folder.mkdir(parents=True)
    writer = writer_module.EventFileWriter(str(folder), filename_suffix=ending)
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


def _need(package: str | None, form: str) -> None:
    if package is None:
        return
    try:
        importlib.import_module(package)
    except ImportError:
        raise InputError(f"{form} needs the package {package}: pip install 'bnstudy[{form}]'", "format") from None


def _word(text: str) -> str:
    """A label as the name of a file or folder: letters, digits and a few signs; never hidden, never a path."""
    return re.sub(r"[^\w.=:-]", "-", text)[:80].lstrip(".") or "study"
