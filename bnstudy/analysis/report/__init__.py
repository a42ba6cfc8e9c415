"""The report: one self-contained HTML page of a study, verdict first."""

from __future__ import annotations

from pathlib import Path

from bnstudy.analysis.results import Judged, Results
from bnstudy.storage import atomic
from bnstudy.storage.manifest import PAGE
from bnstudy.study.errors import InputError


def write_report(source: str | Path, out: str | Path | None = None) -> Path:
    """Write the page of a study folder or netCDF file; returns its path.

    Parameters
    ----------
    source : path
        A study folder or a netCDF file in its layout.
    out : path, optional
        The HTML file; by default ``report.html`` in the study folder, or beside the file under its name.

    Raises
    ------
    InputError
        The source cannot be read, or `out` cannot be written.
    """
    source = Path(source)
    return write_page(Results.open(source), out or (source / PAGE if source.is_dir() else source.with_suffix(".html")))


def write_page(results: Judged, out: str | Path) -> Path:
    """Write the page of results that are open, or of other runs that were judged; returns its path.

    InputError if it cannot be written.
    """
    target = Path(out)
    if target.is_dir():
        raise InputError(f"{target} is a folder; name a file for the page", "out")
    if target.exists() and not target.is_file():
        raise InputError(f"{target} is no plain file; name another for the page", "out")
    if target.is_file() and not _is_page(target):
        raise InputError(f"{target} is there and no page; name another file for the page", "out")
    atomic.check_folder(target.parent)
    from bnstudy.analysis.report.page import render  # takes long to load, and what is wrong is told before

    atomic.write_text(target, render(results))
    return target


def _is_page(path: Path) -> bool:
    """Whether a file is a page, or empty: what may be written over."""
    with path.open("rb") as file:
        begin = file.read(200).lstrip().lower()
    return not begin or begin.startswith((b"<!doctype html", b"<html"))
