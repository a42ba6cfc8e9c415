"""``bnstudy figures``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bnstudy.cli.completion import complete_figures, complete_folder
from bnstudy.study.errors import InputError


def figures(
    folders: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DIR]...",
            help="Study folders or netCDF files; all in results/ by default.",
            autocompletion=complete_folder,
        ),
    ] = None,
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Where to draw.")] = "figures",
    only: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Draw these alone, with commas; `bnstudy list figures`.",
            show_default=False,
            autocompletion=complete_figures,
        ),
    ] = None,
) -> None:
    """Draw every figure of every study found, as SVG and PNG."""
    names = [name.strip() for name in only.split(",")] if only is not None else []
    from bnstudy.analysis.figures.gains import FIRST
    from bnstudy.analysis.figures.gallery import draw_studies
    from bnstudy.cli.terminal import say_so_far

    paths = [Path(folder) for folder in folders or []] or sorted(
        path.parent for path in Path("results").glob("*/curves.nc")
    )
    if not paths:
        raise InputError("figures: no results/*/curves.nc here; run a study first, or name its folder")
    *drawn, index = draw_studies(paths, Path(out), names, say_so_far)
    for path in (*drawn, index):
        print(path)
    pictures = [path for path in drawn if path.suffix == ".png"]
    if pictures:
        first = next((path for name in FIRST for path in pictures if path.stem == name), pictures[0])
        print(f"Look first at {first}, in a browser or any viewer of pictures; {index} shows all.")
