"""Results for other programs: tidy tables as CSV or Parquet, and TensorBoard event files."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import xarray as xr

from bnstudy.analysis.export.event_files import write_events
from bnstudy.analysis.export.scalars import safe_name
from bnstudy.analysis.export.tidy import curve_table, run_table
from bnstudy.analysis.tables.formats import harmless
from bnstudy.storage import atomic
from bnstudy.storage.opening import name_of, open_results
from bnstudy.study.errors import InputError

FORMATS = ("csv", "parquet", "tensorboard")


def export(source: str | Path, out: str | Path = ".", *, form: str = "csv", force: bool = False) -> list[Path]:
    """Write a study's curves and runs in another form; returns the paths written.

    Parameters
    ----------
    source : path
        A study folder or netCDF file.
    out : path
        The folder to write into; made if missing.
    form : str
        ``csv`` or ``parquet``: ``NAME-curves`` and ``NAME-runs`` with that ending; ``tensorboard``: a folder
        ``NAME-tensorboard`` of event files, one a run.
    force : bool
        Whether to write over files that are there. A folder with other files than events is left alone even so.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    InputError
        An unknown form, a package that is missing, a source that cannot be read, or an `out` that cannot be written
        or holds such files already.

    Examples
    --------
    >>> import bnstudy
    >>> study = bnstudy.Study.make({"dataset": "digits", "models": "mlp", "hidden": "8", "seeds": 2, "epochs": 1})
    >>> _ = bnstudy.run(study, "results/small")
    >>> [path.as_posix() for path in bnstudy.export("results/small", "tables")]
    ['tables/small-curves.csv', 'tables/small-runs.csv']
    """
    dataset = open_results(source)
    return export_dataset(dataset, name_of(dataset, source), out, form, force)


def export_dataset(dataset: xr.Dataset, name: str, out: str | Path, form: str, force: bool) -> list[Path]:
    """As :func:`export`, of a dataset that is open, under a name."""
    if form not in FORMATS:
        raise InputError(f"must be one of {', '.join(FORMATS)}, not {form[:60]!r}", "format")
    if package := {"parquet": "pyarrow", "tensorboard": "tensorboard"}.get(form):
        need(package, form, "format")
    folder, name = Path(out), safe_name(name)
    atomic.check_folder(folder)
    tables: dict[str, Callable[[xr.Dataset], pd.DataFrame]] = {"curves": curve_table, "runs": run_table}
    paths = {what: folder / f"{name}-{what}.{form}" for what in tables}
    events = folder / f"{name}-tensorboard"
    for path in [events] if form == "tensorboard" else paths.values():
        if not force:
            atomic.refuse_existing(path)
    with atomic.disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if form == "tensorboard":
            return write_events(dataset, events)
        for what, make in tables.items():
            _write_table(make(dataset), paths[what], form)
    return list(paths.values())


def _write_table(table: pd.DataFrame, path: Path, form: str) -> None:
    def write(temporary: Path) -> None:
        if form == "parquet":
            table.to_parquet(temporary, index=False)
        else:
            texts = [name for name, kind in table.dtypes.items() if not pd.api.types.is_numeric_dtype(kind)]
            shown = table.assign(**{name: table[name].map(harmless) for name in texts})
            shown.to_csv(temporary, index=False)

    atomic.write_atomically(path, write)


def need(package: str, extra: str, key: str) -> None:
    """InputError about an option if a package is not there, which one of bnstudy's extras installs."""
    try:
        importlib.import_module(package)
    except ImportError:
        raise InputError(f"{extra} needs the package {package}: pip install 'bnstudy[{extra}]'", key) from None
