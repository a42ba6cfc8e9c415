"""The report: one self-contained HTML page of a study, verdict first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bnstudy.analysis.results import Judged, Results
from bnstudy.storage import atomic
from bnstudy.storage.manifest import PAGE
from bnstudy.study.errors import InputError

if TYPE_CHECKING:
    from bnstudy.study.study import Study


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


def write_page(results: Judged, out: str | Path, reloads: bool = False) -> Path:
    """Write the page of results that are open, or of other runs that were judged; returns its path.

    One that `reloads` itself shows what is written in its place later. InputError if it cannot be written.
    """
    target = checked(out)
    from bnstudy.analysis.report.page import render  # takes long to load, and what is wrong is told before

    atomic.write_text(target, render(results, reloads))
    return target


def write_waiting(study: Study, so_far: str, out: str | Path, reloads: bool = True) -> Path:
    """Write a page for a study of which no run is finished, which will be replaced; returns its path."""
    from bnstudy.analysis.report.template import RELOAD, fill

    told = {"title": study.title or study.name, "question": study.question, "so_far": so_far}
    atomic.write_text(target := checked(out), fill("waiting.html", [RELOAD] * reloads, **told))
    return target


def checked(out: str | Path) -> Path:
    """Where a page is to be written, if it can be there; InputError if not."""
    target = Path(out)
    if target.is_dir():
        raise InputError(f"{target} is a folder; name a file for the page", "out")
    if target.is_file() and not _is_page(target):
        raise InputError(f"{target} is there and no page; name another file for the page", "out")
    atomic.check_folder(target.parent)
    return target


def _is_page(path: Path) -> bool:
    """Whether a file is a page, or empty: what may be written over."""
    with path.open("rb") as file:
        begin = file.read(200).lstrip().lower()
    return not begin or begin.startswith((b"<!doctype html", b"<html"))
