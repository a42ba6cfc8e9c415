"""What was predicted, what was found, and whether it held, as a table."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from bnstudy.analysis.predictions import Checked
from bnstudy.analysis.tables.table import Table

SIGNS = ("gain", "loss")  # none is a word of the verdict too
SIGN = (
    "where gain or loss is predicted: on which side of 0 the 95 % interval of the gain there lies, not compared "
    "with the reference and not adjusted; all else are words of the verdict"
)


def prediction_table(told: list[Checked]) -> Table:
    """A row an expectation and comparison; the predictions' own words stand below, by number."""
    varied = [name for name in ("model", "setting", "arm") if len({getattr(one, name) for one in told}) > 1]
    words = list(dict.fromkeys(one.prediction for one in told))
    rows = tuple(
        (str(words.index(one.prediction) + 1), *(getattr(one, name) for name in varied), one.condition, one.expected,
         one.found, one.held)
        for one in told
    )  # fmt: skip
    header = ("", *varied, "condition", "predicted", "found", "held")
    notes = [f"{i}: {text}" for i, text in enumerate(words, 1)]
    if any(one.expected in SIGNS for one in told):
        notes.insert(0, SIGN)
    return Table("Predicted, found, held", header, rows, tuple(notes), labels=len(header) - 3)


def plain(told: list[Checked]) -> list[dict[str, Any]]:
    """The same as plain values."""
    return [asdict(one) for one in told]
