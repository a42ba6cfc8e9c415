"""A study's cells as rows of plain values, and their curves as numbers to draw."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from bnstudy.analysis import responses, robustness
from bnstudy.analysis.assessment import cells
from bnstudy.analysis.figures import style
from bnstudy.analysis.results import Results
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


def cell_rows(results: Results, result: xr.Dataset | None) -> list[dict[str, Any]]:
    """One row a cell, in the order of model, setting, condition and arm, at most 1,500.

    Parameters
    ----------
    results : Results
        A study's.
    result : Dataset, optional
        Their assessment, for the verdicts.
    """
    runs, target = results.runs, results.criteria.target_accuracy
    accuracy = mean_interval(100 * responses.final(runs, "test_accuracy"))
    epochs = mean_interval(responses.epochs_to_target(runs, target).epochs)
    reach = robustness.reach(runs, target)
    dead = responses.diverged(runs).sum("seed")
    summary = xr.Dataset({
        "accuracy": accuracy["mean"], "accuracy_half": accuracy["upper"] - accuracy["mean"],
        "epochs": epochs["mean"], "epochs_half": epochs["upper"] - epochs["mean"],
        "reached": reach.reached, "n": reach.n, "diverged": dead,
    }).transpose(*CELL)  # fmt: skip
    columns = {name: summary[name].values.reshape(-1)[:MOST_CELLS].tolist() for name in summary.data_vars}
    judged = [] if result is None else cells(result)
    words = {(cell["model"], cell["setting"], cell["condition"], cell["arm"]): cell for cell in judged}
    rows = []
    for i, labels in enumerate(_labels(runs)):
        cell: dict[str, Any] = dict(zip(CELL, labels, strict=True))
        numbers = {str(name): _number(values[i]) for name, values in columns.items()}
        verdict = words.get(labels, {"word": "", "gain": math.nan})
        rows.append({
            **cell, **numbers, "label": style.arm_label(str(cell["arm"]), results), "group": labels[:-1],
            "role": results.criteria.roles.get(cell["condition"], ""), "verdict": verdict["word"],
            "gain": _number(verdict["gain"]),
        })  # fmt: skip
    groups = {group: i for i, group in enumerate(dict.fromkeys(row["group"] for row in rows))}
    return [{**row, "group": groups[row["group"]]} for row in rows]


def _labels(runs: xr.Dataset) -> Iterator[tuple[Any, ...]]:
    every = product(*(runs[name].values.tolist() for name in CELL))
    for labels, _ in zip(every, range(MOST_CELLS), strict=False):
        yield labels


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def curves(results: Results, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What the page draws of a cell: mean, lowest and highest seed of every curve; epochs are thinned to fit.

    Returns
    -------
    dict
        ``epochs`` (list), ``kinds`` (name, label and unit of each curve), ``cells`` (for each row its labels, group
        and ``values``: for each kind three lists over the epochs, None where nothing was measured).
    """
    dataset = results.runs
    kinds = [name for name in CURVES if name in dataset]
    count = len(rows) * len(kinds) * 3 * dataset.sizes["epoch"]
    step = max(1, math.ceil(count / MOST_NUMBERS))
    shown = np.unique(np.append(np.arange(0, dataset.sizes["epoch"], step), dataset.sizes["epoch"] - 1))
    thinned = dataset.isel(epoch=shown)
    values = {name: _three(dataset, thinned, name)[: len(rows)] for name in kinds}
    listed = [
        {"label": row["label"], "position": _position(dataset, row), "group": row["group"],
         "title": ", ".join(filter(None, (row["model"], row["setting"], row["condition"], row["role"]))),
         "values": [[_short(line) for line in values[name][i]] for name in kinds]}
        for i, row in enumerate(rows)
    ]  # fmt: skip
    return {
        "epochs": thinned.epoch.values.tolist(), "cells": listed, "target": 100 * results.criteria.target_accuracy,
        "kinds": [{"label": CURVES[name][0], "unit": CURVES[name][1]} for name in kinds],
        "colours": list(style.COLOURS),
    }  # fmt: skip


def _three(dataset: xr.Dataset, thinned: xr.Dataset, name: str) -> np.ndarray:
    """Mean, lowest and highest over seeds: (cells, 3, epochs)."""
    factor = 100 if CURVES[name][1] == "%" else 1
    values = factor * responses.counted(thinned, name)
    three = xr.concat([values.mean("seed"), values.min("seed"), values.max("seed")], "of")
    return three.transpose(*CELL, "of", "epoch").values.reshape(-1, 3, thinned.sizes["epoch"])


def _position(dataset: xr.Dataset, row: dict[str, Any]) -> int:
    return dataset.arm.values.tolist().index(row["arm"])


def _short(line: np.ndarray) -> list[float | None]:
    """Numbers to four digits."""
    return [float(f"{value:.4g}") if math.isfinite(value) else None for value in line.tolist()]
