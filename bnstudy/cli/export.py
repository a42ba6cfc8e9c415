"""``bnstudy export``."""

from __future__ import annotations

from typing import Annotated

import typer

from bnstudy.cli.options import Force, Results


def export(
    folder: Results,
    out: Annotated[
        str,
        typer.Option("--out", metavar="DIR", help="Where to; the current folder by default.", show_default=False),
    ] = ".",
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="csv, parquet or tensorboard.",
            autocompletion=lambda: ["csv", "parquet", "tensorboard"],
        ),
    ] = "csv",
    force: Force = False,
) -> None:
    """Write the curves and the runs as tidy CSV or Parquet tables, or as TensorBoard event files."""
    from bnstudy.analysis.export import export_dataset
    from bnstudy.cli.terminal import say_so_far
    from bnstudy.storage.opening import name_of, open_results

    dataset = open_results(folder)
    say_so_far(dataset, folder)
    for path in export_dataset(dataset, name_of(dataset, folder), out, form, force):
        print(path)
