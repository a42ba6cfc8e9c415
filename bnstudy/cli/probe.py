"""``bnstudy probe``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bnstudy.cli.completion import complete_study
from bnstudy.cli.options import AsJson, DataDir, Force, study_options
from bnstudy.cli.studies import study_named
from bnstudy.study.errors import InputError

if TYPE_CHECKING:
    import xarray as xr


@study_options(running=False, flags=False)
def probe(
    study_file: Annotated[
        str,
        typer.Argument(
            metavar="[STUDY]",
            help="A study file, or the name of one: `bnstudy list studies`.",
            autocompletion=complete_study,
        ),
    ] = "init-sweep",
    settings: dict[str, str] = {},  # noqa: B006 (the options that were given, put in by the decorator)
    data_dir: DataDir = None,
    as_json: AsJson = False,
    mechanism: Annotated[
        bool, typer.Option("--mechanism", help="Also measure sharpness and how far gradients can be trusted.")
    ] = False,
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", help="Also store the measures as netCDF.", show_default=False)
    ] = None,
    figure: Annotated[
        str | None,
        typer.Option("--figure", metavar="FILE", help="Also draw them, as .png or .svg.", show_default=False),
    ] = None,
    force: Force = False,
) -> None:
    """Look at every cell's signals and gradients before training: what is dead, vanishes, explodes or is all alike."""
    if figure and Path(figure).suffix not in (".png", ".svg"):
        raise InputError(f"must end in .png or .svg, not {figure[:60]!r}", "figure")
    from bnstudy.storage import atomic
    from bnstudy.training.datasets import data

    for key, place in (("out", out), ("figure", figure)):
        if place and not force:
            atomic.refuse_existing(Path(place), key)
    study = study_named(study_file, settings)
    data.check(study.dataset, data_dir)  # before torch is loaded
    from bnstudy.analysis.tables.trainability import mechanism_table, probe_table, prognoses
    from bnstudy.cli.terminal import print_table, print_text, prints_aside
    from bnstudy.training.inspection.probes import probe as measure

    with prints_aside():
        measured = measure(study, data.load(study, data_dir), mechanism)
    told = prognoses(measured)
    if as_json:
        import json

        cells = [
            {"model": model, "norm": norm, "init": init, "prognosis": text,
             **_network(measured.sel(model=model, norm=norm, init=init).isel(seed=0)),
             "layers": _layers(measured.sel(model=model, norm=norm, init=init).isel(seed=0))}
            for (model, norm, init), text in told.items()
        ]  # fmt: skip
        print(json.dumps({"cells": cells}, indent=1, allow_nan=False))
    else:
        print_table(probe_table(measured), "the same with --json")
        if mechanism:
            print()
            print_table(mechanism_table(measured), "the same with --json")
        print()
        for (model, norm, init), text in told.items():
            print_text(f"{model}, {norm}, {init}: {text}")
        if measured.attrs["not_initialized"]:
            print_text(f"set by no initializer: {measured.attrs['not_initialized']}")
    if out:
        atomic.write_atomically(Path(out), measured.to_netcdf)
    if figure:
        from bnstudy.analysis.figures import layers_at_start, style

        with style.house_style():
            style.write_to(layers_at_start.probe_figure(measured), Path(figure))


def _network(cell: xr.Dataset) -> dict[str, float | None]:
    """A cell's measures of the whole network; None for what is not a number."""
    import math

    whole = {str(name): float(v) for name, v in cell.data_vars.items() if "layer" not in v.dims}
    return {name: value if math.isfinite(value) else None for name, value in whole.items()}


def _layers(cell: xr.Dataset) -> dict[str, dict[str, float | None]]:
    """A cell's measures by layer; None for what is not there."""
    import math

    layers = {}
    for i, layer in enumerate(cell.layer.values.tolist()):
        values = {str(name): float(v[i]) for name, v in cell.data_vars.items() if "layer" in v.dims}
        if not all(map(math.isnan, values.values())):
            layers[layer] = {name: value if math.isfinite(value) else None for name, value in values.items()}
    return layers
