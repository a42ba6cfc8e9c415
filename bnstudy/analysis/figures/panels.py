"""What a figure shows of a dataset, and how its panels and axes are laid out."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from bnstudy.analysis import responses
from bnstudy.analysis.figures import style
from bnstudy.analysis.results import Results
from bnstudy.analysis.robustness import scaled_levels

MOST = {"model": 8, "norm": 8, "init": 24}  # levels in one figure
MOST_PANELS = 36  # of a figure with a panel a model and init
MOST_SEEDS = 100  # drawn one by one
COLUMNS = 6


def choose(
    results: Results, by_init: bool = False, rates: bool = False, init: str | None = None
) -> tuple[xr.Dataset, str]:
    """What can be shown: the first optimizer and lr, and so many levels of the rest; and a note of what was left out.

    With `by_init` there is a panel for each init of each model, so fewer models fit; with `rates` every lr stays, from
    the smallest up; with `init` that one alone. The note is empty, or begins with ``; ``.
    """
    dataset, cell = results.dataset, results.reference_cell
    dataset = dataset if init is None else dataset.sel(init=[init])
    notes = []
    if rates and dataset.sizes["optimizer"] > 1:
        notes.append(str(cell["optimizer"]))
    elif not rates and (dataset.sizes["optimizer"] > 1 or dataset.sizes["lr"] > 1):
        notes.append(f"{cell['optimizer']}, lr {cell['lr']:g}")
    inits = min(dataset.sizes["init"], MOST["init"])
    fitting = {**MOST, "model": min(MOST["model"], max(1, MOST_PANELS // inits))} if by_init else MOST
    for name, most in fitting.items():
        if dataset.sizes[name] > most:
            notes.append(f"the first {most} of {dataset.sizes[name]} {name}s")
            dataset = dataset.isel({name: slice(most)})
    chosen = dataset.sel(optimizer=cell["optimizer"])
    chosen = chosen.sortby("lr") if rates else chosen.sel(lr=cell["lr"])
    return chosen, "".join(f"; {note}" for note in notes)


def labels(dataset: xr.Dataset, name: str) -> list[str]:
    """The levels of a factor, as text."""
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
    return " ".join([style.shorten(model_name(model), 24), *rest])


def model_name(model: str) -> str:
    """A model's label with its family in capitals: ``MLP:256-128:tanh``."""
    family, colon, rest = model.partition(":")
    return family.upper() + colon + rest


def roles(dataset: xr.Dataset) -> dict[str, str]:
    """Each init's declared role; empty texts where there are none."""
    known = dataset.init_role.values if "init_role" in dataset.coords else [""] * dataset.sizes["init"]
    return dict(zip(labels(dataset, "init"), map(str, known), strict=True))


def by_model_and_init(
    dataset: xr.Dataset, ax: Axes | None, ylabel: str, xlabel: str
) -> tuple[Figure, Axes, Iterator[tuple[Axes, str, str]]]:
    """Panels in rows of models and columns of inits: the figure, its first panel, and each with its model and init."""
    inits, models = labels(dataset, "init"), labels(dataset, "model")
    columns = min(len(inits), COLUMNS)
    rows = math.ceil(len(inits) / columns)
    figure, axes = style.grid(rows * len(models), columns, ax, width=2.2, height=2.0, sharex=True, sharey=True)

    def panels() -> Iterator[tuple[Axes, str, str]]:
        for m, model in enumerate(models):
            for i, init in enumerate(inits):
                row = m * rows + i // columns
                panel = axes[row, i % columns]
                yield panel, model, init
                role = roles(dataset)[init]
                panel.set_title(f"{style.shorten(model_name(model), 18)}: {style.shorten(init, 20)}"
                                + (f" ({role})" if role else ""))  # fmt: skip
                panel.set_ylabel(ylabel if i % columns == 0 else "")
                last = row + 1 == rows * len(models) or (i + columns >= len(inits) and m == len(models) - 1)
                panel.set_xlabel(xlabel if last else "")
                panel.tick_params(labelbottom=last)
            for empty in range(len(inits), rows * columns):
                axes[m * rows + empty // columns, empty % columns].set_axis_off()

    return figure, axes[0, 0], panels()


def scale_axis(panel: Axes, dataset: xr.Dataset, told: bool = True) -> tuple[np.ndarray, np.ndarray, float]:
    """An x axis of scales, with the other inits at its right; those declared well are shaded.

    With `told` the declared role of each stands above it.

    Returns
    -------
    logs, beside : arrays
        Places of the scaled levels (log10 of scale, rising) and of the others, in their order.
    step : float
        How far apart the others are.
    """
    scaled = scaled_levels(dataset)
    others = other_inits(dataset)
    logs = np.log10(np.array(list(scaled.values())))
    step = max(0.6, (logs[-1] - logs[0]) / 6)
    beside = logs[-1] + step * (1.2 + np.arange(len(others)))
    half = min([0.3, *(np.diff(logs) / 2.2)])
    role = roles(dataset)
    for init, place in zip([*scaled, *others], [*logs, *beside], strict=True):
        if role[init] == "well":
            panel.axvspan(place - half, place + half, color="#e9e9e9", zorder=-1, linewidth=0)
    if others:
        panel.axvline(logs[-1] + step * 0.6, color="#888888", linewidth=0.8)
    panel.set_xticks([*logs, *beside], [f"{s:g}" for s in scaled.values()] + [style.shorten(i, 16) for i in others])
    for label in panel.get_xticklabels()[len(scaled) :]:
        label.set(rotation=30, ha="right", rotation_mode="anchor")
    if told and any(role.values()):
        top = panel.secondary_xaxis("top")
        top.set_xticks([*logs, *beside], [role[init] for init in [*scaled, *others]], fontsize=7, color="#444444")
        top.tick_params(length=0, pad=1)
        top.spines["top"].set_visible(False)
    panel.set_xlabel("scale S of the initial weights, N(0, S²·2/fan_in)" + ("  |  other inits" if others else ""))
    panel.grid(False, axis="x")
    return logs, beside, step


def other_inits(dataset: xr.Dataset) -> list[str]:
    """The levels of init that are no scale of scaled-normal."""
    scaled = scaled_levels(dataset)
    return [init for init in labels(dataset, "init") if init not in scaled]


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
