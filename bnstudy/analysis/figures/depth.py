"""Theory beside measurement: which depths and scales train, and how signals and gradients grow a layer."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from bnstudy.analysis import responses, theory
from bnstudy.analysis.figures import panels, style
from bnstudy.analysis.normal_form import FIRST
from bnstudy.analysis.results import Results
from bnstudy.analysis.robustness import scaled_levels
from bnstudy.analysis.summaries import mean_interval
from bnstudy.analysis.theory import Growth
from bnstudy.study.registry import figures


def _has_plane(dataset: xr.Dataset) -> bool:
    return len(theory.depths(dataset)) > 2 and len(scaled_levels(dataset)) > 2


@figures.register(
    "phase-diagram",
    label="Which depths and scales train",
    caption="Final test accuracy over the scale of the initial weights and the number of hidden layers, with what "
    "theory predicts: without a norm signals keep within a factor e^6 below the line (six times the depth scale "
    "1/|ln S²|, edge of chaos at S = 1); with Batch Normalization the scale has no part in it, and gradients grow by "
    "1.48 a layer (squared, 100 samples a batch), which about 50 layers end.",
    applies=lambda results: _has_plane(results.dataset),
)
def phase_diagram(results: Results, ax: Axes | None = None) -> Figure:
    """A panel a norm; a cell is the mean of its seeds. The lines are theory's alone, nothing is fitted."""
    chosen = results.dataset.isel(FIRST)
    depths, scales = theory.depths(chosen), scaled_levels(chosen)
    norms = panels.labels(chosen, "norm")[: panels.MOST["arm"]]
    accuracy = mean_interval(100 * responses.final(chosen, "test_accuracy"))["mean"]
    accuracy = accuracy.sel(model=list(depths), init=list(scales)).transpose("norm", "model", "init")
    figure, axes = style.grid(1, len(norms), ax, width=4.2, height=3.6, sharex=True, sharey=True)
    logs = np.log10(list(scales.values()))
    for panel, norm in zip(axes[0], norms, strict=True):
        values = accuracy.sel(norm=norm).values
        image = panel.imshow(values, cmap="cividis", vmin=0, vmax=100, aspect="auto", origin="lower")
        for (row, column), value in np.ndenumerate(values):
            text = "–" if math.isnan(value) else f"{value:.0f}"
            ink = "black" if math.isnan(value) else style.ink_on(image, value)
            panel.text(column, row, text, ha="center", va="center", fontsize=8, color=ink)
        panel.set_title(style.arm_label(norm))
        panel.set_xticks(range(len(scales)), [f"{scale:g}" for scale in scales.values()])
        panel.set_yticks(range(len(depths)), [str(depth) for depth in depths.values()])
        panel.set_xlabel("scale S of the initial weights, N(0, S²·2/fan_in)")
        panel.grid(False)
        _predict(panel, norm, logs, list(depths.values()))
    axes[0, 0].set_ylabel("hidden layers")
    bar = figure.colorbar(image, ax=list(axes[0]), fraction=0.05)
    bar.set_label("final test accuracy (%)")
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    bar.ax.yaxis.set_minor_locator(NullLocator())
    right, cells = theory.agreement(chosen, theory.PLAIN) if theory.PLAIN in norms else (0, 0)
    told = f"; without BN {right} of {cells} cells end above or below half-way as their side of the line says"
    note = f"{panels.seeds(chosen)}; lines: theory, not fitted{told if cells else ''}"
    return style.finish(figure, ax, style.source(results.curves), note)


def _predict(panel: Axes, norm: str, logs: np.ndarray, depths: list[int]) -> None:
    """The line beyond which theory expects no training, on axes whose places are cells."""
    places, rows = np.arange(len(logs)), np.arange(len(depths))
    if norm == theory.PLAIN:
        fine = np.linspace(-0.5, len(logs) - 0.5, 2000)
        scales = 10 ** np.interp(fine, places, logs, left=logs[0], right=logs[-1])
        limits = np.array([min(theory.trainable_depth(scale), 10.0 * depths[-1]) for scale in scales])
        heights = np.interp(np.log(limits), np.log(depths), rows, left=-0.5, right=len(rows) - 0.5)
        panel.plot(fine, heights, color="white", linewidth=3.5)
        panel.plot(fine, heights, color="black", linewidth=1.5, label="6 / |ln S²| layers")
    elif norm == theory.BN:
        height = np.interp(math.log(theory.BN_DEPTH), np.log(depths), rows, left=math.nan, right=math.nan)
        panel.axhline(height, color="white", linewidth=3.5)
        panel.axhline(height, color="black", linewidth=1.5, label=f"{theory.BN_DEPTH} layers")
    else:
        return
    panel.legend(loc="lower left", fontsize=8, framealpha=0.9)


@figures.register(
    "accuracy-by-depth",
    label="Accuracy against depth",
    caption="Final test accuracy of MLPs of equal widths against the number of hidden layers; mean of the seeds with a "
    "95 % t interval, the seeds beside it. With Batch Normalization gradients grow towards the input by 1.48 a layer "
    "(squared, 100 samples a batch), which about 50 layers end (Yang et al. 2019).",
    applies=lambda results: len(theory.depths(results.dataset)) > 2,
)
def accuracy_by_depth(results: Results, ax: Axes | None = None) -> Figure:
    """One panel, a line a norm; at the reference init."""
    chosen = results.at_reference
    depths = theory.depths(chosen)
    accuracy = (100 * responses.final(chosen, "test_accuracy")).sel(model=list(depths))
    around = mean_interval(accuracy)
    figure, axes = style.grid(1, 1, ax, width=5.6, height=3.4)
    panel = axes[0, 0]
    norms = panels.labels(chosen, "norm")[: panels.MOST["arm"]]
    places = np.array(list(depths.values()), dtype=float)
    for position, norm in enumerate(norms):
        arm, look = around.sel(norm=norm), style.arm_style(position)
        half = [arm["mean"] - arm.lower, arm.upper - arm["mean"]]
        panel.errorbar(places, arm["mean"], np.nan_to_num(half), label=style.arm_label(norm), capsize=2.5, **look)
        seeds = accuracy.sel(norm=norm).transpose("model", "seed").values[:, : panels.MOST_SEEDS]
        panel.plot(np.repeat(places * 1.015, seeds.shape[1]), seeds.ravel(), "_", color=look["color"], markersize=5)
    if theory.BN in norms:
        panel.axvline(theory.BN_DEPTH, color="black", linewidth=1, linestyle=":",
                      label=f"{theory.BN_DEPTH} layers: limit with BN of Yang et al. 2019")  # fmt: skip
    panel.set_xscale("log")
    panel.set_xticks(places, [f"{place:g}" for place in places])
    panel.xaxis.set_minor_locator(NullLocator())
    panel.set_ylim(0, 102)
    panel.set_xlabel("hidden layers")
    panel.set_ylabel("final test accuracy (%)")
    panel.legend(fontsize=8, loc="lower left")
    init = style.shorten(str(chosen.init.values), 30)
    return style.finish(figure, ax, style.source(results.curves), f"{panels.seeds(chosen)}; {init}")


def growth_figure(rows: list[Growth], source: str) -> Figure:
    """Growth a layer at initialization against the scale: the signal's without a norm, the gradient's with BN.

    Where there is one scale alone, against the number of hidden layers.

    Parameters
    ----------
    rows : list of Growth
        Of :func:`bnstudy.analysis.theory.growths`.
    source : str
        What they are of, as a title.
    """
    kinds = [kind for kind in ("signal", "gradient") if any(one.what == kind for one in rows)]
    by_depth = len({one.scale for one in rows}) == 1 and len({one.depth for one in rows}) > 1
    figure, axes = style.grid(1, len(kinds), width=4.4, height=3.2)
    for panel, kind in zip(axes[0], kinds, strict=True):
        shown = [one for one in rows if one.what == kind]
        where = {one: float(one.depth) if by_depth else one.scale for one in shown}
        if kind == "signal":
            panel.set_title("without BN: mean square of the signal")
            line = np.geomspace(min(where.values()) / 1.2, max(where.values()) * 1.2, 100)
            predicted = np.full(100, shown[0].predicted) if by_depth else theory.signal_growth(line)
            panel.plot(line, predicted, color="black", linewidth=1, label="theory: S²")
        else:
            panel.set_title("with BN: squared gradient norm")
            for batch in dict.fromkeys(one.batch for one in shown):
                growth = theory.gradient_growth(batch)
                panel.axhline(growth, color="black", linewidth=1, linestyle="-" if batch > 50 else "--",
                              label=f"theory: {growth:.3f} ({batch} samples a batch)")  # fmt: skip
        groups = list(dict.fromkeys(_group(one, by_depth) for one in shown))[: panels.MOST["model"]]
        for position, group in enumerate(groups):
            mine = [one for one in shown if _group(one, by_depth) == group]
            aside = 1 + (0.02 if kind == "signal" else 0.06) * (position - (len(groups) - 1) / 2)
            look = style.arm_style(position)
            ends = [one.measured - one.low for one in mine], [one.high - one.measured for one in mine]
            panel.errorbar(
                [where[one] * aside for one in mine], [one.measured for one in mine], np.nan_to_num(ends),
                color=look["color"], marker=look["marker"], linestyle="none", capsize=3, label=f"measured: {group}",
            )  # fmt: skip
        places = sorted(set(where.values()))
        crowded = not by_depth and any(later < 1.3 * earlier for earlier, later in pairwise(places))
        panel.set_xscale("log")
        panel.set_xticks(places, [f"{place:g}" for place in places], rotation=60 if crowded else 0)
        panel.xaxis.set_minor_locator(NullLocator())
        panel.set_xlabel("hidden layers" if by_depth else "scale S of the initial weights")
        predictions = sorted({one.predicted for one in shown})
        if kind == "signal" and not by_depth:
            panel.set_yscale("log")
            panel.set_yticks(predictions, [f"{value:.3g}" for value in predictions])
            panel.yaxis.set_minor_locator(NullLocator())
        else:
            values = [*(one.measured for one in shown), *predictions]
            panel.set_ylim(min(values) - 0.08, max(values) + 0.22)
        panel.legend(fontsize=7)
    axes[0, 0].set_ylabel("factor a layer")
    n = max(one.n for one in rows)
    return style.finish(figure, None, source, f"n = {n} seeds: mean of logarithms and 95 % t interval; epoch 0")


def _group(one: Growth, by_depth: bool) -> str:
    """What a growth is drawn together with."""
    return f"{one.batch} samples" if by_depth else f"{panels.model_name(one.model)}, {one.batch} samples"
