"""Verdicts at each learning rate, and at those that validation selects."""

from __future__ import annotations

from itertools import product
from typing import Any

from bnstudy.analysis.assessment import PLAIN
from bnstudy.analysis.comparisons import Cell, cells
from bnstudy.analysis.results import Results
from bnstudy.analysis.selection import SELECTED
from bnstudy.analysis.tables.table import Table
from bnstudy.analysis.tables.verdicts import number, quantity, rows


def selected_rows(results: Results) -> list[dict[str, Any]]:
    """The rows of :func:`~bnstudy.analysis.tables.verdicts.rows` at the selected rates, and these."""
    found = []
    rates = results.selected_rates
    for row in rows(results.at_selected_rates.assessment):
        here = rates.sel(model=row["model"], init=row["init"], optimizer=row["optimizer"])
        chosen = {arm: number(float(here.sel(norm=arm))) for arm in (PLAIN, row["norm"])}
        found.append({**row, "selected_lr": chosen})
    return found


def selection_table(results: Results) -> Table:
    """A row a (model, norm, optimizer, poor init): the verdict at every rate, and at the selected ones."""
    fixed, rates = results.assessment, results.selected_rates
    at_rate, at_choice = cells(fixed), cells(results.at_selected_rates.assessment)
    lrs = fixed.lr.values.tolist()
    listed = []
    names = ("model", "norm", "optimizer", "init")
    for model, norm, optimizer, init in product(*(fixed[name].values.tolist() for name in names)):
        cell = at_choice[(model, norm, optimizer, SELECTED, init)]
        if cell.role != "poor":
            continue
        here = rates.sel(model=model, init=init, optimizer=optimizer)
        both = "/".join(f"{float(here.sel(norm=arm)):g}" for arm in (PLAIN, norm))
        listed.append((
            model, norm, *([optimizer] if fixed.sizes["optimizer"] > 1 else []), init,
            *(at_rate[(model, norm, optimizer, lr, init)].verdict for lr in lrs), cell.verdict, _difference(cell), both,
        ))  # fmt: skip
    header = ("model", "norm", *(["optimizer"] if fixed.sizes["optimizer"] > 1 else []), "poor init",
              *(f"lr {lr:g}" for lr in lrs), "lr selected", "difference there", "lr none/norm")  # fmt: skip
    notes = (
        "lr selected: each cell at the rate of its highest validation accuracy, mean over seeds; none/norm: which",
        "difference: what the norm gains at the poor init minus at the reference, each at its selected rates",
    )
    return Table("Verdicts by learning rate", header, tuple(listed), notes, labels=len(header) - 2)


def _difference(cell: Cell) -> str:
    one, response = cell.deciding
    return "–" if cell.verdict == "both-fail" else quantity(one.did, one.did_low, one.did_high, response)
