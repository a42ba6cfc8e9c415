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

GENERATOR, BEGIN = b'<meta name="generator" content="bnstudy ', 2000  # bytes within which a page says it


def write_report(source: str | Path | Judged, out: str | Path | None = None) -> Path:
    """Write one self-contained HTML page: the verdict first, figures, every cell and its curves.

    Parameters
    ----------
    source : path or results
        A study folder, a netCDF file in its layout, or results: :class:`bnstudy.Results`, or what
        :func:`bnstudy.judge` gives.
    out : path, optional
        The HTML file; by default ``report.html`` in the study folder, or beside the file under its name. A page that
        was written here before is replaced, no other file.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    InputError
        The source cannot be read, `out` cannot be written or is another file, or results are given without `out`.

    Examples
    --------
    >>> import bnstudy
    >>> study = bnstudy.Study.make({"dataset": "digits", "models": "mlp", "hidden": "8", "seeds": 2, "epochs": 1})
    >>> _ = bnstudy.run(study, "results/small")
    >>> bnstudy.report("results/small").as_posix()
    'results/small/report.html'
    """
    if isinstance(source, Judged):
        if out is None:
            raise InputError("name the file of the page", "out")
        return write_page(source, out)
    source = Path(source)
    return write_page(Results.open(source), out or page_of(source))


def page_of(source: Path) -> Path:
    """Where the page of a study folder or netCDF file lies, unless one says otherwise."""
    return source / PAGE if source.is_dir() else source.with_suffix(".html")


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
    if target.exists() and not target.is_file():
        raise InputError(f"{target} is no plain file; name another for the page", "out")
    if target.is_file() and not _is_page(target):
        raise InputError(f"{target} is there and no page of bnstudy's; name another file for the page", "out")
    atomic.check_folder(target.parent)
    return target


def _is_page(path: Path) -> bool:
    """Whether a file is a page that was written here, or empty: what may be written over."""
    with path.open("rb") as file:
        begin = file.read(BEGIN)
    return not begin or GENERATOR in begin
