"""Curves over epochs."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from bnstudy.analysis import responses
from bnstudy.analysis.figures import panels, style
from bnstudy.analysis.results import Judged, Results
from bnstudy.analysis.summaries import mean_interval
from bnstudy.study.registry import figures

MOST_ARMS = 12  # columns of the report's panels
REPORTED = ("none", "batch")  # norms in them


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
    values = values.transpose("seed", "epoch")
    summary = mean_interval(values)
    epochs = values.epoch.values
    ax.plot(epochs, summary["mean"], label=label, markevery=style.marks(len(epochs)), **line)
    if values.sizes["seed"] > 1 and bool(values.notnull().any()):
        lowest, highest = values.min("seed"), values.max("seed")
        ax.fill_between(epochs, lowest, highest, color=line.get("color"), alpha=0.2, linewidth=0)


def _note(dataset: xr.Dataset) -> str:
    spread = "so no spread is shown" if dataset.sizes["seed"] == 1 else "line: mean, band: lowest to highest seed"
    return f"{panels.seeds(dataset)}, {spread}"


def _ticks(panel: Axes, dataset: xr.Dataset) -> None:
    panel.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    last = int(dataset.epoch[-1])
    panel.set_xlim(0.5 if last < 10 else 0, last + max(0.5, last / 50))


@figures.register(
    "report-panels",
    label="Loss and accuracy at the reference",
    caption="Loss and accuracy over the epochs, training and test, for each model and arm at the reference: of the MLP "
    "and the CNN with and without BN the eight panels of the report.",
    applies=lambda results: True,
)
def report_panels(results: Results, ax: Axes | None = None) -> Figure:
    """Loss (log scale) above accuracy, training and test, a column a (model, norm), at the reference init."""
    chosen, note = panels.choose(results)
    conditions = panels.labels(chosen, "condition")
    reference = results.criteria.reference
    condition = reference if reference in conditions else conditions[0]
    chosen = chosen.sel(condition=condition)
    norms = panels.labels(chosen, "arm")
    if len(norms) > len(REPORTED):
        norms = [norm for norm in REPORTED if norm in norms] or norms[: len(REPORTED)]
        note += f"; of {chosen.sizes['arm']} norms {' and '.join(style.shorten(norm) for norm in norms)}"
    arms = list(product(panels.labels(chosen, "model"), norms))[:MOST_ARMS]
    losses = any(name in chosen for name in ("train_loss", "test_loss"))
    measured = ["loss", "accuracy"] if losses else ["accuracy"]
    figure, axes = style.grid(len(measured), len(arms), ax, sharex="col", sharey="row")
    target = results.criteria.target_accuracy
    for column, (model, norm) in enumerate(arms):
        for panel, name in zip(axes[:, column], measured, strict=True):
            _both_parts(panel, chosen.sel(model=model, arm=norm), name)
        axes[0, column].set_title(panels.title(model, style.arm_label(norm, results)))
        axes[-1, column].set_xlabel("epoch")
        axes[-1, column].axhline(100 * target, color="#666666", linewidth=0.8, linestyle=":")
    if losses:
        _log_scale(axes[0], chosen)
        axes[0, 0].set_ylabel("cross-entropy (nat)")
    axes[-1, 0].set_ylabel("accuracy (%)")
    axes[-1, 0].set_ylim(*_accuracy_range(chosen))
    axes[0, 0].legend(loc="best")
    note = f"{_note(chosen)}; dotted: target {100 * target:g} %{note}"
    return style.finish(
        figure, ax, f"{style.source(results.curves)}, {results.criteria.condition} {style.shorten(condition)}", note
    )


def _both_parts(panel: Axes, arm: xr.Dataset, name: str) -> None:
    for position, (part, label) in enumerate((("train", "training"), ("test", "test"))):
        if f"{part}_{name}" in arm:
            values = (100 if name == "accuracy" else 1) * responses.counted(arm, f"{part}_{name}")
            draw_curve(panel, values, label, **style.arm_style(position))
    _ticks(panel, arm)


def _log_scale(row: np.ndarray, chosen: xr.Dataset) -> None:
    if any(bool((chosen[name] > 0).any()) for name in ("train_loss", "test_loss") if name in chosen):
        for panel in row:
            panel.set_yscale("log", nonpositive="mask")
            panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            panel.yaxis.set_minor_formatter(NullFormatter())


def _accuracy_range(chosen: xr.Dataset) -> tuple[float, float]:
    """Up to 100 %: from just under the lowest final accuracy if that is high, else from 0."""
    finals = [responses.final(chosen, f"{part}_accuracy") for part in ("train", "test") if f"{part}_accuracy" in chosen]
    lowest = min((float(values.min()) for values in finals if bool(values.notnull().any())), default=0.0)
    lower = min(95.0, 100 * lowest - 3) if lowest > 0.8 else 0.0
    return lower, 100 + (100 - lower) / 40


@figures.register(
    "accuracy-curves",
    label="Test accuracy by condition",
    caption="Test accuracy over the epochs for each condition (a column) and model (a row), an arm a line.",
    applies=lambda results: results.runs.sizes["condition"] > 1,
)
def accuracy_curves(results: Results, ax: Axes | None = None) -> Figure:
    """A panel a (model, condition); the arms as lines; diverged runs count at chance and are named."""
    chosen, note = panels.choose(results, by_condition=True)
    figure, first, every = panels.by_model_and_condition(results, chosen, ax, "test accuracy (%)", "epoch")
    for panel, model, condition in every:
        _condition_panel(panel, results, chosen.sel(model=model, condition=condition))
    first.set_ylim(0, 103)
    style.legend(figure, ax, first)
    return style.finish(
        figure, ax, style.source(results.curves), f"{_note(chosen)}; a diverged run counts at chance{note}"
    )


def _condition_panel(panel: Axes, results: Results, cell: xr.Dataset) -> None:
    lines = []
    for position, label in enumerate(panels.labels(cell, "arm")):
        arm, name = cell.sel(arm=label), style.arm_label(label, results)
        draw_curve(panel, 100 * responses.counted(arm, "test_accuracy"), name, **style.arm_style(position))
        seen, dead = int(responses.observed(arm).sum()), int(responses.diverged(arm).sum())
        if dead:
            lines.append(f"{name}: {dead}/{seen} diverged")
        if not seen:
            lines.append(f"{name}: no runs yet")
    if lines:
        white = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
        panel.text(
            0.97, 0.5, "\n".join(lines), transform=panel.transAxes, ha="right", va="center", fontsize=7.5, bbox=white
        )
    _ticks(panel, cell)


@figures.register(
    "error-curves",
    label="The error, from which scores are made",
    caption="log2 of the error over the training for each condition (a column) and model (a row), an arm a line: its "
    "mean over the training is a run's score, and 1 less is half the error. Line: mean over seeds; band: lowest to "
    "highest.",
    applies=lambda results: results.runs.sizes["epoch"] > 1,
    of_scores=True,
)
def error_curves(results: Judged, ax: Axes | None = None) -> Figure:
    """A panel a (model, condition); the arms as lines."""
    chosen, note = panels.choose(results, by_condition=True)
    errors = results.log_errors.isel(setting=0).sel(model=chosen.model)
    step = "epoch" if isinstance(results, Results) else "step"
    figure, first, every = panels.by_model_and_condition(results, chosen, ax, "log2 of the error", step)
    for panel, model, condition in every:
        for position, arm in enumerate(panels.labels(chosen, "arm")):
            values = errors.sel(model=model, condition=condition, arm=arm)
            draw_curve(panel, values, style.arm_label(arm, results), **style.arm_style(position))
    style.legend(figure, ax, first)
    return style.finish(figure, ax, style.source(results.runs), f"{_note(chosen)}{note}")
