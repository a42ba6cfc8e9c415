"""An assessment told as rows of plain values, and as a table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import xarray as xr

from bnstudy.analysis.assessment import NO_BOUND, cells
from bnstudy.analysis.labels import arm_label
from bnstudy.analysis.tables.table import Table


def rows(result: xr.Dataset) -> list[dict[str, Any]]:
    """One row a (model, setting, treated arm, poor condition), of plain Python values; None for what is not there.

    Gains are in halvings of the error. ``setting`` holds every other factor's level.
    """
    settings = result.attrs["settings"]
    return [_row(cell, settings[cell["setting_index"]], result.attrs) for cell in cells(result, poor=True)]


def _row(cell: Mapping[str, Any], setting: dict[str, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "model": cell["model"], "setting": setting, "treatment": cell["arm"], "control": attributes["control"],
        "condition": cell["condition"], "reference": attributes["reference"], "n": cell["n"],
        **{name: number(cell[name]) for name in
           ("gain", "gain_low", "gain_high", "reference_gain", "difference", "difference_low", "difference_high")},
        "ratio_at_least": number(cell["times_at_least"]), "p": number(cell["p_adjusted"]), "verdict": cell["word"],
        "remark": cell["remark"], "failures": {**cell["failed"], "p": number(cell["p_failures"])},
    }  # fmt: skip


def number(value: float) -> float | None:
    return value if math.isfinite(value) else None


# ------------------------------------------------------------------ as a table


def verdict_table(result: xr.Dataset, marked: bool = False) -> Table:
    """A row a poor condition: what the treatment gains there and at the reference, which runs failed, and the word.

    Remarks on words stand beside them; where `marked`, below the table, and a mark beside the word.
    """
    listed, attributes = cells(result, poor=True), result.attrs
    varied = [name for name in ("model", "setting", "arm") if result.sizes[name] > 1 or (name == "model" and
              result.model.values[0])]  # fmt: skip
    reference = attributes["reference"] or "reference"
    bounded = any(map(times, listed))
    marks = dict(zip(dict.fromkeys(filter(None, map(_remark, listed))), MARKS, strict=False)) if marked else {}
    listed_rows = [
        (
            *(str(cell[name]) for name in varied), cell["condition"], interval(cell, "gain"),
            plain(cell["reference_gain"]), *([times(cell)] if bounded else []), failed(cell),
            f"{cell['word']}{marks.get(_remark(cell), '')}" if marked else word(cell),
        )
        for cell in listed
    ]  # fmt: skip
    names = {"arm": attributes["treatment"]}
    control = arm_label(attributes["control"], attributes["treatment"])
    header = (*(names.get(name, name) for name in varied), f"poor {attributes['condition']}", "gain [95 %]",
              f"gain at {reference}", *(["times, at least"] if bounded else []), "failed", "verdict")  # fmt: skip
    at_least = f"at least: how many times the gain at {reference} it is, by the test that decides mainly"
    notes = (
        f"gain: halvings of the error against {control}, averaged over the training (1: half of it); median over seeds",
        *([at_least] if bounded else []),
        "failed: runs that diverged or never got below half the error of guessing, of the control · of the treated",
        _meanings(listed, attributes),
        *(f"assumed, as no option says otherwise: {'; '.join(said)}" for said in [attributes["assumed"]] if said),
        *(f"{mark}: {remark}" for remark, mark in marks.items()),
    )
    return Table("Verdicts", header, tuple(listed_rows), notes, labels=len(varied) + 1)


MARKS = "*†‡§"  # of remarks
MEANINGS = {
    "mainly": "helps here more than {times:g} times as much as at {reference}",
    "more": "helps more here than at {reference}",
    "harms": "does harm here",
    "less": "gains less here than at {reference}",
    "none": "shown to do less than {margin:g} halvings here",
    "alike": "differs by less than {margin:g} from what it does at {reference}",
    "unclear": "the data cannot tell",
}


def meaning(word: str, attributes: Mapping[str, Any]) -> str:
    """What a word of the verdict says."""
    return MEANINGS[word].format(
        times=attributes["mainly_times"], margin=attributes["margin"],
        reference=attributes["reference"] or "the reference",
    )  # fmt: skip


def _meanings(listed: list[Mapping[str, Any]], attributes: Mapping[str, Any]) -> str:
    """What those words say that are there."""
    there = {cell["word"] for cell in listed}
    return "; ".join(f"{word}: {meaning(word, attributes)}" for word in MEANINGS if word in there)


def interval(cell: Mapping[str, Any], name: str) -> str:
    """A median and its interval, in halvings; without one where there are too few pairs."""
    value, low, high = (cell[name], cell[f"{name}_low"], cell[f"{name}_high"])
    if math.isnan(value):
        return "–"
    return plain(value) + ("" if math.isnan(low) else f" [{plain(low)}, {plain(high)}]")


def plain(value: float) -> str:
    """Halvings, to two decimals; never a negative zero."""
    return "–" if math.isnan(value) else f"{round(value, 2) + 0.0:.2f}"


def times(cell: Mapping[str, Any]) -> str:
    """How many times the gain at the reference a gain is at least."""
    bound = cell["times_at_least"]
    return "" if math.isnan(bound) else "no bound" if math.isinf(bound) else f"{math.floor(10 * bound) / 10:.1f} ×"


def failed(cell: Mapping[str, Any]) -> str:
    """How many runs failed, control and treated: ``8/10 · 0/10``."""
    return " · ".join("{}/{}".format(*cell["failed"][arm]) for arm in ("control", "treated"))


def word(cell: Mapping[str, Any]) -> str:
    """The verdict as it is told, completed where the word alone would mislead."""
    return f"{cell['word']} ({_remark(cell)})" if _remark(cell) else str(cell["word"])


def _remark(cell: Mapping[str, Any]) -> str:
    """What completes the word, but for what the table says in a column."""
    return str(cell["remark"]) if cell["remark"] != NO_BOUND else ""
