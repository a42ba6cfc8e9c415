"""Theory beside measurement, as a table."""

from __future__ import annotations

from bnstudy.analysis.tables.table import Table
from bnstudy.analysis.theory import Growth

MOST_ROWS = 40  # of a table


def growth_table(rows: list[Growth]) -> Table:
    """A row a growth: predicted, measured with its interval, and how far apart they are."""
    shown = tuple(
        (one.model, one.norm, one.init, str(one.batch), one.what, f"{one.predicted:.3f}", f"{one.measured:.3f}",
         f"{one.low:.3f} to {one.high:.3f}", f"{100 * one.deviation:+.1f} %", str(one.n))
        for one in rows
    )  # fmt: skip
    notes: tuple[str, ...] = (
        "growth a layer at initialization, of the signal's mean square (forward) or the squared gradient (backward)",
        "predicted: S² for N(0, S²·2/fan_in) without norm; with BN by the batch size alone (Yang et al. 2019)",
    )
    if len(shown) > MOST_ROWS:
        deepest = rows[-1].model
        shown = tuple(row for row in shown if row[0] == deepest)
        notes = (*notes, "the deepest model alone; --json has all")
    header = ("model", "norm", "init", "batch", "what", "predicted", "measured", "95 % t interval", "deviation", "n")
    return Table("Theory beside measurement", header, shown, notes, labels=5)
