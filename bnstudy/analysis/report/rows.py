"""A study's cells as rows of plain values, and their curves as numbers to draw."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from bnstudy.analysis import responses, robustness
from bnstudy.analysis.assessment import cells
from bnstudy.analysis.figures import style
from bnstudy.analysis.results import Judged, Results
from bnstudy.analysis.summaries import mean_interval

CELL = ("model", "setting", "condition", "arm")
MOST_CELLS = 1500  # rows in a page
MOST_NUMBERS = 100_000  # of all curves in a page, about 0.9 MB of text
CURVES = {
    "test_accuracy": ("test accuracy", "%"),
    "train_accuracy": ("training accuracy", "%"),
    "validation_accuracy": ("validation accuracy", "%"),
    "test_loss": ("test loss", "nat"),
    "train_loss": ("training loss", "nat"),
    "validation_loss": ("validation loss", "nat"),
}


@dataclass(frozen=True)
class Measure:
    """A column of numbers: its header, and for every cell how it is told and by what it is sorted."""

    header: str
    texts: list[str]
    order: list[float | None]


def cell_rows(results: Judged) -> list[dict[str, Any]]:
    """The labels of each cell, in the order of model, setting, condition and arm, at most 1,500, with its verdict."""
    runs, criteria = results.runs, results.criteria
    judged = cells(results.assessment) if results.can_judge else []
    words = {(cell["model"], cell["setting"], cell["condition"], cell["arm"]): cell for cell in judged}
    rows = []
    for labels in _labels(runs):
        cell: dict[str, Any] = dict(zip(CELL, labels, strict=True))
        verdict = words.get(labels, {"word": "", "gain": math.nan})
        rows.append({
            **cell, "label": style.arm_label(str(cell["arm"]), results), "group": labels[:-1],
            "role": criteria.roles.get(cell["condition"], ""), "verdict": verdict["word"],
            "gain": _number(verdict["gain"]),
        })  # fmt: skip
    groups = {group: i for i, group in enumerate(dict.fromkeys(row["group"] for row in rows))}
    return [{**row, "group": groups[row["group"]]} for row in rows]


def measures(results: Judged) -> list[Measure]:
    """What is told of each cell besides: of a study accuracies and epochs, of other runs their scores and failures."""
    return _of_study(results) if isinstance(results, Results) else _of_scores(results)


def _of_study(results: Results) -> list[Measure]:
    runs, target = results.runs, results.criteria.target_accuracy
    accuracy = mean_interval(100 * responses.final(runs, "test_accuracy"))
    epochs = mean_interval(responses.epochs_to_target(runs, target).epochs)
    reach = robustness.reach(runs, target)
    reached, n, dead = (_column(values) for values in (reach.reached, reach.n, responses.diverged(runs).sum("seed")))
    times = []
    for text, there, all_of in zip(_told(epochs, 1), reached, n, strict=True):
        times.append("–" if not all_of else "never" if not there else text if there == all_of else f"≥ {text}")
    return [
        Measure("final accuracy, %", _told(accuracy, 2), _sorted(accuracy["mean"])),
        Measure(f"epochs to >{100 * target:g} %", times, _sorted(epochs["mean"])),
        Measure("got there", [f"{int(k)}/{int(m)}" for k, m in zip(reached, n, strict=True)],
                [k / m if m else None for k, m in zip(reached, n, strict=True)]),
        Measure("diverged", [f"{int(k)}" for k in dead], list(dead)),
    ]  # fmt: skip


def _of_scores(results: Judged) -> list[Measure]:
    values, failed = results.scores.values, results.scores.failed
    error = mean_interval(values)
    k, n = _column(failed.where(values.notnull(), False).sum("seed")), _column(values.notnull().sum("seed"))
    return [
        Measure("log2 of the error, mean", _told(error, 2), _sorted(error["mean"])),
        Measure("failed", [f"{int(a)}/{int(b)}" for a, b in zip(k, n, strict=True)],
                [a / b if b else None for a, b in zip(k, n, strict=True)]),
    ]  # fmt: skip


def _column(values: xr.DataArray) -> list[float]:
    numbers: list[float] = values.transpose(*CELL).values.reshape(-1)[:MOST_CELLS].astype(float).tolist()
    return numbers


def _sorted(values: xr.DataArray) -> list[float | None]:
    return [_number(value) for value in _column(values)]


def _told(summary: xr.Dataset, digits: int) -> list[str]:
    """Means with the half-widths of their intervals."""
    means, halves = _column(summary["mean"]), _column(summary["upper"] - summary["mean"])
    return ["–" if math.isnan(mean) else f"{mean:.{digits}f}" + ("" if math.isnan(half) else f" ± {half:.{digits}f}")
            for mean, half in zip(means, halves, strict=True)]  # fmt: skip


def _labels(runs: xr.Dataset) -> Iterator[tuple[Any, ...]]:
    every = product(*(runs[name].values.tolist() for name in CELL))
    for labels, _ in zip(every, range(MOST_CELLS), strict=False):
        yield labels


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def curves(results: Judged, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What the page draws of a cell: mean, lowest and highest seed of every curve; epochs are thinned to fit.

    Returns
    -------
    dict
        ``epochs`` (list), ``kinds`` (label and unit of each curve), ``cells`` (for each row its labels, group
        and ``values``: for each kind three lists over the epochs, None where nothing was measured).
    """
    every = _curves(results)
    size = results.runs.sizes["epoch"]
    step = max(1, math.ceil(len(rows) * len(every) * 3 * size / MOST_NUMBERS))
    shown = np.unique(np.append(np.arange(0, size, step), size - 1))
    values = [_three(curve.isel(epoch=shown))[: len(rows)] for curve, _, _ in every]
    listed = [
        {"label": row["label"], "position": _position(results.runs, row), "group": row["group"],
         "title": _title(row),
         "values": [[_short(line) for line in of_kind[i]] for of_kind in values]}
        for i, row in enumerate(rows)
    ]  # fmt: skip
    return {
        "epochs": results.runs.epoch.values[shown].tolist(), "cells": listed,
        "target": 100 * results.criteria.target_accuracy if isinstance(results, Results) else None,
        "kinds": [{"label": label, "unit": unit} for _, label, unit in every],
        "colours": list(style.COLOURS),
    }  # fmt: skip


def _curves(results: Judged) -> list[tuple[xr.DataArray, str, str]]:
    """Every curve there is, as it is drawn, with its label and unit."""
    if not isinstance(results, Results):
        share = bool((results.log_errors <= 0).all())
        return [(results.log_errors.copy(data=(100 if share else 1) * 2.0**results.log_errors.values), "error",
                 "%" if share else "1")]  # fmt: skip
    return [((100 if unit == "%" else 1) * responses.counted(results.runs, name), label, unit)
            for name, (label, unit) in CURVES.items() if name in results.runs]  # fmt: skip


def _three(values: xr.DataArray) -> np.ndarray:
    """Mean, lowest and highest over seeds: (cells, 3, epochs)."""
    three = xr.concat([values.mean("seed"), values.min("seed"), values.max("seed")], "of")
    return three.transpose(*CELL, "of", "epoch").values.reshape(-1, 3, values.sizes["epoch"])


def _title(row: dict[str, Any]) -> str:
    """What a cell is, but for its arm: ``mlp, lr 0.1, zero (poor)``."""
    named = ", ".join(filter(None, (row["model"], row["setting"], row["condition"])))
    return f"{named} ({row['role']})" if row["role"] else named


def _position(dataset: xr.Dataset, row: dict[str, Any]) -> int:
    return dataset.arm.values.tolist().index(row["arm"])


def _short(line: np.ndarray) -> list[float | None]:
    """Numbers to four digits."""
    return [float(f"{value:.4g}") if math.isfinite(value) else None for value in line.tolist()]
