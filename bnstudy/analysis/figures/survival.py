"""How often and how soon runs get there: survival curves, performance profiles, robust width."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bnstudy.analysis import robustness
from bnstudy.analysis.figures import panels, style
from bnstudy.analysis.results import Results
from bnstudy.analysis.robustness import OFTEN, scaled_levels
from bnstudy.analysis.summaries import mean_interval
from bnstudy.analysis.tables.table import Table
from bnstudy.study.registry import figures

MOST_BANDS = 3  # arms whose bands can still be told apart


@figures.register(
    "survival",
    label="Runs still short of the target",
    caption="Share of runs whose test accuracy has not yet exceeded the target, after each epoch, for each "
    "condition (a column) and model (a row); bands are exact 95 % intervals, epoch by epoch.",
    applies=lambda results: results.runs.sizes["epoch"] > 1,
)
def survival(results: Results, ax: Axes | None = None) -> Figure:
    """A panel a (model, condition): the survival function of the time to the target, a line an arm."""
    chosen, note = panels.choose(results, by_condition=True)
    target = results.criteria.target_accuracy
    found = robustness.survival(chosen, target)
    figure, first, every = panels.by_model_and_condition(results, chosen, ax, f"not yet > {100 * target:g} %", "epoch")
    epochs = np.concatenate([[0], chosen.epoch.values])
    banded = chosen.sizes["arm"] <= MOST_BANDS
    for panel, model, condition in every:
        for position, label in enumerate(panels.labels(chosen, "arm")):
            arm = found.sel(model=model, condition=condition, arm=label)
            look = style.arm_style(position)
            share, lower, upper = (np.concatenate([[1.0], arm[name].values]) for name in ("share", "lower", "upper"))
            if banded:
                panel.fill_between(epochs, lower, upper, step="post", color=look["color"], alpha=0.15, linewidth=0)
            line = {**look, "label": style.arm_label(label, results), "markevery": style.marks(len(epochs))}
            panel.plot(epochs, share, drawstyle="steps-post", **line)
    first.set_ylim(-0.03, 1.03)
    style.legend(figure, ax, first)
    bands = "bands: exact 95 % interval" if banded else f"no bands for more than {MOST_BANDS} arms"
    note = f"{panels.seeds(chosen)} a line; {bands}; a diverged run never gets there{note}"
    return style.finish(figure, ax, style.source(results.curves), note)


@figures.register(
    "performance-profile",
    label="Performance profiles",
    caption="Share of conditions at which an arm exceeds the target within so many times the epochs of the "
    "faster arm (Dolan & Moré 2002), all conditions taken together; where a line starts is how often the arm is "
    "fastest, where it ends how often it gets there at all. Bands are 95 % t intervals over seeds.",
    applies=lambda results: results.runs.sizes["arm"] > 1 and results.runs.sizes["condition"] > 1,
)
def performance_profile(results: Results, ax: Axes | None = None) -> Figure:
    """A panel a model: share of (condition, seed) within a factor of the faster arm, a line an arm."""
    chosen, note = panels.choose(results)
    ratio = robustness.times_the_fastest(chosen, results.criteria.target_accuracy)
    models = panels.labels(chosen, "model")
    figure, axes = style.grid(1, len(models), ax, width=3.4, height=2.8, sharex=True, sharey=True)
    reached = ratio.values[np.isfinite(ratio.values)]
    most = max(2.0, reached.max(initial=1.0) * 1.1)
    within = np.unique(np.concatenate([[1.0], reached, [most]]))
    banded = chosen.sizes["arm"] <= MOST_BANDS
    for panel, model in zip(axes[0], models, strict=True):
        for position, arm in enumerate(panels.labels(chosen, "arm")):
            look = style.arm_style(position)
            found = mean_interval(robustness.profile(ratio.sel(model=model, arm=arm), within))
            band = [found[end].clip(0, 1).values for end in ("lower", "upper")]
            if banded:
                panel.fill_between(within, *band, step="post", color=look["color"], alpha=0.15, linewidth=0)
            line = {**look, "label": style.arm_label(arm, results), "markevery": style.marks(len(within))}
            panel.plot(within, found["mean"], drawstyle="steps-post", **line)
        panel.set_title(panels.title(model))
        panel.set_xlabel("times the epochs of the faster arm")
    axes[0, 0].set_xlim(0.97, most)
    axes[0, 0].set_ylim(-0.03, 1.03)
    axes[0, 0].set_ylabel("share of conditions")
    style.legend(figure, ax, axes[0, 0])
    conditions = chosen.sizes["condition"]
    bands = "band: 95 % t interval" if banded else f"no bands for more than {MOST_BANDS} arms"
    note = f"{panels.seeds(chosen)}, {conditions} conditions; line: mean over seeds, {bands}{note}"
    return style.finish(figure, ax, style.source(results.curves), note)


def width_table(results: Results) -> Table:
    """A row a (model, arm): at each scale how many runs get there, and what the scales span."""
    chosen, note = panels.choose(results)
    target, levels = results.criteria.target_accuracy, scaled_levels(chosen, "condition")
    counts = robustness.reach(chosen.sel(condition=list(levels)), target)
    widths = robustness.robust_width(chosen, target)
    rows = []
    for model, arm in product(panels.labels(chosen, "model"), panels.labels(chosen, "arm")):
        cell = counts.sel(model=model, arm=arm)
        told = [f"{int(k)}/{int(n)}" for k, n in zip(cell.reached.values, cell.n.values, strict=True)]
        rows.append((model, style.arm_label(arm, results), *told, _span(cell, widths.sel(model=model, arm=arm))))
    header = ("model", results.criteria.treatment, *(f"{scale:g}" for scale in levels.values()), "robust over")
    how = f"runs that exceed {100 * target:g} %, of how many, at each scale of the initial weights{note}"
    return Table("Robust width", header, tuple(rows), (how,), labels=2)


def _span(cell: xr.Dataset, width: xr.Dataset) -> str:
    """What the scales span at which runs get there."""
    decades = float(width.width)
    if np.isnan(decades):
        return "at no scale" if int(cell.n.max()) else "no runs yet"
    return "one scale" if decades == 0 else f"{decades:.3g} decades"


@figures.register(
    "robust-width",
    label="Robust width",
    caption=f"Scales of the initial weights at which at least {OFTEN:.0%} of the runs exceed the target (filled), and "
    "the widest stretch of neighbouring ones (bar) in decades. The true width is larger by up to the gap to the next "
    "scale. Beside each scale: runs that exceed the target, of how many.",
    applies=lambda results: len(scaled_levels(results.runs, "condition")) >= 2,
    table=width_table,
)
def robust_width(results: Results, ax: Axes | None = None) -> Figure:
    """A row a (model, arm): the scales at which runs get there, and the decades they span."""
    chosen, note = panels.choose(results)
    target = results.criteria.target_accuracy
    levels = scaled_levels(chosen, "condition")
    arms = [(model, arm) for model in panels.labels(chosen, "model") for arm in panels.labels(chosen, "arm")]
    figure, axes = style.grid(1, 1, ax, width=max(5.2, 0.75 * len(levels) + 3), height=0.42 * len(arms) + 0.7)
    panel = axes[0, 0]
    counts = robustness.reach(chosen.sel(condition=list(levels)), target)
    widths = robustness.robust_width(chosen, target)
    scales = np.array(list(levels.values()))
    every = panels.labels(chosen, "arm")
    said = []
    for row, (model, arm) in enumerate(arms):
        look = style.arm_style(every.index(arm))
        cell, width = counts.sel(model=model, arm=arm), widths.sel(model=model, arm=arm)
        _width_row(panel, row, scales, cell, width, look)
        said.append(_span(cell, width))
    panel.set_xscale("log")
    panel.set_xticks(scales, [f"{scale:g}" for scale in scales])
    panel.minorticks_off()
    panel.set_xlim(scales[0] / 2, scales[-1] * 2)
    panel.set_ylim(len(arms) - 0.4, -0.6)
    panel.set_yticks(range(len(arms)), [panels.title(model, style.arm_label(arm, results)) for model, arm in arms])
    right = panel.secondary_yaxis("right")
    right.set_yticks(range(len(arms)), said)
    right.tick_params(length=0)
    right.spines["right"].set_visible(False)
    panel.set_xlabel("scale S of the initial weights, N(0, S²·2/fan_in)")
    panel.grid(False, axis="y")
    note = (f"{panels.seeds(chosen)}; filled: at least {OFTEN:.0%} of the runs exceed {100 * target:g} % within "
            f"{int(chosen.epoch[-1])} epochs{note}")  # fmt: skip
    return style.finish(figure, ax, style.source(results.curves), note)


def _width_row(
    panel: Axes, row: int, scales: np.ndarray, cell: xr.Dataset, width: xr.Dataset, look: dict[str, Any]
) -> None:
    """One arm's scales with their counts, and the stretch where it gets there."""
    colour, marker = look["color"], look["marker"]
    if not np.isnan(float(width.width)):
        panel.plot([float(width.lowest), float(width.highest)], [row, row], color=colour, linewidth=5, alpha=0.35,
                   solid_capstyle="round")  # fmt: skip
    for scale, reached, n, share in zip(scales, cell.reached.values, cell.n.values, cell.share.values, strict=True):
        if n:
            face = colour if share >= OFTEN - 1e-9 else "white"
            panel.plot(scale, row, marker, color=colour, markerfacecolor=face, markersize=7)
            panel.annotate(f"{int(reached)}/{int(n)}", (scale, row), (0, 7), textcoords="offset points", ha="center",
                           fontsize=7)  # fmt: skip
