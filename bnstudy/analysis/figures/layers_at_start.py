"""A probe, drawn: how signals, dead units and gradients change from layer to layer."""

from __future__ import annotations

from itertools import product

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from bnstudy.analysis.figures import panels, style

ROWS = {
    "preactivation_spread": ("spread of the signal", True),
    "dead": ("dead units (%)", False),
    "gradient_norm": ("gradient norm", True),
}
MOST_ARMS, MOST_INITS = 8, 8


def probe_figure(found: xr.Dataset) -> Figure:
    """A column a (model, norm), a row a measure, a line an init over the layers; at the first seed.

    Parameters
    ----------
    found : Dataset
        Of :func:`bnstudy.training.inspection.probes.probe`.
    """
    arms = list(product(panels.labels(found, "model"), panels.labels(found, "norm")))[:MOST_ARMS]
    inits = panels.labels(found, "init")[:MOST_INITS]
    figure, axes = style.grid(len(ROWS), len(arms), width=3.6, height=2.0, sharex="col", sharey="row")
    for (row, (name, (label, is_log))), (column, (model, norm)) in product(enumerate(ROWS.items()), enumerate(arms)):
        panel = axes[row, column]
        for position, init in enumerate(inits):
            values = found[name].sel(model=model, norm=norm, init=init).isel(seed=0).values
            here = ~np.isnan(found.gradient_norm.sel(model=model, norm=norm, init=init).isel(seed=0).values)
            shown = np.where(values > 0, values, np.nan) if is_log else 100 * values
            panel.plot(np.arange(here.sum()), shown[here], label=style.shorten(init, 20), **style.arm_style(position))
        panels.log_or_percent(panel, is_log)
        if row == 0:
            panel.set_title(panels.title(model, style.arm_label(norm)))
        layers = found.layer.values[here]
        names = [style.shorten(str(layer), 14) for layer in layers]
        panel.set_xticks(range(len(layers)), names, rotation=30, ha="right", rotation_mode="anchor")
        if column == 0:
            panel.set_ylabel(label)
    style.legend(figure, None, axes[0, 0])
    left = found.sizes["model"] * found.sizes["norm"] - len(arms), found.sizes["init"] - len(inits)
    cut = f"; {left[0]} arms and {left[1]} inits are not drawn" if any(left) else ""
    note = (
        f"one seed, one batch, before any training; a signal or gradient of exactly 0 is not drawn on a log axis{cut}"
    )
    return style.finish(figure, None, style.source(found), note)
