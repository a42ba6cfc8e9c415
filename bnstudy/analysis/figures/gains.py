"""What a treatment gains: condition by condition, as a forest of all verdicts, and as a map."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bnstudy.analysis.assessment import cells
from bnstudy.analysis.figures import panels, style
from bnstudy.analysis.labels import arm_label, treatment_name
from bnstudy.analysis.results import Judged
from bnstudy.analysis.tables.table import Table
from bnstudy.analysis.tables.verdicts import interval, plain, verdict_table, word
from bnstudy.study.registry import figures

FIRST = ("gain-by-rate", "gain-by-condition", "forest")  # to look at: the first of them that applies
MOST_ROWS = 40  # of the forest
MOST_COLUMNS = 12  # of the map
GREY = "#8a8a8a"
UNIT = "halvings of the error"


def is_comparison(results: Judged) -> bool:
    """Whether results compare a treatment with its control, at conditions of which one is poor."""
    return results.can_judge and bool(results.criteria.poor)


def gain_table(results: Judged) -> Table:
    """A row a (model, setting, treated arm, condition): its role, pairs, median gain with its interval, and word."""
    result, role = results.assessment, results.criteria.roles
    varied = [name for name in ("model", "setting", "arm") if result.sizes[name] > 1 or (name == "model" and
              result.model.values[0])]  # fmt: skip
    names = [results.criteria.treatment if name == "arm" else name for name in varied]
    header = (*names, results.criteria.condition, "declared", "n", "gain [95 %]", "verdict")
    rows = tuple(
        (*(str(cell[name]) for name in varied), cell["condition"], role.get(cell["condition"], ""), str(cell["n"]),
         interval(cell, "gain"), word(cell)) for cell in cells(result)
    )  # fmt: skip
    return Table(f"Gains ({UNIT})", header, rows, labels=len(varied) + 1)


@figures.register(
    "gain-by-condition",
    label="What the treatment gains, by condition",
    caption="How much lower the treated runs' error is, in halvings averaged over the training (1: half the error), "
    "against the condition. Points are medians over paired seeds, bars their exact 95 % intervals. Conditions declared "
    "well are shaded; the hatched band counts as none.",
    applies=is_comparison,
    of_scores=True,
    table=gain_table,
)
def gain_by_condition(results: Judged, ax: Axes | None = None) -> Figure:
    """A panel a model: median gain and interval against the condition, a line a treated arm."""
    chosen, note = panels.choose(results)
    models, arms = panels.labels(chosen, "model"), panels.labels(chosen, "arm")
    result = results.assessment.isel(setting=0).sel(model=models)
    figure, axes = style.grid(1, len(models), ax, width=4.4, height=3.4, sharey=True)
    treated = [arm for arm in panels.labels(result, "arm") if arm in arms]
    for panel, model in zip(axes[0], models, strict=True):
        gain_axis(panel, results.criteria.margin)
        axis = panels.condition_axis(panel, results, chosen)
        shifts = panels.offsets(len(treated), axis.step * min(0.2, 0.8 / len(treated)))
        for arm, shift in zip(treated, shifts, strict=True):
            look = style.arm_style(arms.index(arm))
            for places, joined in ((axis.joined, True), (axis.beside, False)):
                if places:
                    gains = result.sel(model=model, arm=arm, condition=list(places))
                    label = _label(results, arm) if joined or not axis.joined else None
                    draw_gains(panel, np.array(list(places.values())) + shift, gains, look, label, joined)
        panel.set_title(panels.title(model))
    axes[0, 0].set_ylabel(f"gain ({UNIT})")
    if len(treated) > 1:
        style.legend(figure, ax, axes[0, 0])
    what = "" if len(treated) > 1 else f"{_label(results, treated[0])}; "
    note = (f"{what}{panels.seeds(chosen)}{_paired(results)}; median, bars: 95 % interval; shaded: declared well; "
            f"hatched: counts as none{note}")  # fmt: skip
    return style.finish(figure, ax, style.source(results.runs), note)


def _label(results: Judged, arm: str) -> str:
    criteria = results.criteria
    name = style.shorten(treatment_name(arm, criteria.treatment), 40)
    return f"{name} against {arm_label(criteria.control, criteria.treatment)}"


def _paired(results: Judged) -> str:
    return ", paired" if results.criteria.paired else ", not paired"


def gain_axis(panel: Axes, margin: float) -> None:
    """A y axis of gains: a line at 0, and hatched what counts as none."""
    mark_none(panel, margin)
    panel.yaxis.set_major_locator(MaxNLocator(7))


def mark_none(panel: Axes, margin: float, upright: bool = False) -> None:
    """A line at a gain of 0, and hatched what counts as none; `upright` where gains lie on the x axis."""
    band, line = (panel.axvspan, panel.axvline) if upright else (panel.axhspan, panel.axhline)
    band(-margin, margin, facecolor="none", edgecolor="#949494", hatch="////", linewidth=0, zorder=0)
    line(0, color="black", linewidth=0.8)


def draw_gains(
    panel: Axes, places: np.ndarray, gains: xr.Dataset, look: dict[str, Any], label: str | None, joined: bool
) -> None:
    """Median gains with their intervals.

    Parameters
    ----------
    places : array, shape (conditions,)
        Where on the x axis.
    gains : Dataset
        Of one treated arm, over the conditions alone.
    """
    middle, low, high = (gains[name].values for name in ("gain", "gain_low", "gain_high"))
    error = np.nan_to_num(np.array([middle - low, high - middle]))
    line = {**look, "linestyle": look["linestyle"] if joined else "none"}
    panel.errorbar(places, middle, yerr=error, label=label, capsize=2.5, markersize=5.5, **line)


# ------------------------------------------------------------------ forest


@figures.register(
    "forest",
    label="Every verdict",
    caption="What the treatment gains at each poor condition (filled, with its exact 95 % interval) and at the "
    "reference (hollow), in halvings of the error averaged over the training. At the right the verdict, and how many "
    "runs failed, control · treated. The hatched band counts as none.",
    applies=is_comparison,
    of_scores=True,
    table=lambda results: verdict_table(results.assessment),
)
def forest(results: Judged, ax: Axes | None = None) -> Figure:
    """A row a (model, setting, treated arm, poor condition): gain there and at the reference, and the word."""
    result, criteria = results.assessment, results.criteria
    every = cells(result, poor=True)
    rows = every[:MOST_ROWS]
    names = panels.comparisons_told(results, [(cell["model"], cell["setting"], cell["arm"], cell["condition"])
                                              for cell in rows])  # fmt: skip
    told = [f"{word(cell)}{_failed(cell)}" for cell in rows]
    width = 4.6 + 0.065 * (max(map(len, names)) + max(map(len, told)))
    figure, axes = style.grid(1, 1, ax, width=width, height=0.3 * len(rows) + 0.8)
    panel = axes[0, 0]
    mark_none(panel, criteria.margin, upright=True)
    for place, cell in enumerate(rows):
        _forest_row(panel, place, cell)
    panel.set_xlabel(f"gain ({UNIT})")
    panel.grid(False, axis="y")
    panel.set_yticks(range(len(rows)), names)
    panel.set_ylim(len(rows) - 0.4, -0.6)
    right = panel.secondary_yaxis("right")
    right.set_yticks(range(len(rows)), told)
    right.tick_params(length=0)
    right.spines["right"].set_visible(False)
    reference = style.shorten(criteria.reference) or "none"
    cut = f"; the first {MOST_ROWS} of {len(every)} comparisons" if len(every) > MOST_ROWS else ""
    note = (f"{panels.seeds(results.runs)}{_paired(results)}; filled: here, median with 95 % interval; hollow: at the "
            f"reference {reference}; hatched: counts as none{cut}")  # fmt: skip
    return style.finish(figure, ax, style.source(results.runs), note)


def _forest_row(panel: Axes, place: int, cell: Mapping[str, Any]) -> None:
    if not math.isnan(cell["reference_gain"]):
        panel.plot([cell["reference_gain"]], [place], "o", color=GREY, markerfacecolor="white", markersize=5, zorder=2)
    if not math.isnan(cell["gain"]):
        error = np.nan_to_num([[cell["gain"] - cell["gain_low"]], [cell["gain_high"] - cell["gain"]]])
        panel.errorbar([cell["gain"]], [place], xerr=error, fmt="s", color="black", capsize=2.5, markersize=5,
                       linewidth=1.4, zorder=3)  # fmt: skip


def _failed(cell: Mapping[str, Any]) -> str:
    """How many runs failed, where any did."""
    arms = [cell["failed"][arm] for arm in ("control", "treated")]
    if not any(count for count, _ in arms):
        return ""
    return "  failed " + " · ".join("{}/{}".format(*arm) for arm in arms)


# ------------------------------------------------------------------ map


@figures.register(
    "gain-map",
    label="Every gain",
    caption="Median gain in halvings of the error, a row a condition, a column a treated arm or a setting; below it "
    "the verdict. Blue is a gain, red a loss.",
    applies=lambda results: (
        is_comparison(results) and results.assessment.sizes["arm"] * results.assessment.sizes["setting"] > 1
    ),
)
def gain_map(results: Judged, ax: Axes | None = None) -> Figure:
    """A panel a model; each cell holds its median gain and its word."""
    result = results.assessment
    models = panels.labels(result, "model")[: panels.MOST["model"]]
    conditions = panels.labels(result, "condition")[: panels.MOST["condition"]]
    columns = [(arm, setting) for arm in range(result.sizes["arm"]) for setting in range(result.sizes["setting"])]
    shown = columns[:MOST_COLUMNS]
    names = [_column(results, arm, setting) for arm, setting in shown]
    width, height = max(3.0, 0.95 * len(shown) + 1.2), max(2.0, 0.5 * len(conditions) + 0.6)
    figure, axes = style.grid(1, len(models), ax, width=width, height=height, sharey=True)
    most = max(1.0, float(np.nanmax(np.abs(result.gain.values), initial=0.0)))
    for panel, model in zip(axes[0], models, strict=True):
        of = result.sel(model=model, condition=conditions).transpose("arm", "setting", "condition", ...)
        values = np.stack([of.gain.values[arm, setting] for arm, setting in shown], 1)
        words = np.stack([of.word.values[arm, setting] for arm, setting in shown], 1)
        image = panel.imshow(values, cmap="RdBu", vmin=-most, vmax=most, aspect="auto")
        for (row, column), value in np.ndenumerate(values):
            text = "–" if math.isnan(value) else f"{plain(value)}\n{words[row, column]}".strip()
            ink = "black" if math.isnan(value) else style.ink_on(image, value)
            panel.text(column, row, text, ha="center", va="center", fontsize=7.5, color=ink)
        panel.set_title(panels.title(model))
        panel.set_xticks(range(len(shown)), names, rotation=30, ha="right", fontsize=7.5)
        panel.set_yticks(range(len(conditions)), panels.conditions_told(results, conditions), fontsize=7.5)
        panel.grid(False)
        panel.spines[:].set_visible(False)
        panel.tick_params(length=0)
    bar = figure.colorbar(image, ax=list(axes[0]), fraction=0.05)
    bar.set_label(f"gain ({UNIT})")
    bar.ax.yaxis.set_major_locator(MaxNLocator(7))
    cut = f"; the first {len(shown)} of {len(columns)} columns" if len(columns) > len(shown) else ""
    note = f"{panels.seeds(results.runs)}{_paired(results)}; median over seeds{cut}"
    return style.finish(figure, ax, style.source(results.runs), note)


def _column(results: Judged, arm: int, setting: int) -> str:
    result = results.assessment
    label = arm_label(panels.labels(result, "arm")[arm], results.criteria.treatment)
    of = panels.labels(result, "setting")[setting]
    parts = [
        part for part, many in ((label, result.sizes["arm"] > 1), (of, result.sizes["setting"] > 1)) if many and part
    ]
    return style.shorten(", ".join(parts), 24)
