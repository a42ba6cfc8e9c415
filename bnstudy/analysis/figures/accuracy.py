"""Final accuracy of every cell: against scale, and as a heat map."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import FuncFormatter, NullLocator

from bnstudy.analysis import responses
from bnstudy.analysis.figures import panels, style
from bnstudy.analysis.results import Results
from bnstudy.analysis.summaries import mean_interval
from bnstudy.study.registry import figures


def _count_note(dataset: xr.Dataset) -> str:
    return f"{panels.seeds(dataset)} a cell; a diverged run counts at chance"


@figures.register(
    "accuracy-by-condition",
    label="Final accuracy, by condition",
    caption="Final test accuracy against the condition (of initial weights the scale S, where S = 1 is He's), an arm a "
    "line, with what lies on no scale at the right. Conditions declared well are shaded.",
    applies=lambda results: len(panels.numbers(results.runs, results.criteria.condition)[0]) >= 2,
)
def accuracy_by_condition(results: Results, ax: Axes | None = None) -> Figure:
    """A panel a model: mean, 95 % t interval and single seeds against the condition on a log axis."""
    chosen, note = panels.choose(results)
    accuracy = 100 * responses.final(chosen, "test_accuracy")
    models = panels.labels(chosen, "model")
    figure, axes = style.grid(1, len(models), ax, width=4.2, height=3.2, sharey=True)
    for panel, model in zip(axes[0], models, strict=True):
        _condition_panel(panel, results, accuracy.sel(model=model), chosen)
        panel.set_title(panels.title(model))
    axes[0, 0].set_ylabel("final test accuracy (%)")
    axes[0, 0].set_ylim(0, 103)
    style.legend(figure, ax, axes[0, 0])
    interval = "" if chosen.sizes["seed"] == 1 else "; bars: 95 % t interval of the mean, dashes beside them: seeds"
    interval += panels.some_seeds(chosen.sizes["seed"])
    note = f"{_count_note(chosen)}{interval}; shaded: declared well{note}"
    return style.finish(figure, ax, style.source(results.curves), note)


def _condition_panel(panel: Axes, results: Results, accuracy: xr.DataArray, dataset: xr.Dataset) -> None:
    axis = panels.condition_axis(panel, results, dataset)
    arms = panels.labels(dataset, "arm")
    apart = axis.step * min(0.2, 0.8 / len(arms))
    for position, (arm, shift) in enumerate(zip(arms, panels.offsets(len(arms), apart), strict=True)):
        look = style.arm_style(position)
        aside = 0.45 * apart * (1 if shift > 0 else -1)
        for places, joined in ((axis.joined, True), (axis.beside, False)):
            if places:
                values = accuracy.sel(arm=arm, condition=list(places)).transpose("condition", "seed")
                label = style.arm_label(arm, results) if joined else None
                _points(panel, np.array(list(places.values())) + shift, values, label, joined, look, aside)


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
    "accuracy-map",
    label="Final accuracy of every cell",
    caption="Final test accuracy in percent, a row a condition, a column an arm; in brackets, how many runs diverged.",
    applies=lambda results: results.runs.sizes["condition"] > 1,
)
def accuracy_map(results: Results, ax: Axes | None = None) -> Figure:
    """A panel a model; each cell holds its mean over seeds and how many runs diverged."""
    chosen, note = panels.choose(results)
    accuracy = mean_interval(100 * responses.final(chosen, "test_accuracy"))["mean"]
    dead = responses.diverged(chosen).sum("seed")
    models, conditions, arms = (panels.labels(chosen, name) for name in ("model", "condition", "arm"))
    width, height = max(2.6, 1.05 * len(arms) + 0.6), max(1.8, 0.42 * len(conditions))
    figure, axes = style.grid(1, len(models), ax, width=width, height=height, sharey=True)
    for panel, model in zip(axes[0], models, strict=True):
        order = ("condition", "arm")
        values = accuracy.sel(model=model).transpose(*order).values.round(6)  # equal runs read alike, however many
        image = panel.imshow(values, cmap="cividis", vmin=0, vmax=100, aspect="auto")
        _write_cells(panel, image, values, dead.sel(model=model).transpose(*order).values)
        panel.set_title(panels.title(model))
        turned = len(arms) > 3
        panel.set_xticks(range(len(arms)), [style.arm_label(arm, results) for arm in arms],
                         rotation=30 if turned else 0, ha="right" if turned else "center")  # fmt: skip
        panel.set_yticks(range(len(conditions)), panels.conditions_told(results, conditions))
        panel.grid(False)
        panel.spines[:].set_visible(False)
        panel.tick_params(length=0)
    bar = figure.colorbar(image, ax=list(axes[0]), fraction=0.05)
    bar.set_label("final test accuracy (%)")
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    bar.ax.yaxis.set_minor_locator(NullLocator())
    return style.finish(figure, ax, style.source(results.curves), f"{_count_note(chosen)}{note}")


def _write_cells(panel: Axes, image: AxesImage, values: np.ndarray, dead: np.ndarray) -> None:
    for (row, column), value in np.ndenumerate(values):
        if math.isnan(value):
            panel.text(column, row, "–", ha="center", va="center", color="black")
            continue
        text = f"{value:.1f}" + (f" ({int(dead[row, column])})" if dead[row, column] else "")
        panel.text(column, row, text, ha="center", va="center", fontsize=9, color=style.ink_on(image, value))
