"""Results for other programs: tidy tables as CSV or Parquet, and TensorBoard event files."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import xarray as xr

from bnstudy.analysis.export.event_files import write_events
from bnstudy.analysis.export.identity import HASH, more_runs, other_results, safe_name, studies_in
from bnstudy.analysis.export.tidy import curve_table, ended_runs, run_table
from bnstudy.analysis.tables.formats import harmless
from bnstudy.storage import atomic
from bnstudy.storage.opening import name_of, open_results
from bnstudy.study.errors import InputError

FORMATS = ("csv", "parquet", "tensorboard")


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
    if package := {"parquet": "pyarrow", "tensorboard": "tensorboard"}.get(form):
        need(package, form, "format")
    dataset = open_results(source)
    folder, name = Path(out or "."), safe_name(name_of(dataset, source))
    atomic.check_folder(folder)
    with atomic.disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if form == "tensorboard":
            return write_events(dataset, folder / f"{name}-tensorboard")
        tables: dict[str, Callable[[xr.Dataset], pd.DataFrame]] = {"curves": curve_table, "runs": run_table}
        made = {what: make(dataset) for what, make in tables.items()}
        before = _runs_there(folder / f"{name}-runs.{form}", form)
        replaces = before is not None and str(before[HASH].iloc[0]) in studies_in(dataset)
        if replaces and before is not None and ended_runs(before, dataset) - ended_runs(made["runs"], dataset):
            raise more_runs(folder / f"{name}-runs.{form}")
        return [_write_table(table, folder / f"{name}-{what}.{form}", form, replaces) for what, table in made.items()]


def _write_table(table: pd.DataFrame, path: Path, form: str, replaces: bool) -> Path:
    """Write a table; where it does not replace one of the same study, it must not find another there."""

    def write(temporary: Path) -> None:
        if form == "parquet":
            table.to_parquet(temporary, index=False)
        else:
            texts = [name for name, kind in table.dtypes.items() if not pd.api.types.is_numeric_dtype(kind)]
            shown = table.assign(**{name: table[name].map(harmless) for name in texts})
            shown.to_csv(temporary, index=False)
        if not replaces and path.is_file() and atomic.sha256(path) != atomic.sha256(temporary):
            raise other_results(path)

    atomic.write_atomically(path, write)
    return path


def _runs_there(path: Path, form: str) -> pd.DataFrame | None:
    """The table of runs at `path`; None where there is none that says of which study."""
    try:
        table = pd.read_parquet(path) if form == "parquet" else pd.read_csv(path, keep_default_na=False)
        return table if HASH in table and len(table) else None
    except (OSError, ValueError):
        return None


def need(package: str, extra: str, key: str) -> None:
    """InputError about an option if a package is not there, which one of bnstudy's extras installs."""
    try:
        importlib.import_module(package)
    except ImportError:
        raise InputError(f"{extra} needs the package {package}: pip install 'bnstudy[{extra}]'", key) from None
