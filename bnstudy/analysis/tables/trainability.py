"""What a probe says of a network, in words a learner can use."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

import numpy as np
import xarray as xr

from bnstudy.analysis.tables.table import Table

# From where on a measure is told of. They are rules of thumb, and told as such.
DEAD = 0.5  # of a layer's units
ALIKE = 1 - 1e-6  # of the mean square
VANISHED, EXPLODED = 1e-3, 1e3  # spread of a layer's preactivations
BLIND = 10.0  # a batch norm's variance over eps, below which it shrinks the signal by 5 % or more
STILL, WILD = 1e-4, 0.1  # of the weights in one step; about 1e-3 is usual


def prognoses(found: xr.Dataset) -> dict[tuple[str, str, str], str]:
    """One sentence for each (model, norm, init) of a probe, at its first seed."""
    first = found.isel(seed=0)
    cells = {}
    for model in map(str, first.model.values):
        for norm in map(str, first.norm.values):
            for init in map(str, first.init.values):
                cell = first.sel(model=model, norm=norm, init=init)
                cells[model, norm, init] = "; ".join(_remarks(cell)) or "nothing amiss"
    return cells


def _remarks(cell: xr.Dataset) -> Iterator[str]:
    """What is amiss, each kind at the first layer that shows it."""
    values = {str(name): cell[name].values for name in cell.data_vars if "layer" in cell[name].dims}
    layers = [str(layer) for layer in cell.layer.values]
    there = ~np.isnan(values["gradient_norm"]) | ~np.isnan(values["preactivation_spread"])

    def first(mask: np.ndarray) -> int | None:
        hits = np.flatnonzero(mask & there)
        return int(hits[0]) if len(hits) else None

    spread, hidden = values["preactivation_spread"], np.array([layer != "output" for layer in layers])
    if not math.isfinite(float(cell.initial_loss)):
        yield "the loss is not finite before the first step"
    if (i := first(values["dead"] > DEAD)) is not None:
        yield f"{layers[i]} is dead: {_percent(values['dead'][i])} of its units give 0 for every sample"
    if (i := first((values["alike"] > ALIKE) & hidden)) is not None:
        yield f"the units of {layers[i]} are all alike, and nothing can tell them apart"
    if (i := first((spread < VANISHED) & (values["alike"] <= ALIKE))) is not None:
        yield f"the signal vanishes: its spread is {spread[i]:.1g} after {layers[i]}"
    if (i := first(spread > EXPLODED)) is not None:
        yield f"the signal explodes: its spread is {spread[i]:.1g} after {layers[i]}"
    if (i := first(values["variance_to_eps"] < BLIND)) is not None:
        ratio = values["variance_to_eps"][i]
        yield f"the batch norm after {layers[i]} sees a variance of {ratio:.1g} times its eps, and cannot lift it to 1"
    if (i := first(values["gradient_norm"] == 0)) is not None:
        yield f"{layers[i]} gets no gradient"
    elif (i := first(values["update_ratio"] < STILL)) is not None:
        yield f"{layers[i]} hardly moves: a step changes {values['update_ratio'][i]:.1g} of its weights"
    if (i := first(values["update_ratio"] > WILD)) is not None:
        yield f"{layers[i]} is thrown about: a step changes {_percent(values['update_ratio'][i])} of its weights"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


COLUMNS = {
    "preactivation_spread": "spread", "activation_mean": "mean after", "activation_spread": "spread after",
    "dead": "dead, %", "alike": "alike, %", "rank": "rank", "variance_to_eps": "v/eps",
    "gradient_norm": "gradient", "update_ratio": "update/weight",
}  # fmt: skip


CELLS = ("model", "norm", "init")
AROUND = {
    "initial_loss": "loss", "sharpness": "sharpness", "loss_change": "loss change",
    "gradient_change": "gradient change", "smoothness": "gradient change/distance",
}  # fmt: skip


def probe_table(found: xr.Dataset) -> Table:
    """A row a (model, norm, init, layer), at the first seed."""
    first = found.isel(seed=0)
    rows = []
    for model in first.model.values:
        for norm in first.norm.values:
            for init in first.init.values:
                cell = first.sel(model=model, norm=norm, init=init)
                for i, layer in enumerate(first.layer.values):
                    shown = [float(cell[name][i]) for name in COLUMNS]
                    if not all(map(math.isnan, shown)):
                        texts = (_number(name, value) for name, value in zip(COLUMNS, shown, strict=True))
                        rows.append((str(model), str(norm), str(init), str(layer), *texts))
    notes = (
        "spread: standard deviation over batch and units, of what the layer gives, and after its activation",
        "alike: what all units have in common; v/eps: variance the batch norm sees; rank: stable rank over the batch",
        f"update/weight: of the first step at learning rate {found.attrs.get('lr', float('nan')):g}",
    )
    return Table(str(found.attrs.get("title", "Probe")), ("model", "norm", "init", "layer", *COLUMNS.values()),
                 tuple(rows), notes, labels=4)  # fmt: skip


def mechanism_table(found: xr.Dataset) -> Table:
    """A row a (model, norm, init): the loss around the weights, at the first seed."""
    first = found.isel(seed=0)
    lr = float(found.attrs["lr"])
    rows = [
        (*labels, *("–" if math.isnan(value) else f"{value:.3g}" for value in
                    (float(first[name].sel(dict(zip(CELLS, labels, strict=True)))) for name in AROUND)))
        for labels in product(*(map(str, first[name].values) for name in CELLS))
    ]  # fmt: skip
    notes = (
        f"sharpness: largest eigenvalue of the Hessian on one batch; plain descent at rate {lr:g} is unstable from "
        f"{2 / lr:g} on (2/lr)",
        "changes: the largest of loss and gradient over steps of 0.5 to 4 learning rates down the gradient",
    )
    return Table("Around the weights", (*CELLS, *AROUND.values()), tuple(rows), notes, labels=3)


def _number(name: str, value: float) -> str:
    if math.isnan(value):
        return "–"
    return f"{100 * value:.0f}" if name in ("dead", "alike") else f"{value:.2g}"
