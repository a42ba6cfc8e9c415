"""What every page of quotes is made of: the published datasets, judged, and numbers in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import xarray as xr
from bnstudy.analysis import assessment, inference, responses, signs
from bnstudy.analysis.results import Results
from bnstudy.analysis.tables import verdicts
from bnstudy.analysis.tables.table import Table

from tests.conftest import ROOT

DATA = ROOT / "studies" / "data"
MODELS = ("mlp", "cnn")
CHANCE = 12.0  # percent; above what guessing one digit gets
Cell = Mapping[str, Any]
Judged = dict[tuple[str, str], Cell]  # by model and condition


@cache
def results(name: str) -> Results:
    return Results.open(DATA / name)


def curves(name: str) -> xr.Dataset:
    return results(name).dataset


def target(name: str) -> float:
    """The accuracy whose first crossing is timed."""
    return results(name).criteria.target_accuracy


# ------------------------------------------------------------------ gains and words


@cache
def judged(name: str, arm: str = "batch", setting: str = "", epochs: int | None = None, **criteria: Any) -> Judged:
    """Every cell of a treated arm in a setting, by model and condition; judged otherwise than declared if so asked.

    Parameters
    ----------
    name : str
        Of the study.
    arm, setting : str
        Of them one; the setting ``selected`` has each run at the rate that the other seeds select.
    epochs : int, optional
        So many of the first alone.
    **criteria
        In place of those declared.
    """
    found = results(name).at_selected_rates if setting == "selected" else results(name)
    if epochs or criteria:
        found = Results(found.dataset.isel(epoch=slice(epochs)), replace(found.criteria, **criteria))
    there = found.assessment.sel(arm=[arm])
    if setting not in ("", "selected"):
        there = there.isel(setting=[there.setting.values.tolist().index(setting)])
    assert there.sizes["setting"] == 1
    return {(cell["model"], cell["condition"]): cell for cell in assessment.cells(there)}


def gain(cell: Cell, name: str = "gain") -> str:
    """A median with its interval, in halvings, such as ``1.96 [1.84, 1.99]``."""
    return verdicts.interval(cell, name)


def median(cell: Cell, name: str = "gain") -> str:
    """A median alone, such as ``1.96``."""
    return verdicts.plain(cell[name])


def told_word(cell: Cell) -> str:
    """The verdict, in a table."""
    return verdicts.word(cell) if cell["role"] == "poor" else "(well)"


def failures(cell: Cell) -> str:
    """How many runs failed, without · with the norm."""
    return " · ".join(str(cell["failed"][arm][0]) for arm in ("control", "treated"))


def times(value: float) -> str:
    """How many times smaller an error a gain is, such as ``2.2`` or ``16``."""
    factor = 2.0**value
    return f"{factor:.0f}" if factor >= 10 else f"{factor:.1f}"


def words(found: Judged, model: str) -> dict[str, str]:
    """The verdicts of a model, by poor condition."""
    return {condition: cell["word"] for (of, condition), cell in found.items() if of == model and cell["word"]}


def changed(found: Judged, declared: Judged) -> set[tuple[str, str, str, str]]:
    """Model, condition, the verdict declared and the other, where they differ."""
    return {(*key, declared[key]["word"], cell["word"]) for key, cell in found.items()
            if cell["word"] != declared[key]["word"]}  # fmt: skip


def median_of(values: Iterable[float]) -> str:
    """Median over seeds with its exact interval, in halvings."""
    found = np.asarray(list(values), float).round(9)
    low, high = signs.median_interval(found)
    return " [".join((verdicts.plain(float(signs.median(found))), f"{verdicts.plain(float(low))}, "
                      f"{verdicts.plain(float(high))}]"))  # fmt: skip


# ------------------------------------------------------------------ other responses


def row(*texts: str) -> str:
    return f"| {' | '.join(texts)} |"


def markdown(table: Table) -> list[str]:
    return [row(*(text.strip() for text in line)) for line in table.rows]


def final(name: str, **labels: object) -> float:
    """Mean final test accuracy of a cell in percent."""
    chosen = responses.final(curves(name), "test_accuracy").sel(labels)
    return 100 * float(chosen.mean("seed").squeeze())


def epochs(name: str, **labels: object) -> float:
    """Mean epochs until the target is exceeded, the last where it is not."""
    return float(crossings(name, **labels).mean("seed"))


def reached(name: str, **labels: object) -> int:
    return int(responses.epochs_to_target(curves(name), target(name)).reached.sel(labels).sum())


def told(values: Iterable[float], digits: int = 1, scale: float = 1.0) -> str:
    """`scale` times the mean and 95 % t interval over seeds, such as ``4.8 [4.0, 5.6]``."""
    found = np.asarray(list(values), float).round(7)
    low, high = inference.interval(found)
    mean, low, high = (round(round(scale * float(end), 9), digits) + 0.0 for end in (found.mean(), low, high))
    return f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def crossings(study: str, **labels: object) -> xr.DataArray:
    """Epochs until the target is exceeded, run by run."""
    return responses.epochs_to_target(curves(study), target(study)).epochs.sel(labels).squeeze()


def finals(study: str, **labels: object) -> xr.DataArray:
    """Final test accuracies in percent, run by run."""
    return 100 * responses.final(curves(study), "test_accuracy").sel(labels).squeeze().astype(float).round(7)


def saved(study: str, norm: str = "batch", **labels: object) -> str:
    """Epochs to the target that a norm saves, such as ``4.8 [4.0, 5.6]``."""
    found = crossings(study, **labels)
    return told((found.sel(norm="none") - found.sel(norm=norm)).values)


def higher(study: str, norm: str = "batch", **labels: object) -> str:
    """Points of final accuracy that a norm adds, such as ``0.16 [0.11, 0.21]``."""
    return points(curves(study), norm, **labels)


def points(dataset: xr.Dataset, norm: str = "batch", than: str = "none", **labels: object) -> str:
    """Points of final accuracy that one arm of a dataset is above another."""
    found = responses.final(dataset, "test_accuracy").sel(labels).squeeze().astype(float).round(7)
    return told((found.sel(norm=norm) - found.sel(norm=than)).values, 2, 100)


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
