"""What a norm changes: effects against scale, the forest of all verdicts, and paired seeds."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from bnstudy.analysis import responses
from bnstudy.analysis.assessment import FAMILY, PLAIN, PRIMARY, SECONDARY
from bnstudy.analysis.criteria import Criteria
from bnstudy.analysis.figures import panels, style
from bnstudy.analysis.responses import RESPONSES, Response
from bnstudy.analysis.results import Results
from bnstudy.analysis.robustness import scaled_levels
from bnstudy.study.registry import figures

SHOWN = (RESPONSES[PRIMARY], RESPONSES[SECONDARY])
MOST_ROWS = 40  # of the forest
GREY = "#8a8a8a"


def is_comparison(dataset: xr.Dataset) -> bool:
    """Whether a dataset compares a norm with none, at inits whose roles were declared."""
    return PLAIN in dataset.norm.values and dataset.sizes["norm"] > 1 and "init_role" in dataset.coords


@figures.register(
    "effect-by-scale",
    label="What the norm gains against initial scale",
    caption="Epochs saved and final accuracy gained over the same network without a norm, against the scale S of the "
    "initial weights; the other initializations at the right. Bars are 95 % t intervals over paired seeds. The inits "
    "declared well are shaded, the others were declared poor; the hatched band is the margin that counts as none.",
    applies=lambda dataset: is_comparison(dataset) and len(scaled_levels(dataset)) >= 2,
)
def effect_by_scale(results: Results, ax: Axes | None = None) -> Figure:
    """Epochs saved above accuracy gained, a column a model; mean and 95 % interval over paired seeds."""
    chosen, note = panels.choose(results)
    result = _result(results, chosen)
    models = panels.labels(chosen, "model")
    figure, axes = style.grid(2, len(models), ax, width=4.2, height=2.6, sharex="col", sharey="row")
    for row, response in enumerate(SHOWN):
        for panel, model in zip(axes[row], models, strict=True):
            _effect_panel(
                panel,
                result.sel(model=model, response=response.name),
                chosen,
                response,
                results.criteria,
                told=row == 0,
            )
            panel.tick_params(labelbottom=row == 1)
    for column, model in enumerate(models):
        axes[0, column].set_title(panels.title(model))
        axes[0, column].set_xlabel("")
    several = result.sizes["norm"] > 1
    arm = "" if several else f"\n{style.arm_label(panels.labels(result, 'norm')[0])}"
    axes[0, 0].set_ylabel(f"epochs saved{arm}")
    axes[1, 0].set_ylabel(f"points of final accuracy\ngained{arm.replace(chr(10), ' ')} (log beyond 1)")
    if several:
        style.legend(figure, ax, axes[0, 0])
    goal = f"{100 * results.criteria.target:g} %"
    note = (f"{panels.seeds(chosen)}, paired; bars: 95 % t interval; shaded: inits declared well; hatched: counts as "
            f"no effect; {marked(goal)}{note}")  # fmt: skip
    return style.finish(figure, ax, style.source(results.dataset), note)


def marked(goal: str) -> str:
    """What the markers of :func:`draw_effects` mean, for a note."""
    return f"hollow: some runs never exceed {goal} and count the last epoch; ×: no run of either arm does"


def _result(results: Results, chosen: xr.Dataset) -> xr.Dataset:
    """The assessment of all results, at what is shown of them."""
    norms = [norm for norm in panels.labels(chosen, "norm") if norm != PLAIN]
    cell = {"optimizer": chosen.optimizer.item(), "lr": chosen.lr.item(), "norm": norms}
    return results.assessment.sel(cell | {name: panels.labels(chosen, name) for name in ("model", "init")})


def _effect_panel(
    panel: Axes, result: xr.Dataset, dataset: xr.Dataset, response: Response, criteria: Criteria, told: bool
) -> None:
    effect_axis(panel, criteria, response)
    logs, beside, step = panels.scale_axis(panel, dataset, told)
    norms = panels.labels(result, "norm")
    every = panels.labels(dataset, "norm")
    apart = step * min(0.2, 0.8 / len(norms))
    for norm, shift in zip(norms, panels.offsets(len(norms), apart), strict=True):
        look = style.arm_style(every.index(norm))
        for inits, places, joined in (
            (list(scaled_levels(dataset)), logs, True), (panels.other_inits(dataset), beside, False),
        ):  # fmt: skip
            label = f"{style.arm_label(norm)} against without" if joined else None
            draw_effects(panel, places + shift, result.sel(norm=norm, init=inits), response, look, label, joined)


def effect_axis(panel: Axes, criteria: Criteria, response: Response) -> None:
    """A y axis of effects: a line at 0, and hatched what counts as none; of accuracies logarithmic beyond a point."""
    factor = response.scale
    margin = factor * response.margin(criteria)
    panel.axhspan(-margin, margin, facecolor="none", edgecolor="#bbbbbb", hatch="////", linewidth=0, zorder=0)
    panel.axhline(0, color="black", linewidth=0.8)
    if response.unit != "epochs":  # from tenths of a point to all that can be had
        panel.set_yscale("symlog", linthresh=1, linscale=0.7)
        panel.set_yticks([-100, -10, -1, 0, 1, 10, 100], ["-100", "-10", "-1", "0", "1", "10", "100"])
        panel.yaxis.set_minor_locator(NullLocator())


def draw_effects(
    panel: Axes,
    places: np.ndarray,
    effects: xr.Dataset,
    response: Response,
    look: dict[str, Any],
    label: str | None,
    joined: bool,
) -> None:
    """What a norm gains in some cells, with 95 % intervals.

    Where some runs never exceed the target and count the last epoch the marker is hollow. Where no run of either arm
    exceeds it there is nothing to draw, and a × at the panel's foot says so.

    Parameters
    ----------
    places : array, shape (cells,)
        Where on the x axis.
    effects : Dataset
        One response of one norm's assessment, over the cells alone.
    """
    factor = response.scale
    arms = effects.censored.sel(arm=[PLAIN, effects.norm.item()])
    in_epochs = response.unit == "epochs"
    fails, cut = (arms == 1).all("arm").values & in_epochs, (arms > 0).any("arm").values & in_epochs
    mean, low, high = (factor * effects[name].where(~fails).values for name in ("effect", "effect_low", "effect_high"))
    line = {**look, "linestyle": look["linestyle"] if joined else "none"}
    error = np.nan_to_num(np.array([mean - low, high - mean]))
    panel.errorbar(places, mean, yerr=error, label=label, capsize=2.5, markersize=5.5, **line)
    hollow = {"marker": look["marker"], "color": look["color"], "markerfacecolor": "white", "linestyle": "none"}
    panel.plot(places[cut], mean[cut], markersize=5.5, zorder=3, **hollow)
    foot = np.full(fails.sum(), 0.045)
    panel.plot(places[fails], foot, "x", color=look["color"], markersize=7, transform=panel.get_xaxis_transform())


# ------------------------------------------------------------------ forest


@figures.register(
    "forest",
    label="Every verdict",
    caption="How much more the norm gains at each poor init than at the reference, in epochs and in final accuracy, "
    "with 95 % t intervals. The response that decides is filled; the verdict stands at the right. The hatched band is "
    "the margin that counts as none.",
    applies=lambda dataset: is_comparison(dataset) and "poor" in dataset.init_role.values,
)
def forest(results: Results, ax: Axes | None = None) -> Figure:
    """A row a (model, norm, optimizer, lr, poor init): the difference in differences of both responses."""
    dataset, result = results.dataset, results.assessment
    poor = [init for init, role in panels.roles(dataset).items() if role == "poor"]
    every = list(product(*(result[name].values.tolist() for name in FAMILY), poor))
    rows = [dict(zip((*FAMILY, "init"), labels, strict=True)) for labels in every[:MOST_ROWS]]
    named = [*(name for name in FAMILY if name == "model" or result.sizes[name] > 1), "init"]
    names = [
        ", ".join(f"lr {labels[name]:g}" if name == "lr" else style.shorten(str(labels[name]), 24) for name in named)
        for labels in rows
    ]
    width = 2.8 + 0.04 * max(map(len, names))
    figure, axes = style.grid(1, 2, ax, width=width, height=0.28 * len(rows) + 0.8, sharey=True)
    for panel, response in zip(axes[0], SHOWN, strict=True):
        factor, unit = response.scale, response.shown
        nowhere = []
        margin = factor * response.margin(results.criteria)
        panel.axvspan(-margin, margin, facecolor="none", edgecolor="#bbbbbb", hatch="////", linewidth=0, zorder=0)
        panel.axvline(0, color="black", linewidth=0.8)
        for place, labels in enumerate(rows):
            cell = result.sel(labels)
            fails = str(cell.overall.values) == "both-fail"
            if fails and response.unit == "epochs":  # a difference would tell of the reference alone
                nowhere.append(place)
                continue
            decides = not fails and str(cell.decided_by.values) == response.name
            _interval(panel, place, cell.sel(response=response.name), factor, decides)
        left, right = panel.get_xlim()
        side = 1 if right > -left else -1  # of 0, where there is more room
        white = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        for place in nowhere:
            panel.annotate("no run gets there", (0, place), (5 * side, 0), textcoords="offset points", va="center",
                           ha="left" if side > 0 else "right", fontsize=7.5, bbox=white)  # fmt: skip
        panel.set_xlabel(f"{'epochs saved' if unit == 'epochs' else 'final accuracy gained (points)'}:\n"
                         "here minus at the reference")  # fmt: skip
        panel.grid(False, axis="y")
    axes[0, 0].set_yticks(range(len(rows)), names)
    axes[0, 0].set_ylim(len(rows) - 0.4, -0.6)
    right = axes[0, 1].secondary_yaxis("right")
    right.set_yticks(range(len(rows)), [str(result.overall.sel(labels).values) for labels in rows])
    right.tick_params(length=0)
    right.spines["right"].set_visible(False)
    reference = style.shorten(str(result.attrs["reference"]) or "none")
    cut = f"; the first {MOST_ROWS} of {len(every)} comparisons" if len(every) > MOST_ROWS else ""
    note = (f"{panels.seeds(dataset)}, paired; bars: 95 % t interval; filled: the response that decides; hatched: "
            "counts as no difference; both-fail: by epochs, accuracy may still tell; "
            f"reference: {reference}{cut}")  # fmt: skip
    return style.finish(figure, ax, style.source(results.dataset), note)


def _interval(panel: Axes, place: int, one: xr.Dataset, factor: float, decides: bool) -> None:
    mean, low, high = (factor * float(one[name]) for name in ("did", "did_low", "did_high"))
    colour = "black" if decides else GREY
    error = np.nan_to_num([[mean - low], [high - mean]])
    look: dict[str, Any] = {"color": colour, "markerfacecolor": colour if decides else "white"}
    panel.errorbar([mean], [place], xerr=error, fmt="s", capsize=2.5, markersize=5, linewidth=1.4, **look)


# ------------------------------------------------------------------ pairs


@figures.register(
    "paired-seeds",
    label="Epochs to the target, seed by seed",
    caption="Epochs until test accuracy exceeds the target, for each initialization; a line joins the runs of one "
    "seed, which start from the same random numbers and see the same batches. Hollow: never within the epochs trained.",
    applies=lambda dataset: dataset.sizes["norm"] > 1,
)
def paired_seeds(results: Results, ax: Axes | None = None) -> Figure:
    """A row a model, a group an init: each seed's epochs to the target in every arm, joined by a line."""
    chosen, note = panels.choose(results)
    models, inits, norms = (panels.labels(chosen, name) for name in ("model", "init", "norm"))
    turned = len(inits) > 6  # labels, or they would need more room than the runs
    longest = 0 if turned else max(len(style.shorten(init, 20)) for init in inits)
    width = max(4.2, max(0.34 * len(norms) + 0.45, 0.085 * longest + 0.2) * len(inits))
    figure, axes = style.grid(len(models), 1, ax, width=width, height=2.4, sharex=True)
    target = results.criteria.target
    last = int(chosen.epoch[-1])
    crossing = responses.epochs_to_target(chosen, target)
    places = np.arange(len(inits))[:, None] + panels.offsets(len(norms), 0.8 / len(norms))
    note = panels.some_seeds(chosen.sizes["seed"]) + note
    crossing = crossing.isel(seed=slice(panels.MOST_SEEDS))
    epochs = crossing.epochs.where(crossing.reached | crossing.epochs.isnull(), panels.never(last))
    spread = _spread(crossing.sizes["seed"], 0.16 / len(norms))
    for panel, model in zip(axes[:, 0], models, strict=True):
        _pairs_panel(panel, epochs.sel(model=model), crossing.reached.sel(model=model), norms, places, spread)
        panels.never_ticks(panel, last)
        panel.set_ylim(0, panels.never(last) * 1.06)
        panel.set_title(panels.title(model))
        panel.set_ylabel(f"epochs to > {100 * target:g} %")
        panel.grid(False, axis="x")
        for edge in np.arange(len(inits) - 1) + 0.5:
            panel.axvline(edge, color="#dddddd", linewidth=0.8)
    roles = panels.roles(chosen)
    gap = " " if turned else "\n"
    names = [f"{style.shorten(i, 20)}{gap}({roles[i]})" if roles[i] else style.shorten(i, 20) for i in inits]
    tilt = {"rotation": 25, "ha": "right", "rotation_mode": "anchor"} if turned else {}
    axes[-1, 0].set_xticks(range(len(inits)), names, **tilt)
    axes[-1, 0].set_xlim(-0.6, len(inits) - 0.4)
    style.legend(figure, ax, axes[0, 0])
    note = f"{panels.seeds(chosen)}; a line joins one seed's runs; hollow: never in {last} epochs, or diverged{note}"
    return style.finish(figure, ax, style.source(results.dataset), note)


def _spread(seeds: int, width: float) -> np.ndarray:
    """Small shifts that keep equal runs of several seeds apart."""
    return panels.offsets(seeds, 2 * width / max(seeds - 1, 1))


def _pairs_panel(
    panel: Axes,
    epochs: xr.DataArray,
    reached: xr.DataArray,
    norms: list[str],
    places: np.ndarray,
    spread: np.ndarray,
) -> None:
    values = epochs.transpose("init", "norm", "seed").values
    filled = reached.transpose("init", "norm", "seed").values
    for group, at in zip(values, places, strict=True):
        panel.plot(at[:, None] + spread, group, color=GREY, linewidth=0.7, zorder=1)
    for position, norm in enumerate(norms):
        look = style.arm_style(position)
        at = places[:, position, None] + spread
        for hit, face in ((True, look["color"]), (False, "white")):
            shown = filled[:, position] == hit
            panel.plot(at[shown], values[:, position][shown], look["marker"], color=look["color"], markerfacecolor=face,
                       markersize=4, label=style.arm_label(norm) if hit else None, zorder=2)  # fmt: skip
