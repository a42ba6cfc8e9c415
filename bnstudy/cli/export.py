"""``bnstudy export``."""

from __future__ import annotations

from typing import Annotated

import typer


def export(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="A study folder, or a netCDF file.", show_default=False)],
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="PATH", help="Where to; the current folder by default.", show_default=False),
    ] = None,
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="csv, parquet or tensorboard.")] = "csv",
) -> None:
    """Write the curves and the runs as tidy CSV or Parquet tables, or as TensorBoard event files."""
    from bnstudy.analysis.export import export as export_to
    from bnstudy.cli.terminal import say_so_far

    say_so_far(folder)
    for path in export_to(folder, form, out):
        print(path)
