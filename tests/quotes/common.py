"""What every page of quotes is made of: the published datasets, judged, and numbers in words."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache

import numpy as np
import xarray as xr
from bnstudy.analysis import inference, responses
from bnstudy.analysis.comparisons import Cell, cells
from bnstudy.analysis.responses import RESPONSES, Response
from bnstudy.analysis.results import Results
from bnstudy.analysis.tables.table import Table

from tests.conftest import ROOT

DATA = ROOT / "studies" / "data"
EPOCHS, ACCURACY = RESPONSES[0], RESPONSES[1]
MODELS = ("mlp", "cnn")
CHANCE = 12.0  # percent; above what guessing one digit gets


@cache
def results(name: str) -> Results:
    return Results.open(DATA / name)


def curves(name: str) -> xr.Dataset:
    return results(name).dataset


@cache
def judged(name: str) -> dict[tuple[str, ...], Cell]:
    """Every comparison of a study, by model, norm and init; by learning rate too where there are several."""
    result = results(name).assessment
    several = result.sizes["lr"] > 1
    return {(*labels[:2], labels[4], *([labels[3]] if several else [])): c for labels, c in cells(result).items()}


def row(*texts: str) -> str:
    return f"| {' | '.join(texts)} |"


def markdown(table: Table) -> list[str]:
    return [row(*(text.strip() for text in line)) for line in table.rows]


def gain(cell: Cell, response: Response) -> str:
    """What the norm gains, such as ``+4.8 [4.0, 5.6]``; in epochs or points."""
    one = cell.responses[response.name]
    scale, digits = response.scale, response.digits
    mean, low, high = (round(scale * end, digits) + 0.0 for end in (one.effect, one.effect_low, one.effect_high))
    return "–" if math.isnan(mean) else f"{mean:+.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def final(name: str, **labels: object) -> float:
    """Mean final test accuracy of a cell in percent."""
    chosen = responses.final(curves(name), "test_accuracy").sel(labels)
    return 100 * float(chosen.mean("seed").squeeze())


def epochs(name: str, **labels: object) -> float:
    """Mean epochs until the target is exceeded, the last where it is not."""
    return float(responses.epochs_to_target(curves(name)).epochs.sel(labels).mean("seed").squeeze())


def reached(name: str, **labels: object) -> int:
    return int(responses.epochs_to_target(curves(name)).reached.sel(labels).sum())


def gained(study: str, model: str, init: str, response: Response = EPOCHS, norm: str = "batch") -> str:
    """What a norm gains in words, such as ``4.8 [4.0, 5.6]``."""
    return gain(judged(study)[model, norm, init], response).removeprefix("+")


def told(values: Iterable[float], digits: int = 1) -> str:
    """Mean and 95 % interval over seeds, such as ``4.8 [4.0, 5.6]``."""
    found = np.asarray(list(values), float).round(7)
    low, high = inference.interval(found)
    mean, low, high = (round(float(end), digits) + 0.0 for end in (found.mean(), low, high))
    return f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def crossings(study: str, **labels: object) -> xr.DataArray:
    """Epochs until the target is exceeded, run by run."""
    return responses.epochs_to_target(curves(study)).epochs.sel(labels).squeeze()


def finals(study: str, **labels: object) -> xr.DataArray:
    """Final test accuracies in percent, run by run."""
    return 100 * responses.final(curves(study), "test_accuracy").sel(labels).squeeze().astype(float).round(7)


def equivalent(
    study: str, model: str, init: str, norms: tuple[str, str] = ("none", "batch"), **labels: object
) -> list[bool]:
    """Whether two arms' epochs, and their final accuracies, are shown to be within 2 epochs and 0.2 points."""
    labels |= {"model": model, "init": init}
    found = []
    for values, margin in ((crossings(study, **labels), 2.0), (finals(study, **labels), 0.2)):
        difference = (values.sel(norm=norms[1]) - values.sel(norm=norms[0])).values.astype(float).round(7)
        found.append(bool(inference.equivalence(difference, margin) < 0.05))
    return found
