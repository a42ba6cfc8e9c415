"""``bnstudy report``."""

from __future__ import annotations

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
    from bnstudy.analysis.report import write_report
    from bnstudy.cli.terminal import say_so_far

    say_so_far(folder)
    print(write_report(folder, out))
