"""Verdicts at each learning rate, and at those that validation selects."""

from __future__ import annotations

from typing import Any

import numpy as np

from bnstudy.analysis.assessment import cells
from bnstudy.analysis.results import Results
from bnstudy.analysis.tables.table import Table
from bnstudy.analysis.tables.verdicts import interval, plain, rows, word


def selected_rows(results: Results) -> list[dict[str, Any]]:
    """The rows of :func:`~bnstudy.analysis.tables.verdicts.rows` at the selected rates, with the seeds of each."""
    at_choice = results.at_selected_rates
    listed = cells(at_choice.assessment, poor=True)
    return [{**row, "selected_lr": _chosen(at_choice, cell)}
            for row, cell in zip(rows(at_choice.assessment), listed, strict=True)]  # fmt: skip


def _chosen(at_choice: Results, cell: Any) -> dict[str, dict[str, int]]:
    """How many seeds of the control and of the treated arm were given which rate."""
    here = at_choice.runs.selected_lr.sel(model=cell["model"], condition=cell["condition"]).isel(
        setting=cell["setting_index"]
    )
    counts = {}
    for name, arm in (("control", at_choice.criteria.control), ("treated", cell["arm"])):
        rates, times = np.unique(here.sel(arm=arm).values, return_counts=True)
        counts[name] = {f"{rate:g}": int(n) for rate, n in zip(rates, times, strict=True) if np.isfinite(rate)}
    return counts


def selection_table(results: Results) -> Table:
    """A row a (model, treated arm, poor condition): the word at every rate, and at the selected ones."""
    fixed, at_choice = results.assessment, results.at_selected_rates
    settings = fixed.attrs["settings"]
    rates = sorted({setting["lr"] for setting in settings})
    at_rate = {(_key(cell, settings), settings[cell["setting_index"]]["lr"]): cell["word"]
               for cell in cells(fixed, poor=True)}  # fmt: skip
    chosen = at_choice.assessment
    attributes = chosen.attrs
    several = {name: chosen.sizes[name] > 1 or (name == "model" and bool(chosen.model.values[0]))
               for name in ("model", "arm", "setting")}  # fmt: skip
    listed = []
    for cell in cells(chosen, poor=True):
        told = _chosen(at_choice, cell)
        both = " / ".join(", ".join(f"{rate} ×{n}" for rate, n in told[arm].items()) for arm in ("control", "treated"))
        words = (at_rate.get((_key(cell, attributes["settings"]), lr), "") for lr in rates)
        listed.append((
            *(cell[name] for name, shown in several.items() if shown), cell["condition"], *words, word(cell),
            interval(cell, "gain"), plain(cell["reference_gain"]), both,
        ))  # fmt: skip
    labels = [attributes["treatment"] if name == "arm" else name for name, shown in several.items() if shown]
    header = (*labels, f"poor {attributes['condition']}", *(f"lr {lr:g}" for lr in rates), "lr selected",
              "gain there [95 %]", f"at {attributes['reference'] or 'reference'}",
              "rates × seeds, control / treated")  # fmt: skip
    notes = (
        "lr selected: each run at the rate at which the other seeds of its cell have the lowest validation score",
        "gain there: in halvings of the error, each run at its selected rate; median over seeds",
    )
    return Table("Verdicts by learning rate", header, tuple(listed), notes, labels=len(header) - 4 - len(rates))


def _key(cell: Any, settings: list[dict[str, Any]]) -> tuple[Any, ...]:
    """What a cell is but for its learning rate."""
    others = {name: level for name, level in settings[cell["setting_index"]].items() if name != "lr"}
    return (cell["model"], cell["arm"], cell["condition"], *others.values())
