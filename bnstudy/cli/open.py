"""``bnstudy open``."""

from __future__ import annotations

import os
import sys
import webbrowser
from contextlib import suppress
from pathlib import Path

from bnstudy.cli.options import Results

WINDOWS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")  # one of which says that there is a browser with a window


def open_page(folder: Results) -> None:
    """Open a study's page in the browser; it is written first where there is none, or the data are newer."""
    page = renewed(Path(folder))
    print(page)
    show(page)


def renewed(source: Path) -> Path:
    """The page of a study folder or file, which is written where it is absent or older than what it shows."""
    from bnstudy.analysis.report import page_of, write_report

    page = page_of(source)
    shown = [source / "curves.nc", source / "diagnostics.nc"] if source.is_dir() else [source]
    dates = [path.stat().st_mtime_ns for path in shown if path.is_file()]
    if dates and page.is_file() and page.stat().st_mtime_ns > max(dates):
        return page
    return write_report(source)


def show(page: Path) -> bool:
    """Open a page in a browser with a window; says so and gives False where there is none."""
    opened = False
    if sys.platform != "linux" or any(os.environ.get(name) for name in WINDOWS):  # else one would take the terminal
        with suppress(webbrowser.Error, OSError):
            opened = webbrowser.open(page.absolute().as_uri())
    if not opened:
        print("bnstudy: no browser can be opened here; open the page yourself", file=sys.stderr)
    return opened
