"""What a figure shows of a dataset, and how its panels and axes are laid out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from bnstudy.analysis import responses
from bnstudy.analysis.figures import style
from bnstudy.analysis.labels import condition_label, number
from bnstudy.analysis.results import Judged
from bnstudy.analysis.robustness import scaled_levels

MOST = {"model": 8, "arm": 8, "condition": 24}  # levels in one figure
MOST_PANELS = 36  # of a figure with a panel a model and condition
MOST_SEEDS = 100  # drawn one by one
COLUMNS = 6


def choose(results: Judged, by_condition: bool = False, rates: bool = False) -> tuple[xr.Dataset, str]:
    """What can be shown: the first setting, and so many levels of the rest; and a note of what was left out.

    With `by_condition` there is a panel for each condition of each model, so fewer models fit; with `rates` every
    learning rate of the first setting's others stays, as dimension ``lr``, from the smallest up. The note is empty, or
    begins with ``; ``.
    """
    runs, notes = results.runs, []
    first = str(runs.setting.values[0])
    if rates:
        places = rates_of(runs)
        label = ", ".join(part for part in first.split(", ") if not part.startswith("lr "))
        chosen = runs.isel(setting=places).swap_dims(setting="lr").drop_vars("setting")
    else:
        label, chosen = first, runs.isel(setting=0)
    if label and runs.sizes["setting"] > 1:
        notes.append(label)
    conditions = min(runs.sizes["condition"], MOST["condition"])
    fitting = {**MOST, "model": min(MOST["model"], max(1, MOST_PANELS // conditions))} if by_condition else MOST
    for name, most in fitting.items():
        if chosen.sizes[name] > most:
            notes.append(f"the first {most} of {chosen.sizes[name]} {name}s")
            chosen = chosen.isel({name: slice(most)})
    return chosen, "".join(f"; {note}" for note in notes)


def rates_of(runs: xr.Dataset) -> list[int]:
    """The settings that differ from the first in the learning rate alone, by rising rate; none if it is no setting."""
    if "lr" not in runs.coords or runs.lr.dims != ("setting",) or runs.lr.dtype.kind != "f":
        return []
    others = [
        name for name, values in runs.coords.items() if values.dims == ("setting",) and name not in ("setting", "lr")
    ]
    alike = [i for i in range(runs.sizes["setting"])
             if all(_equal(runs[name].values[i], runs[name].values[0]) for name in others)]  # fmt: skip
    return sorted(alike, key=lambda i: float(runs.lr.values[i]))


def _equal(one: object, other: object) -> bool:
    return one == other or (one != one and other != other)  # two that are not told


def labels(dataset: xr.Dataset, name: str) -> list[str]:
    """The levels of a dimension, as text."""
    return [str(label) for label in dataset[name].values]


def seeds(dataset: xr.Dataset) -> str:
    """How many seeds a cell has at most, such as ``n = 10 seeds``."""
    n = int(responses.observed(dataset).sum("seed").max())
    return f"n = {n} seed{'s' * (n != 1)}"


def some_seeds(count: int) -> str:
    """A note where not every seed is drawn; empty, or begins with ``; ``."""
    return f"; the first {MOST_SEEDS} of {count} seeds are drawn" if count > MOST_SEEDS else ""


def title(model: str, *rest: str) -> str:
    """A panel's title: the model, and what else it shows."""
    return " ".join([style.shorten(model_name(model), 24), *rest]).strip()


def model_name(model: str) -> str:
    """A model's label with its family in capitals: ``MLP:256-128:tanh``."""
    family, colon, rest = model.partition(":")
    return family.upper() + colon + rest


def conditions_told(results: Judged, conditions: Iterable[str], most: int = 24) -> list[str]:
    """Levels of the condition as they are told, cut to fit, with their declared roles."""
    role, factor = roles(results), results.criteria.condition
    conditions = list(conditions)
    names = style.shorten_all((condition_label(label, factor) for label in conditions), most)
    told = (role.get(label, "") for label in conditions)
    return [f"{name} ({role})" if role else name for name, role in zip(names, told, strict=True)]


def comparisons_told(results: Judged, comparisons: Sequence[tuple[str, ...]]) -> list[str]:
    """Comparisons, each its model, setting, treated arm and level of the condition, told by what differs in them."""
    *others, conditions = zip(*comparisons, strict=True)
    # A model that has a name is told, though it be the only one.
    shown = [column for i, column in enumerate(others) if len(set(column)) > 1 or (i == 0 and column[0])]
    levels = [condition_label(level, results.criteria.condition) for level in conditions]
    columns = [style.shorten_all(column, 24) for column in (*shown, levels)]
    return [", ".join(texts) for texts in zip(*columns, strict=True)]


def roles(results: Judged) -> dict[str, str]:
    """The declared role of each level of the condition; empty texts where there are none."""
    known = results.criteria.roles
    return {label: known.get(label, "") for label in labels(results.runs, "condition")}


def by_model_and_condition(
    results: Judged, dataset: xr.Dataset, ax: Axes | None, ylabel: str, xlabel: str
) -> tuple[Figure, Axes, Iterator[tuple[Axes, str, str]]]:
    """Panels in rows of models and columns of conditions: the figure, its first panel, and each with its labels."""
    conditions, models = labels(dataset, "condition"), labels(dataset, "model")
    columns = min(len(conditions), COLUMNS)
    rows = math.ceil(len(conditions) / columns)
    figure, axes = style.grid(rows * len(models), columns, ax, width=2.2, height=2.0, sharex=True, sharey=True)
    role, factor = roles(results), results.criteria.condition

    def panels() -> Iterator[tuple[Axes, str, str]]:
        for m, model in enumerate(models):
            for i, condition in enumerate(conditions):
                row = m * rows + i // columns
                panel = axes[row, i % columns]
                yield panel, model, condition
                named = style.shorten(condition_label(condition, factor), 20)
                of = f"{style.shorten(model_name(model), 18)}: " if model else ""
                panel.set_title(f"{of}{named}" + (f" ({role[condition]})" if role[condition] else ""))
                panel.set_ylabel(ylabel if i % columns == 0 else "")
                last = row + 1 == rows * len(models) or (i + columns >= len(conditions) and m == len(models) - 1)
                panel.set_xlabel(xlabel if last else "")
                panel.tick_params(labelbottom=last)
            for empty in range(len(conditions), rows * columns):
                axes[m * rows + empty // columns, empty % columns].set_axis_off()

    return figure, axes[0, 0], panels()


@dataclass(frozen=True)
class ConditionAxis:
    """Where the levels of the condition stand on an x axis.

    Attributes
    ----------
    joined, beside : dict of str to float
        The place of each level: of those on a scale of numbers, rising, which lines may join, and of the others.
    step : float
        How far apart the others are.
    """

    joined: dict[str, float]
    beside: dict[str, float]
    step: float


def condition_axis(panel: Axes, results: Judged, dataset: xr.Dataset, told: bool = True) -> ConditionAxis:
    """An x axis of conditions: numbers on a scale, other levels at its right; those declared well are shaded.

    With `told` the declared role of each stands above it.
    """
    joined, name = numbers(dataset, results.criteria.condition)
    others = [label for label in labels(dataset, "condition") if label not in joined]
    places = np.array(list(joined.values()))
    step = max(0.6, (places[-1] - places[0]) / 6) if len(places) else 1.0
    start = places[-1] + step * 1.2 if len(places) else 0.0
    beside = start + step * np.arange(len(others))
    half = min([0.3, *(np.diff(places) / 2.2)]) if len(places) else 0.4
    role, every = roles(results), [*places, *beside]
    for label, place in zip([*joined, *others], every, strict=True):
        if role[label] == "well":
            panel.axvspan(place - half, place + half, color="#e9e9e9", zorder=-1, linewidth=0)
    if others and len(places):
        panel.axvline(places[-1] + step * 0.6, color="#888888", linewidth=0.8)
    panel.set_xticks(every, [*(label.rpartition(":")[2] for label in joined), *style.shorten_all(others, 16)])
    for tick in panel.get_xticklabels()[len(joined) :]:
        tick.set(rotation=30, ha="right", rotation_mode="anchor")
    if told and any(role.values()):
        top = panel.secondary_xaxis("top")
        top.set_xticks(every, [role[label] for label in [*joined, *others]], fontsize=7, color="#444444")
        top.tick_params(length=0, pad=1)
        top.spines["top"].set_visible(False)
    panel.set_xlabel(name + (f"  |  other {results.criteria.condition}s" if others and len(places) else ""))
    panel.grid(False, axis="x")
    return ConditionAxis(joined, dict(zip(others, beside.tolist(), strict=True)), step)


def numbers(dataset: xr.Dataset, condition: str) -> tuple[dict[str, float], str]:
    """The levels of the condition that lie on a scale of numbers, rising, each with its place; and the scale's name.

    Numbers above 0 stand on a log scale, others evenly.
    """
    values = {label: number(label) for label in labels(dataset, "condition")}
    name = condition.replace("_", " ")
    if any(math.isnan(value) for value in values.values()):
        values = scaled_levels(dataset, "condition") if condition == "init" else {}
        name = "scale S of the initial weights, N(0, S²·2/fan_in)" if len(values) > 1 else name
    if len(values) < 2:
        return {}, name
    rising = sorted(values, key=lambda label: values[label])
    on_log = min(values.values()) > 0
    return {label: math.log10(values[label]) if on_log else float(i) for i, label in enumerate(rising)}, name


def log_or_percent(panel: Axes, is_log: bool) -> None:
    """A y axis of magnitudes, in powers of ten, or else of percent."""
    if not is_log:
        panel.set_ylim(-4, 104)
        return
    panel.set_yscale("log")
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0e}"))
    panel.yaxis.set_minor_formatter(NullFormatter())


def offsets(count: int, width: float) -> np.ndarray:
    """Where to draw `count` things side by side about 0, `width` apart."""
    return width * (np.arange(count) - (count - 1) / 2)


def never(last: float) -> float:
    """Where a run that never exceeds the target is drawn on an axis of epochs: above the last."""
    return last * 1.12 + 0.5


def never_ticks(panel: Axes, last: int) -> None:
    """Ticks of an axis of epochs up to the last, and one that says never."""
    kept = [tick for tick in MaxNLocator(6, integer=True).tick_values(0, last) if 0 <= tick <= last]
    panel.set_yticks([*kept, never(last)], [*(f"{tick:g}" for tick in kept), "never"])
