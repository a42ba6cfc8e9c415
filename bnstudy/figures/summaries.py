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
from bnstudy.analysis.summaries import mean_interval
from bnstudy.analysis.table import reference_cell
from bnstudy.figures import style
from bnstudy.registry import figures
from bnstudy.schema import Status

SCALED = "scaled-normal"


def _scaled(dataset: xr.Dataset) -> list[str]:
    """The levels of scaled-normal, by rising scale."""
    found = [
        (float(value), str(init))
        for init, family, value in zip(
            dataset.init.values, dataset.init_family.values, dataset.init_value.values, strict=True
        )
        if family == SCALED
    ]
    return [init for _, init in sorted(found)]


def _one_setting(dataset: xr.Dataset) -> tuple[xr.Dataset, str]:
    """The dataset at its first optimizer and lr, and a note that says so where there are several."""
    cell = reference_cell(dataset)
    several = dataset.sizes["optimizer"] > 1 or dataset.sizes["lr"] > 1
    note = f"; {cell['optimizer']}, lr {cell['lr']:g}" if several else ""
    return dataset.sel(optimizer=cell["optimizer"], lr=cell["lr"]), note


def _count_note(dataset: xr.Dataset) -> str:
    n = int(responses.observed(dataset).sum("seed").max())
    return f"n = {n} seed{'s' * (n != 1)} a cell; a diverged run counts at chance"


@figures.register(
    "accuracy-by-scale",
    label="Final accuracy against initial scale",
    caption="Final test accuracy against the scale S of the initial weights (S = 1 is He's), an arm a line, "
    "with the other initializations at the right. The scales declared well are shaded.",
    applies=lambda dataset: "init_family" in dataset.coords and len(_scaled(dataset)) >= 2,
)
def accuracy_by_scale(dataset: xr.Dataset) -> Figure:
    """A panel a model: mean, 95 % t interval and single seeds against scale on a log axis."""
    chosen, note = _one_setting(dataset)
    accuracy = 100 * responses.final(chosen, "test_accuracy")
    models = [str(model) for model in dataset.model.values]
    figure, axes = style.grid(1, len(models), width=4.2, height=3.2, sharey=True)
    for column, model in enumerate(models):
        _scale_panel(axes[0, column], accuracy.sel(model=model), dataset)
        axes[0, column].set_title(style.shorten(model.upper()))
    axes[0, 0].set_ylabel("final test accuracy (%)")
    axes[0, 0].set_ylim(0, 103)
    axes[0, 0].legend(loc="best")
    interval = "" if dataset.sizes["seed"] == 1 else "; bars: 95 % t interval of the mean, dashes beside them: seeds"
    style.headline(figure, style.source(dataset), f"{_count_note(dataset)}{interval}; shaded: well scales{note}")
    return figure


def _scale_panel(ax: Axes, accuracy: xr.DataArray, dataset: xr.Dataset) -> None:
    scaled = _scaled(dataset)
    others = [str(init) for init in dataset.init.values if init not in scaled]
    scales = np.array([float(dataset.init_value.sel(init=init)) for init in scaled])
    logs = np.log10(scales)
    step = max(0.6, (logs[-1] - logs[0]) / 6)
    beside = logs[-1] + step * (1.2 + np.arange(len(others)))
    _shade_well(ax, dataset, scaled, logs)
    norms = [str(norm) for norm in dataset.norm.values]
    for position, norm in enumerate(norms):
        look = style.arm_style(position)
        shift = step * 0.2 * (position - (len(norms) - 1) / 2)
        aside = step * 0.09 * (1 if shift > 0 else -1)
        for inits, places, joined in ((scaled, logs, True), (others, beside, False)):
            if inits:
                arm = accuracy.sel(norm=norm, init=inits).transpose("init", "seed")
                _points(ax, places + shift, arm, style.arm_label(norm) if joined else None, joined, look, aside)
    if others:
        ax.axvline(logs[-1] + step * 0.6, color="#888888", linewidth=0.8)
    ax.set_xticks([*logs, *beside], [f"{s:g}" for s in scales] + [style.shorten(init, 16) for init in others])
    for label in ax.get_xticklabels()[len(scaled) :]:
        label.set(rotation=30, ha="right", rotation_mode="anchor")
    ax.set_xlabel("scale S of the initial weights, N(0, S²·2/fan_in)" + ("  |  other inits" if others else ""))
    ax.grid(False, axis="x")


def _shade_well(ax: Axes, dataset: xr.Dataset, scaled: list[str], logs: np.ndarray) -> None:
    for init, place in zip(scaled, logs, strict=True):
        if str(dataset.init_role.sel(init=init).item()) == "well":
            ax.axvspan(place - 0.3, place + 0.3, color="#eeeeee", zorder=0)


def _points(
    ax: Axes, places: np.ndarray, arm: xr.DataArray, label: str | None, joined: bool, look: dict[str, Any], aside: float
) -> None:
    """Means with intervals at `places`, and beside each a dash for every seed."""
    summary = mean_interval(arm)
    half = (summary["upper"] - summary["mean"]).fillna(0.0).values
    line = {**look, "linestyle": look["linestyle"] if joined else "none"}
    ax.errorbar(places, summary["mean"].values, yerr=half, label=label, capsize=2.5, markersize=5.5, **line)
    if arm.sizes["seed"] > 1:
        for seed in range(arm.sizes["seed"]):
            ax.plot(places + aside, arm.isel(seed=seed).values, "_", color=look["color"], markersize=6)


@figures.register(
    "init-norm-heatmap",
    label="Final accuracy of every cell",
    caption="Final test accuracy in percent, a row an init, a column a norm; in brackets, how many runs diverged.",
    applies=lambda dataset: dataset.sizes["init"] > 1,
)
def init_norm_heatmap(dataset: xr.Dataset) -> Figure:
    """A panel a model; each cell holds its mean over seeds and how many runs diverged."""
    chosen, note = _one_setting(dataset)
    accuracy = mean_interval(100 * responses.final(chosen, "test_accuracy"))["mean"]
    dead = (chosen.status == Status.DIVERGED).sum("seed") if "status" in chosen else xr.zeros_like(accuracy)
    models = [str(model) for model in dataset.model.values]
    inits, norms = [str(i) for i in dataset.init.values], [str(n) for n in dataset.norm.values]
    width = max(2.6, 1.05 * len(norms) + 0.6)
    figure, axes = style.grid(1, len(models), width=width, height=max(1.8, 0.42 * len(inits)), sharey=True)
    for column, model in enumerate(models):
        ax = axes[0, column]
        order = ("init", "norm")
        values = accuracy.sel(model=model).transpose(*order).values
        image = ax.imshow(values, cmap="cividis", vmin=0, vmax=100, aspect="auto")
        _write_cells(ax, values, dead.sel(model=model).transpose(*order).values)
        ax.set_title(style.shorten(model.upper()))
        labels = [style.arm_label(norm) for norm in norms]
        turned = len(norms) > 3
        ax.set_xticks(range(len(norms)), labels, rotation=30 if turned else 0, ha="right" if turned else "center")
        roles = [str(role) for role in dataset.init_role.values]
        names = [f"{style.shorten(init, 24)} ({role})" for init, role in zip(inits, roles, strict=True)]
        ax.set_yticks(range(len(inits)), names)
        ax.grid(False)
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0)
    bar = figure.colorbar(image, ax=list(axes[0]), fraction=0.05)
    bar.set_label("final test accuracy (%)")
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    bar.ax.yaxis.set_minor_locator(NullLocator())
    style.headline(figure, style.source(dataset), f"{_count_note(dataset)}{note}")
    return figure


def _write_cells(ax: Axes, values: np.ndarray, dead: np.ndarray) -> None:
    for (row, column), value in np.ndenumerate(values):
        if math.isnan(value):
            ax.text(column, row, "–", ha="center", va="center", color="black")
            continue
        text = f"{value:.1f}" + (f" ({int(dead[row, column])})" if dead[row, column] else "")
        ax.text(column, row, text, ha="center", va="center", fontsize=9, color="white" if value < 55 else "black")
