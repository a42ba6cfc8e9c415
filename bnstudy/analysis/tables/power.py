"""What so many seeds can show, before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bnstudy.analysis import power
from bnstudy.analysis.criteria import Criteria
from bnstudy.analysis.tables.table import Table
from bnstudy.analysis.verdict import WORDS

SEEDS = (7, 10, 15, 20, 30)
SHARES = (0.8, 0.9, 0.95, 0.99)  # of all seeds that there could be, on the side of a word


def power_table(criteria: Criteria, seeds: int) -> Table:
    """A row a number of seeds: how many have to agree, and the chance of it."""
    poor, alpha = len(criteria.poor), criteria.level
    rows = []
    for n in sorted({*SEEDS, seeds}):
        needed = power.needed_on_one_side(n, poor, alpha)
        chances = (f"{100 * power.chance(n, poor, alpha, share):.0f} %" for share in SHARES)
        rows.append((f"{n}{' (this study)' if n == seeds else ''}", "none do" if needed is None else f"{needed} of {n}",
                     *chances))  # fmt: skip
    notes = (
        f"agree: seeds that have to lie on one side for a word of difference or sameness, with {poor} poor "
        f"level{'s' * (poor > 1)}, where no other level shows anything",
        "beside it: the chance of that where so large a share of all seeds lies on that side (exact sign tests)",
    )
    header = ("seeds", "have to agree", *(f"{100 * share:g} % do" for share in SHARES))
    return Table("What so many seeds can show", header, tuple(rows), notes)


def pilot_table(rows: Sequence[dict[str, Any]], seeds: int, pilot_seeds: int, lacking: Sequence[str] = ()) -> Table:
    """A row a comparison of a pilot: how often a study of so many seeds would say each word.

    `lacking` are poor levels of the study that the pilot has not.
    """
    varied = [name for name in ("model", "setting", "arm") if len({row[name] for row in rows}) > 1]
    words = [word for word in WORDS if any(row[word] for row in rows)]
    listed = tuple((*(row[name] for name in (*varied, "condition")), *(f"{100 * row[word]:.0f} %" for word in words))
                   for row in rows)  # fmt: skip
    note = f"share of studies of {seeds} seeds, drawn with replacement from the pilot's {pilot_seeds}"
    notes = [note, "a pilot of few seeds tells little"]
    if lacking:
        notes.append(f"too hopeful: the pilot lacks {len(lacking)} poor levels of the study, such as {lacking[0]}, and "
                     "the more there are, the more a word takes")  # fmt: skip
    header = (*varied, "poor condition", *words)
    return Table("What the pilot lets expect", header, listed, tuple(notes), len(varied) + 1)
