"""How far each word hangs on what was chosen, as a table."""

from __future__ import annotations

from bnstudy.analysis.multiverse import Specification, shares
from bnstudy.analysis.tables.table import Table
from bnstudy.analysis.verdict import WORDS


def multiverse_table(told: list[Specification]) -> Table:
    """A row a comparison: the share of specifications that say each word."""
    rows = shares(told)
    words = [word for word in WORDS if any(word in row["words"] for row in rows)]
    varied = [name for name in ("model", "setting", "treatment") if len({row[name] for row in rows}) > 1]
    listed = tuple(
        (*(str(row[name]) for name in (*varied, "condition")),
         *(_percent(row["words"].get(word, 0), row["specifications"]) for word in words), str(row["specifications"]))
        for row in rows
    )  # fmt: skip
    notes = (
        "share of the specifications that say each word; a specification is one choice of response, budget of epochs, "
        "reference and learning rate",
        "a display, and no test: choices are neither independent nor equally good",
    )
    return Table("Verdicts under every choice", (*varied, "poor condition", *words, "specifications"), listed, notes,
                 labels=len(varied) + 1)  # fmt: skip


def _percent(count: int, of: int) -> str:
    return f"{100 * count / of:.0f} %" if count else ""
