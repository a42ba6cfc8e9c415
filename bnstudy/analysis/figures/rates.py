"""Is it the learning rate: final accuracy and what a treatment gains, against it."""

from __future__ import annotations

from itertools import product

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bnstudy.analysis import responses
from bnstudy.analysis.figures import gains, panels, style
from bnstudy.analysis.labels import condition_label
from bnstudy.analysis.results import Results
from bnstudy.analysis.summaries import mean_interval
from bnstudy.study.registry import figures

MOST_COLUMNS = 6  # of models and treated arms
MOST_LINES = 8  # conditions


def _has_rates(results: Results) -> bool:
    return len(panels.rates_of(results.runs)) > 1


def _rate_axis(panel: Axes, rates: np.ndarray) -> tuple[np.ndarray, float]:
    """An x axis of learning rates, log10; where each stands, and the least distance between two."""
    places = np.log10(rates)
    panel.set_xticks(places, [f"{lr:g}" for lr in rates])
    panel.grid(False, axis="x")
    return places, float(np.diff(places).min())


@figures.register(
    "accuracy-by-rate",
    label="Final accuracy against learning rate",
    caption="Final test accuracy against the learning rate, for each condition (a column) and model (a row), an "
    "arm a line; ringed, the rate that validation selects for most seeds of the arm there.",
    applies=_has_rates,
)
def accuracy_by_rate(results: Results, ax: Axes | None = None) -> Figure:
    """A panel a (model, condition): mean and 95 % t interval against learning rate, a line an arm."""
    chosen, note = panels.choose(results, by_condition=True, rates=True)
    accuracy = mean_interval(100 * responses.final(chosen, "test_accuracy"))
    best = _usual_rates(results, chosen) if results.can_select else None
    figure, first, every = panels.by_model_and_condition(
        results, chosen, ax, "final test accuracy (%)", "learning rate"
    )
    arms = panels.labels(chosen, "arm")
    for panel, model, condition in every:
        places, step = _rate_axis(panel, chosen.lr.values)
        shifts = panels.offsets(len(arms), 0.3 * step / len(arms))
        for position, (arm, shift) in enumerate(zip(arms, shifts, strict=True)):
            of = accuracy.sel(model=model, condition=condition, arm=arm).transpose("lr")
            half = (of["upper"] - of["mean"]).fillna(0.0).values
            look = style.arm_style(position)
            label = style.arm_label(arm, results)
            panel.errorbar(places + shift, of["mean"], yerr=half, label=label, capsize=2.5, markersize=5, **look)
            if best is not None:
                there = chosen.lr.values == best.sel(model=model, condition=condition, arm=arm).item()
                panel.plot((places + shift)[there], of["mean"].values[there], "o", color=look["color"],
                           markerfacecolor="none", markersize=11)  # fmt: skip
    first.set_ylim(0, 104)
    style.legend(figure, ax, first)
    ring = "" if best is None else "; ringed: the rate validation selects for most seeds"
    note = f"{panels.seeds(chosen)}; bars: 95 % t interval; a diverged run counts at chance{ring}{note}"
    return style.finish(figure, ax, style.source(results.curves), note)


def _usual_rates(results: Results, chosen: xr.Dataset) -> xr.DataArray:
    """The rate that validation selects for most seeds, the smallest of those that tie; over model, condition, arm."""
    selected = results.at_selected_rates.runs.selected_lr.isel(setting=0)
    counts = xr.concat([(selected == lr).sum("seed") for lr in chosen.lr.values], "lr").assign_coords(
        lr=chosen.lr.values
    )
    return counts.idxmax("lr")


@figures.register(
    "gain-by-rate",
    label="What the treatment gains against learning rate",
    caption="Median gain in halvings of the error against the learning rate, a line a condition; at the right, each "
    "run at the rate that validation selects by the other seeds. Bars are exact 95 % intervals over paired seeds; the "
    "hatched band counts as none.",
    applies=lambda results: _has_rates(results) and gains.is_comparison(results),
)
def gain_by_rate(results: Results, ax: Axes | None = None) -> Figure:
    """A panel a (model, treated arm): median gain and interval against learning rate, a line a condition."""
    chosen, note = panels.choose(results, rates=True)
    conditions = panels.labels(chosen, "condition")
    if len(conditions) > MOST_LINES:
        note += f"; the first {MOST_LINES} of {len(conditions)} conditions"
        conditions = conditions[:MOST_LINES]
    treated = [arm for arm in panels.labels(chosen, "arm") if arm != results.criteria.control]
    columns = list(product(panels.labels(chosen, "model"), treated))
    if len(columns) > MOST_COLUMNS:
        note += f"; the first {MOST_COLUMNS} of {len(columns)} models and arms"
        columns = columns[:MOST_COLUMNS]
    fixed = results.assessment.isel(setting=panels.rates_of(results.runs))
    selected = results.at_selected_rates.assessment.isel(setting=[0]) if results.can_select else None
    figure, axes = style.grid(1, len(columns), ax, width=3.8, height=3.2, sharex=True, sharey=True)
    for panel, (model, arm) in zip(axes[0], columns, strict=True):
        gains.gain_axis(panel, results.criteria.margin)
        cell = {"model": model, "arm": arm, "condition": conditions}
        _rate_panel(panel, results, chosen.lr.values, fixed.sel(cell), None if selected is None else selected.sel(cell))
        panel.set_title(panels.title(model, style.arm_label(arm, results)))
        panel.set_xlabel("learning rate")
    axes[0, 0].set_ylabel(f"gain ({gains.UNIT})")
    style.legend(figure, ax, axes[0, 0])
    note = f"{panels.seeds(chosen)}, paired; median, bars: 95 % interval; hatched: counts as none{note}"
    return style.finish(figure, ax, style.source(results.curves), note)


def _rate_panel(
    panel: Axes, results: Results, rates: np.ndarray, fixed: xr.Dataset, selected: xr.Dataset | None
) -> None:
    """Gains of one model and arm over setting and condition: a line a condition, the selected rates at the right."""
    places, step = _rate_axis(panel, rates)
    aside = places[-1:] + 1.2 * step
    if selected is not None:
        panel.set_xticks([*places, *aside], [*(f"{lr:g}" for lr in rates), "selected"])
        panel.axvline(float(aside[0]) - 0.6 * step, color="#888888", linewidth=0.8)
    roles, conditions = panels.roles(results), panels.labels(fixed, "condition")
    shifts = panels.offsets(len(conditions), 0.5 * step / len(conditions))
    for position, (condition, shift) in enumerate(zip(conditions, shifts, strict=True)):
        look = style.arm_style(position)
        named = style.shorten(condition_label(condition, results.criteria.condition), 24)
        label = named + (f" ({roles[condition]})" if roles[condition] else "")
        gains.draw_gains(panel, places + shift, fixed.sel(condition=condition), look, label, joined=True)
        if selected is not None:
            gains.draw_gains(panel, aside + shift, selected.sel(condition=condition), look, None, joined=False)
