"""The report's claims and what was found, as a table and as plain values."""

from __future__ import annotations

import math
from typing import Any

from bnstudy.analysis.claims import Claim
from bnstudy.analysis.normal_form import FIRST
from bnstudy.analysis.results import Results
from bnstudy.analysis.tables.table import Table
from bnstudy.analysis.tables.verdicts import number

MNIST = "mnist"  # of the report


def claims_table(found: list[Claim], results: Results) -> Table:
    """A row a claim: what it is about, what it says, the estimate with its interval, n, and the answer.

    The results they were found in tell where they were measured, if there are several optimizers or learning rates.
    """
    rows = [(one.about, one.text, _quantity(one), str(one.n), one.answer) for one in found]
    notes = [
        "estimate: the difference (for times, the ratio) that the claim is about, with its 95 % t interval;",
        "in halvings the median, with its exact interval",
        "n: pairs; cannot tell: the interval lies on neither side, or there is none",
    ]
    if (data := str(results.dataset.attrs.get("dataset", MNIST))) != MNIST:
        notes.insert(0, f"the report is about MNIST: an answer from {data} neither confirms nor refutes it")
    first = results.dataset.isel({name: [place] for name, place in FIRST.items()})
    if results.dataset.test_accuracy.size > first.test_accuracy.size:
        notes.append(f"measured at the study's first setting alone: {first.optimizer.item()}, lr {first.lr.item():g}")
    header = ("about", "claim", "estimate", "n", "answer")
    return Table("The report's claims", header, tuple(rows), tuple(notes), labels=2)


def _quantity(one: Claim) -> str:
    scale, digits, unit = {
        "epochs": (1, 1, " epochs"), "times": (1, 2, " times"), "parameters": (1, 0, " parameters"),
        "halvings": (1, 2, " halvings"),
    }.get(one.unit, (100, 2, " points"))  # fmt: skip
    sign = "" if one.unit == "times" else "+"
    if math.isnan(one.estimate):
        return "–"
    mean, low, high = (f"{scale * value:{sign},.{digits}f}" for value in (one.estimate, one.low, one.high))
    return mean + unit + ("" if one.low == one.high or math.isnan(one.low) else f" [{low}, {high}]")


def plain(claim: Claim) -> dict[str, Any]:
    """A claim as plain Python values; None for an estimate or an end that is not there."""
    return {
        "about": claim.about, "claim": claim.text, "estimate": number(claim.estimate),
        "interval": [number(claim.low), number(claim.high)], "unit": claim.unit, "n": claim.n, "answer": claim.answer,
    }  # fmt: skip
