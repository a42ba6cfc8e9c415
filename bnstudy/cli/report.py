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
) -> None:
    """Write one self-contained HTML page: the verdict first, figures, every cell and its curves."""
    from bnstudy.analysis.report import write_report

    print(write_report(folder, out))
