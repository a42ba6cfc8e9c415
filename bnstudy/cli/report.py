"""``bnstudy report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bnstudy.cli.options import Results


def report(
    folder: Results,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="FILE", help="The page; DIR/report.html by default.", show_default=False),
    ] = None,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Keep the page up to date, as one that reloads itself, until all runs are there."),
    ] = False,
) -> None:
    """Write one self-contained HTML page: the verdict first, figures, every cell and its curves."""
    if watch:
        from bnstudy.cli.watching import watch as keep

        keep(folder, out)
        return
    from bnstudy.analysis.report import page_of, write_page
    from bnstudy.analysis.results import Results as Opened
    from bnstudy.cli.terminal import say_so_far

    results = Opened.open(folder)
    say_so_far(results.curves, folder)
    print(write_page(results, out or page_of(Path(folder))))
