"""What was looked at in training, drawn: dead units, gradients, effective rates and sharpness over the epochs."""

from __future__ import annotations

from itertools import product

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bnstudy.analysis.figures import panels, style
from bnstudy.analysis.figures.layers_at_start import MOST_ARMS, MOST_INITS
from bnstudy.analysis.normal_form import FIRST, factor_form

# measure: what stands at the axis, and whether that is logarithmic
ROWS = {
    "dead": ("dead units (%)\nof the worst layer", False),
    "gradient_norm": ("gradient norm\nof the first layer", True),
    "effective_lr": ("lr / squared weights\nof the first layer", True),
    "sharpness": ("sharpness", True),
    "smoothness": ("change of gradient\nover distance", True),
}


def diagnostics_figure(found: xr.Dataset) -> Figure:
    """A column a (model, norm), a row a measure, a line an init over the epochs: median of the seeds, and their range.

    Parameters
    ----------
    found : Dataset
        Of :func:`bnstudy.storage.opening.open_diagnostics`; its first optimizer and learning rate are drawn.
    """
    first = factor_form(found).isel(FIRST)
    rows = {name: about for name, about in ROWS.items() if name in first}
    arms = list(product(panels.labels(first, "model"), panels.labels(first, "norm")))[:MOST_ARMS]
    inits = panels.labels(first, "init")[:MOST_INITS]
    figure, axes = style.grid(len(rows), len(arms), width=3.0, height=1.7, sharex=True, sharey="row")
    for (row, (name, (label, is_log))), (column, (model, norm)) in product(enumerate(rows.items()), enumerate(arms)):
        panel = axes[row, column]
        for position, init in enumerate(inits):
            values = _one_a_run(first, name, model).sel(norm=norm, init=init).transpose("seed", "epoch").values
            values = np.where(values > 0, values, np.nan) if is_log else values
            seen = ~np.isnan(values).all(0)
            if not seen.any():
                continue
            epochs, values = first.epoch.values[seen], values[:, seen]
            look = style.arm_style(position)
            panel.fill_between(epochs, np.nanmin(values, 0), np.nanmax(values, 0), color=look["color"], alpha=0.15)
            panel.plot(epochs, np.nanmedian(values, 0), label=style.shorten(init, 20), **look)
        panels.log_or_percent(panel, is_log)
        if row == 0:
            panel.set_title(panels.title(model, style.arm_label(norm)))
        if column == 0:
            panel.set_ylabel(label)
        panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        panel.set_xlabel("epoch" if row == len(rows) - 1 else "")
    style.legend(figure, None, axes[0, 0])
    note = (
        f"n = {found.sizes['seed']} seeds: median and range; one batch, always the same; 0 is not drawn on a log axis"
    )
    return style.finish(figure, None, style.source(found), note)


def _one_a_run(found: xr.Dataset, name: str, model: str) -> xr.DataArray:
    """A measure of one model as one number a run and epoch: of the worst layer, of the first, or of the network."""
    values = found[name].sel(model=model)
    if "layer" not in values.dims:
        return values
    if name == "dead":
        return 100 * values.max("layer")
    there = found.gradient_norm.sel(model=model).notnull().any([d for d in values.dims if d != "layer"])
    return values.isel(layer=int(np.argmax(there.values)))
