"""Epochs to the target, seed by seed."""

from __future__ import annotations

from itertools import product

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bnstudy.analysis import responses
from bnstudy.analysis.figures import panels, style
from bnstudy.analysis.results import Results
from bnstudy.analysis.tables.table import Table
from bnstudy.study.registry import figures

GREY = "#8a8a8a"


def epochs_table(results: Results) -> Table:
    """A row a (model, setting, condition): in each arm the median epoch, and how many of the runs get there."""
    runs, target = results.runs, results.criteria.target_accuracy
    crossing = responses.epochs_to_target(runs, target)
    epochs = crossing.epochs.where(crossing.reached | crossing.epochs.isnull(), np.inf)
    varied = [name for name in ("model", "setting") if runs.sizes[name] > 1 or runs[name].values[0]]
    arms = panels.labels(runs, "arm")
    rows = []
    for levels in product(*(panels.labels(runs, name) for name in ("model", "setting", "condition"))):
        of = dict(zip(("model", "setting", "condition"), levels, strict=True))
        told = []
        for arm in arms:
            values = epochs.sel({**of, "arm": arm}).values
            values = values[~np.isnan(values)]
            told.append(_median(values) if len(values) else "no runs yet")
        rows.append((*(of[name] for name in varied), of["condition"], *told))
    header = (*varied, results.criteria.condition, *(style.arm_label(arm, results) for arm in arms))
    note = "median epoch; in brackets, how many of how many runs get there"
    return Table(f"Epochs to > {100 * target:g} %", header, tuple(rows), (note,), labels=len(varied) + 1)


def _median(epochs: np.ndarray) -> str:
    middle = np.quantile(epochs, 0.5, method="higher")  # half of the runs are there by then
    return f"{'never' if np.isinf(middle) else f'{middle:g}'} ({int(np.isfinite(epochs).sum())}/{len(epochs)})"


@figures.register(
    "paired-seeds",
    label="Epochs to the target, seed by seed",
    caption="Epochs until test accuracy exceeds the target, for each condition; a line joins the runs of one "
    "seed, which see the same batches and, where the arms draw alike, start from the same random numbers. Hollow: "
    "never within the epochs trained.",
    applies=lambda results: results.runs.sizes["arm"] > 1,
    table=epochs_table,
)
def paired_seeds(results: Results, ax: Axes | None = None) -> Figure:
    """A row a model, a group a condition: each seed's epochs to the target in every arm, joined by a line."""
    chosen, note = panels.choose(results)
    models, conditions, arms = (panels.labels(chosen, name) for name in ("model", "condition", "arm"))
    turned = len(conditions) > 6  # labels, or they would need more room than the runs
    longest = 0 if turned else max(len(style.shorten(label, 20)) for label in conditions)
    width = max(4.2, max(0.34 * len(arms) + 0.45, 0.085 * longest + 0.2) * len(conditions))
    figure, axes = style.grid(len(models), 1, ax, width=width, height=2.4, sharex=True)
    target = results.criteria.target_accuracy
    last = int(chosen.epoch[-1])
    crossing = responses.epochs_to_target(chosen, target)
    places = np.arange(len(conditions))[:, None] + panels.offsets(len(arms), 0.8 / len(arms))
    note = panels.some_seeds(chosen.sizes["seed"]) + note
    crossing = crossing.isel(seed=slice(panels.MOST_SEEDS))
    epochs = crossing.epochs.where(crossing.reached | crossing.epochs.isnull(), panels.never(last))
    spread = _spread(crossing.sizes["seed"], 0.16 / len(arms))
    names = [style.arm_label(arm, results) for arm in arms]
    for panel, model in zip(axes[:, 0], models, strict=True):
        _pairs_panel(panel, epochs.sel(model=model), crossing.reached.sel(model=model), names, places, spread)
        panels.never_ticks(panel, last)
        panel.set_ylim(0, panels.never(last) * 1.06)
        panel.set_title(panels.title(model))
        panel.set_ylabel(f"epochs to > {100 * target:g} %")
        panel.grid(False, axis="x")
        for edge in np.arange(len(conditions) - 1) + 0.5:
            panel.axvline(edge, color="#dddddd", linewidth=0.8)
    told = panels.conditions_told(results, conditions, 20)
    ticks = told if turned else [text.replace(" (", "\n(") for text in told]
    tilt = {"rotation": 25, "ha": "right", "rotation_mode": "anchor"} if turned else {}
    axes[-1, 0].set_xticks(range(len(conditions)), ticks, **tilt)
    axes[-1, 0].set_xlim(-0.6, len(conditions) - 0.4)
    style.legend(figure, ax, axes[0, 0])
    note = f"{panels.seeds(chosen)}; a line joins one seed's runs; hollow: never in {last} epochs, or diverged{note}"
    return style.finish(figure, ax, style.source(results.curves), note)


def _spread(seeds: int, width: float) -> np.ndarray:
    """Small shifts that keep equal runs of several seeds apart."""
    return panels.offsets(seeds, 2 * width / max(seeds - 1, 1))


def _pairs_panel(
    panel: Axes,
    epochs: xr.DataArray,
    reached: xr.DataArray,
    names: list[str],
    places: np.ndarray,
    spread: np.ndarray,
) -> None:
    values = epochs.transpose("condition", "arm", "seed").values
    filled = reached.transpose("condition", "arm", "seed").values
    for group, at in zip(values, places, strict=True):
        panel.plot(at[:, None] + spread, group, color=GREY, linewidth=0.7, zorder=1)
    for position, name in enumerate(names):
        look = style.arm_style(position)
        at = places[:, position, None] + spread
        for hit, face in ((True, look["color"]), (False, "white")):
            shown = filled[:, position] == hit
            panel.plot(at[shown], values[:, position][shown], look["marker"], color=look["color"], markerfacecolor=face,
                       markersize=4, label=name if hit else None, zorder=2)  # fmt: skip
