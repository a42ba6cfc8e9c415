"""Final accuracy of every cell: against scale, and as a heat map."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from bnstudy.analysis import responses
from bnstudy.analysis.figures import panels, style
from bnstudy.analysis.results import Results
from bnstudy.analysis.robustness import scaled_levels
from bnstudy.analysis.summaries import mean_interval
from bnstudy.study.registry import figures


def _count_note(dataset: xr.Dataset) -> str:
    return f"{panels.seeds(dataset)} a cell; a diverged run counts at chance"


@figures.register(
    "accuracy-by-scale",
    label="Final accuracy against initial scale",
    caption="Final test accuracy against the scale S of the initial weights (S = 1 is He's), an arm a line, "
    "with the other initializations at the right. The inits declared well are shaded.",
    applies=lambda dataset: len(scaled_levels(dataset)) >= 2,
)
def accuracy_by_scale(results: Results, ax: Axes | None = None) -> Figure:
    """A panel a model: mean, 95 % t interval and single seeds against scale on a log axis."""
    chosen, note = panels.choose(results)
    accuracy = 100 * responses.final(chosen, "test_accuracy")
    models = panels.labels(chosen, "model")
    figure, axes = style.grid(1, len(models), ax, width=4.2, height=3.2, sharey=True)
    for panel, model in zip(axes[0], models, strict=True):
        _scale_panel(panel, accuracy.sel(model=model), chosen)
        panel.set_title(panels.title(model))
    axes[0, 0].set_ylabel("final test accuracy (%)")
    axes[0, 0].set_ylim(0, 103)
    style.legend(figure, ax, axes[0, 0])
    interval = "" if chosen.sizes["seed"] == 1 else "; bars: 95 % t interval of the mean, dashes beside them: seeds"
    interval += panels.some_seeds(chosen.sizes["seed"])
    note = f"{_count_note(chosen)}{interval}; shaded: inits declared well{note}"
    return style.finish(figure, ax, style.source(results.dataset), note)


def _scale_panel(panel: Axes, accuracy: xr.DataArray, dataset: xr.Dataset) -> None:
    logs, beside, step = panels.scale_axis(panel, dataset)
    norms = panels.labels(dataset, "norm")
    apart = step * min(0.2, 0.8 / len(norms))
    for position, (norm, shift) in enumerate(zip(norms, panels.offsets(len(norms), apart), strict=True)):
        look = style.arm_style(position)
        aside = 0.45 * apart * (1 if shift > 0 else -1)
        kinds = ((list(scaled_levels(dataset)), logs, True), (panels.other_inits(dataset), beside, False))
        for inits, places, joined in kinds:
            if inits:
                arm = accuracy.sel(norm=norm, init=inits).transpose("init", "seed")
                _points(panel, places + shift, arm, style.arm_label(norm) if joined else None, joined, look, aside)


def _points(
    panel: Axes,
    places: np.ndarray,
    arm: xr.DataArray,
    label: str | None,
    joined: bool,
    look: dict[str, Any],
    aside: float,
) -> None:
    """Means with intervals at `places`, and beside each a dash for every seed."""
    summary = mean_interval(arm)
    half = (summary["upper"] - summary["mean"]).fillna(0.0).values
    line = {**look, "linestyle": look["linestyle"] if joined else "none"}
    panel.errorbar(places, summary["mean"].values, yerr=half, label=label, capsize=2.5, markersize=5.5, **line)
    if arm.sizes["seed"] > 1:
        seeds = arm.values[:, : panels.MOST_SEEDS]
        panel.plot(np.repeat(places + aside, seeds.shape[1]), seeds.ravel(), "_", color=look["color"], markersize=6)


@figures.register(
    "init-norm-heatmap",
    label="Final accuracy of every cell",
    caption="Final test accuracy in percent, a row an init, a column a norm; in brackets, how many runs diverged.",
    applies=lambda dataset: dataset.sizes["init"] > 1,
)
def init_norm_heatmap(results: Results, ax: Axes | None = None) -> Figure:
    """A panel a model; each cell holds its mean over seeds and how many runs diverged."""
    chosen, note = panels.choose(results)
    accuracy = mean_interval(100 * responses.final(chosen, "test_accuracy"))["mean"]
    dead = responses.diverged(chosen).sum("seed")
    models, inits, norms = (panels.labels(chosen, name) for name in ("model", "init", "norm"))
    width, height = max(2.6, 1.05 * len(norms) + 0.6), max(1.8, 0.42 * len(inits))
    figure, axes = style.grid(1, len(models), ax, width=width, height=height, sharey=True)
    roles = panels.roles(chosen)
    for panel, model in zip(axes[0], models, strict=True):
        order = ("init", "norm")
        values = accuracy.sel(model=model).transpose(*order).values.round(6)  # equal runs read alike, however many
        image = panel.imshow(values, cmap="cividis", vmin=0, vmax=100, aspect="auto")
        _write_cells(panel, values, dead.sel(model=model).transpose(*order).values)
        panel.set_title(panels.title(model))
        turned = len(norms) > 3
        panel.set_xticks(range(len(norms)), [style.arm_label(norm) for norm in norms], rotation=30 if turned else 0,
                         ha="right" if turned else "center")  # fmt: skip
        panel.set_yticks(
            range(len(inits)), [f"{style.shorten(i, 24)}{f' ({roles[i]})' if roles[i] else ''}" for i in inits]
        )
        panel.grid(False)
        panel.spines[:].set_visible(False)
        panel.tick_params(length=0)
    bar = figure.colorbar(image, ax=list(axes[0]), fraction=0.05)
    bar.set_label("final test accuracy (%)")
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    bar.ax.yaxis.set_minor_locator(NullLocator())
    return style.finish(figure, ax, style.source(results.dataset), f"{_count_note(chosen)}{note}")


def _write_cells(panel: Axes, values: np.ndarray, dead: np.ndarray) -> None:
    for (row, column), value in np.ndenumerate(values):
        if math.isnan(value):
            panel.text(column, row, "–", ha="center", va="center", color="black")
            continue
        text = f"{value:.1f}" + (f" ({int(dead[row, column])})" if dead[row, column] else "")
        panel.text(column, row, text, ha="center", va="center", fontsize=9, color="white" if value < 55 else "black")
