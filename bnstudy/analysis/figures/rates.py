"""Is it the learning rate: final accuracy and what a norm gains, against it."""

from __future__ import annotations

from itertools import product

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bnstudy.analysis import responses
from bnstudy.analysis.assessment import PLAIN
from bnstudy.analysis.figures import effects, panels, style
from bnstudy.analysis.responses import Response
from bnstudy.analysis.results import Results
from bnstudy.analysis.summaries import mean_interval
from bnstudy.study.registry import figures

MOST_COLUMNS = 6  # of models and norms
MOST_INITS = 8  # lines


def _has_rates(dataset: xr.Dataset) -> bool:
    return dataset.sizes["lr"] > 1 and bool((dataset.lr > 0).all())


def _rate_axis(panel: Axes, dataset: xr.Dataset) -> tuple[np.ndarray, float]:
    """An x axis of learning rates, log10; where each stands, and the least distance between two."""
    places = np.log10(dataset.lr.values)
    panel.set_xticks(places, [f"{lr:g}" for lr in dataset.lr.values])
    panel.grid(False, axis="x")
    return places, float(np.diff(places).min())


@figures.register(
    "accuracy-by-rate",
    label="Final accuracy against learning rate",
    caption="Final test accuracy against the learning rate, for each initialization (a column) and model (a row), an "
    "arm a line; ringed, the rate that validation accuracy selects for the arm there.",
    applies=_has_rates,
)
def accuracy_by_rate(results: Results, ax: Axes | None = None) -> Figure:
    """A panel a (model, init): mean and 95 % t interval against learning rate, a line an arm."""
    chosen, note = panels.choose(results, by_init=True, rates=True)
    accuracy = mean_interval(100 * responses.final(chosen, "test_accuracy"))
    best = results.selected_rates if results.can_select else None
    figure, first, every = panels.by_model_and_init(chosen, ax, "final test accuracy (%)", "learning rate")
    norms = panels.labels(chosen, "norm")
    for panel, model, init in every:
        places, step = _rate_axis(panel, chosen)
        shifts = panels.offsets(len(norms), 0.3 * step / len(norms))
        for position, (norm, shift) in enumerate(zip(norms, shifts, strict=True)):
            arm = accuracy.sel(model=model, init=init, norm=norm).transpose("lr")
            half = (arm["upper"] - arm["mean"]).fillna(0.0).values
            look = style.arm_style(position)
            label = style.arm_label(norm)
            panel.errorbar(places + shift, arm["mean"], yerr=half, label=label, capsize=2.5, markersize=5, **look)
            if best is not None:
                lr = best.sel(model=model, init=init, norm=norm, optimizer=chosen.optimizer)
                there = chosen.lr.values == lr.item()
                panel.plot((places + shift)[there], arm["mean"].values[there], "o", color=look["color"],
                           markerfacecolor="none", markersize=11)  # fmt: skip
    first.set_ylim(0, 104)
    style.legend(figure, ax, first)
    ring = "" if best is None else "; ringed: the rate validation selects"
    note = f"{panels.seeds(chosen)}; bars: 95 % t interval; a diverged run counts at chance{ring}{note}"
    return style.finish(figure, ax, style.source(results.dataset), note)


@figures.register(
    "effect-by-rate",
    label="What the norm gains against learning rate",
    caption="Epochs saved and final accuracy gained over the same network without a norm, against the learning rate, a "
    "line an initialization; at the right, each arm at the rate its validation accuracy selects. Bars are 95 % t "
    "intervals over paired seeds; the hatched band is the margin that counts as none.",
    applies=lambda dataset: _has_rates(dataset) and effects.is_comparison(dataset),
)
def effect_by_rate(results: Results, ax: Axes | None = None) -> Figure:
    """Epochs saved above accuracy gained, a column a model and norm, a line an init; mean and 95 % interval."""
    chosen, note = panels.choose(results, rates=True)
    inits = panels.labels(chosen, "init")
    if len(inits) > MOST_INITS:
        note += f"; the first {MOST_INITS} of {len(inits)} inits"
        inits = inits[:MOST_INITS]
    arms = list(product(panels.labels(chosen, "model"), [n for n in panels.labels(chosen, "norm") if n != PLAIN]))
    if len(arms) > MOST_COLUMNS:
        note += f"; the first {MOST_COLUMNS} of {len(arms)} models and norms"
        arms = arms[:MOST_COLUMNS]
    at = {"optimizer": chosen.optimizer.item()}
    fixed = results.assessment.sel(at).sortby("lr")
    selected = results.at_selected_rates.assessment.sel(at) if results.can_select else None
    figure, axes = style.grid(2, len(arms), ax, width=3.6, height=2.6, sharex=True, sharey="row")
    for row, response in enumerate(effects.SHOWN):
        for panel, (model, norm) in zip(axes[row], arms, strict=True):
            cell = {"model": model, "norm": norm, "init": inits, "response": response.name}
            effects.effect_axis(panel, results.criteria, response)
            _rate_panel(panel, chosen, fixed.sel(cell), None if selected is None else selected.sel(cell), response)
            panel.tick_params(labelbottom=row == 1)
    for column, (model, norm) in enumerate(arms):
        axes[0, column].set_title(panels.title(model, style.arm_label(norm)))
        axes[1, column].set_xlabel("learning rate")
    axes[0, 0].set_ylabel("epochs saved")
    axes[1, 0].set_ylabel("points of final accuracy\ngained (log beyond 1)")
    style.legend(figure, ax, axes[0, 0])
    goal = f"{100 * results.criteria.target:g} %"
    note = (f"{panels.seeds(chosen)}, paired; bars: 95 % t interval; hatched: counts as no effect; "
            f"{effects.marked(goal)}{note}")  # fmt: skip
    return style.finish(figure, ax, style.source(results.dataset), note)


def _rate_panel(
    panel: Axes, dataset: xr.Dataset, fixed: xr.Dataset, selected: xr.Dataset | None, response: Response
) -> None:
    """Effects of one model and norm over init and lr: a line an init, and the selected rates at the right."""
    places, step = _rate_axis(panel, dataset)
    aside = places[-1:] + 1.2 * step
    if selected is not None:
        panel.set_xticks([*places, *aside], [*(f"{lr:g}" for lr in dataset.lr.values), "selected"])
        panel.axvline(float(aside[0]) - 0.6 * step, color="#888888", linewidth=0.8)
    roles, inits = panels.roles(dataset), panels.labels(fixed, "init")
    shifts = panels.offsets(len(inits), 0.5 * step / len(inits))
    for position, (init, shift) in enumerate(zip(inits, shifts, strict=True)):
        look = style.arm_style(position)
        label = style.shorten(init, 24) + (f" ({roles[init]})" if roles[init] else "")
        effects.draw_effects(panel, places + shift, fixed.sel(init=init), response, look, label, joined=True)
        if selected is not None:
            effects.draw_effects(panel, aside + shift, selected.sel(init=init), response, look, None, joined=False)
