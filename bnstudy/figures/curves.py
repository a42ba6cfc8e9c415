"""Curves over epochs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from bnstudy.analysis import responses
from bnstudy.analysis.criteria import criteria_of
from bnstudy.analysis.summaries import mean_interval
from bnstudy.analysis.table import reference_cell
from bnstudy.figures import style
from bnstudy.registry import figures
from bnstudy.schema import Status


def draw_curve(ax: Axes, values: xr.DataArray, label: str, **line: Any) -> None:
    """Mean over seeds, and the range from the lowest seed to the highest.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    values : DataArray, dims (seed, epoch)
        NaN is left out; the line is drawn where any seed is left.
    label : str
        For the legend.
    """
    summary = mean_interval(values)
    epochs = values.epoch.values
    markers = np.linspace(0, len(epochs) - 1, min(len(epochs), 6)).astype(int)
    ax.plot(epochs, summary["mean"], label=label, markevery=list(dict.fromkeys(markers.tolist())), **line)
    if values.sizes["seed"] > 1 and bool(values.notnull().any()):
        lowest, highest = values.min("seed"), values.max("seed")
        ax.fill_between(epochs, lowest, highest, color=line.get("color"), alpha=0.2, linewidth=0)


def counted(cell: xr.Dataset, name: str) -> xr.DataArray:
    """A curve as it counts: an accuracy is at chance from the epoch in which its run diverged."""
    values = cell[name]
    if name.endswith("accuracy"):
        values = values.fillna(responses.chance(cell)).where(responses.observed(cell))
    return values.transpose("seed", "epoch")


def _note(dataset: xr.Dataset) -> str:
    n = int(responses.observed(dataset).sum("seed").max())
    spread = "line: mean, band: lowest to highest seed" if n > 1 else "so no spread is shown"
    cell = reference_cell(dataset)
    several = dataset.sizes["optimizer"] > 1 or dataset.sizes["lr"] > 1
    return f"n = {n} seed{'s' * (n != 1)}, {spread}" + (f"; {cell['optimizer']}, lr {cell['lr']:g}" if several else "")


def _ticks(ax: Axes, dataset: xr.Dataset) -> None:
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    last = int(dataset.epoch[-1])
    ax.set_xlim(0.5 if last < 10 else 0, last + max(0.5, last / 50))


@figures.register(
    "report-panels",
    label="The report's eight panels",
    caption="Loss and accuracy over the epochs, training and test, for each model with and without BN: "
    "the eight panels of the report.",
    applies=lambda dataset: True,
)
def report_panels(dataset: xr.Dataset) -> Figure:
    """Loss (log scale) above accuracy, training and test, a column a (model, norm), at the reference init."""
    cell = reference_cell(dataset)
    chosen = dataset.sel(cell)
    arms = [(str(model), str(norm)) for model in dataset.model.values for norm in dataset.norm.values]
    figure, axes = style.grid(2, len(arms), sharex="col", sharey="row")
    target = criteria_of(dataset).target
    for column, (model, norm) in enumerate(arms):
        arm = chosen.sel(model=model, norm=norm)
        for row, name in enumerate(("loss", "accuracy")):
            ax = axes[row, column]
            for position, part in enumerate(("train", "test")):
                if f"{part}_{name}" in dataset:
                    scale = 100 if name == "accuracy" else 1
                    label = "training" if part == "train" else "test"
                    values = scale * counted(arm, f"{part}_{name}")
                    draw_curve(ax, values, label, **style.arm_style(position))
            _ticks(ax, dataset)
        axes[0, column].set_title(f"{style.shorten(model.upper())} {style.arm_label(norm)}")
        axes[0, column].set_xlabel("")
        if any(bool((chosen[name] > 0).any()) for name in ("train_loss", "test_loss") if name in chosen):
            axes[0, column].set_yscale("log", nonpositive="mask")
            axes[0, column].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes[0, column].yaxis.set_minor_formatter(NullFormatter())
        axes[1, column].axhline(100 * target, color="#666666", linewidth=0.8, linestyle=":")
    axes[0, 0].set_ylabel("cross-entropy (nat)")
    axes[1, 0].set_ylabel("accuracy (%)")
    axes[1, 0].set_ylim(*_accuracy_range(chosen))
    axes[0, 0].legend(loc="best")
    init = style.shorten(str(cell["init"]))
    style.headline(
        figure, f"{style.source(dataset)}, init {init}", f"{_note(dataset)}; dotted: target {100 * target:g} %"
    )
    return figure


def _accuracy_range(chosen: xr.Dataset) -> tuple[float, float]:
    """Up to 100 %: from just under the lowest final accuracy if that is high, else from 0."""
    finals = [responses.final(chosen, f"{part}_accuracy") for part in ("train", "test") if f"{part}_accuracy" in chosen]
    lowest = min((float(values.min()) for values in finals if bool(values.notnull().any())), default=0.0)
    lower = min(95.0, 100 * lowest - 3) if lowest > 0.8 else 0.0
    return lower, 100 + (100 - lower) / 40


@figures.register(
    "accuracy-curves",
    label="Test accuracy by initialization",
    caption="Test accuracy over the epochs for each initialization (a column) and model (a row), an arm a line.",
    applies=lambda dataset: dataset.sizes["init"] > 1,
)
def accuracy_curves(dataset: xr.Dataset) -> Figure:
    """A panel a (model, init); the arms as lines; diverged runs count at chance and are named."""
    chosen = dataset.sel({name: value for name, value in reference_cell(dataset).items() if name != "init"})
    inits = [str(init) for init in dataset.init.values]
    columns = min(len(inits), 6)
    rows = math.ceil(len(inits) / columns)
    models = [str(model) for model in dataset.model.values]
    figure, axes = style.grid(rows * len(models), columns, width=2.2, height=2.0, sharex=True, sharey=True)
    for m, model in enumerate(models):
        for i, init in enumerate(inits):
            ax = axes[m * rows + i // columns, i % columns]
            _init_panel(ax, chosen.sel(model=model, init=init), [str(norm) for norm in dataset.norm.values])
            role = str(dataset.init_role.sel(init=init).item())
            ax.set_title(f"{style.shorten(model.upper(), 10)}: {style.shorten(init, 20)} ({role})")
            if i % columns == 0:
                ax.set_ylabel("test accuracy (%)")
            below = m * rows + i // columns + 1
            last_here = below == rows * len(models) or (i + columns >= len(inits) and m == len(models) - 1)
            ax.set_xlabel("epoch" if last_here else "")
            ax.tick_params(labelbottom=last_here)
        for empty in range(len(inits), rows * columns):
            axes[m * rows + empty // columns, empty % columns].set_axis_off()
    axes[0, 0].set_ylim(0, 103)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=len(labels))
    style.headline(figure, style.source(dataset), f"{_note(dataset)}; a diverged run counts at chance")
    return figure


def _init_panel(ax: Axes, cell: xr.Dataset, norms: Sequence[str]) -> None:
    lines = []
    for position, norm in enumerate(norms):
        arm = cell.sel(norm=norm)
        draw_curve(ax, 100 * counted(arm, "test_accuracy"), style.arm_label(norm), **style.arm_style(position))
        dead = int((arm.status == Status.DIVERGED).sum()) if "status" in arm else 0
        if dead:
            lines.append(f"{style.arm_label(norm)}: {dead}/{int(responses.observed(arm).sum())} diverged")
        if not bool(responses.observed(arm).any()):
            lines.append(f"{style.arm_label(norm)}: no runs yet")
    if lines:
        ax.text(0.97, 0.5, "\n".join(lines), transform=ax.transAxes, ha="right", va="center", fontsize=7.5)
    _ticks(ax, cell)
