"""The verdict under every reasonable choice: shares of the words, and a specification curve."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from bnstudy.analysis.assessment import NEITHER, cells
from bnstudy.analysis.figures import gains, panels, style
from bnstudy.analysis.labels import condition_label
from bnstudy.analysis.multiverse import CHOICES, Specification, shares
from bnstudy.analysis.results import Results
from bnstudy.analysis.tables.table import Table
from bnstudy.analysis.verdict import WORDS
from bnstudy.study.registry import figures

MOST_ROWS = 36  # comparisons whose shares are drawn
# By word: a colour, and a hatch that tells it in grey.
LOOKS: dict[str, tuple[str, str]] = {
    "mainly": ("#0072B2", ""), "more": ("#56B4E9", "//"), "alike": ("#F0E442", "--"), "less": ("#E69F00", "\\\\"),
    "none": ("#dddddd", ""), "harms": ("#D55E00", "xx"), "unclear": ("white", "..."),
}  # fmt: skip


@figures.register(
    "multiverse",
    label="Every verdict under every choice",
    caption="Share of specifications that give each word: every choice of response, budget of epochs, reference and "
    "learning rate. A display, not a test.",
    applies=gains.is_comparison,
)
def word_shares(results: Results, ax: Axes | None = None) -> Figure:
    """A row a comparison, a bar of the shares of its words."""
    rows = shares(results.multiverse)
    shown = rows[:MOST_ROWS]
    names = panels.comparisons_told(results, [_key(row) for row in shown])
    figure, axes = style.grid(1, 1, ax, width=5.4 + 0.06 * max(map(len, names)), height=0.26 * len(shown) + 0.8)
    panel = axes[0, 0]
    left = np.zeros(len(shown))
    for word in WORDS:
        share = np.array([100 * row["words"].get(word, 0) / row["specifications"] for row in shown])
        if share.any():
            colour, hatch = LOOKS[word]
            panel.barh(range(len(shown)), share, left=left, color=colour, hatch=hatch, edgecolor="#444444",
                       linewidth=0.6, label=word)  # fmt: skip
            left += share
    panel.set_yticks(range(len(shown)), names)
    panel.set_ylim(len(shown) - 0.4, -0.6)
    panel.set_xlim(0, 100)
    panel.set_xlabel("% of specifications")
    panel.grid(False, axis="y")
    style.legend(figure, ax, panel)
    cut = f"; the first {len(shown)} of {len(rows)} comparisons" if len(rows) > len(shown) else ""
    note = (
        f"{max(row['specifications'] for row in rows)} specifications a comparison; {panels.seeds(results.runs)}{cut}"
    )
    return style.finish(figure, ax, style.source(results.curves), note)


def _most_disputed(results: Results) -> tuple[dict[str, Any], list[Specification], list[tuple[str, str]]]:
    """The comparison whose words differ most, its specifications by rising gain, and what they choose among."""
    told = results.multiverse
    nothing_learns = {(cell["model"], cell["setting"], cell["arm"], cell["condition"])
                      for cell in cells(results.assessment, poor=True) if cell["remark"] == NEITHER}  # fmt: skip
    every = shares(told)
    chosen = max([row for row in every if _key(row) not in nothing_learns] or every, key=_dispute)
    ranked = sorted((one for one in told if _is_of(one, chosen) and not math.isnan(one.gain)), key=lambda one: one.gain)
    levels = [(name, level) for name in CHOICES for level in dict.fromkeys(getattr(one, name) for one in ranked)]
    return chosen, ranked, [one for one in levels if sum(name == one[0] for name, _ in levels) > 1]


def choice_table(results: Results) -> Table:
    """A row a choice: of the specifications that make it how many give each word, and their gains."""
    chosen, ranked, levels = _most_disputed(results)
    words = [word for word in WORDS if any(one.word == word for one in ranked)]
    rows = []
    for choice, level in [("all", ""), *levels]:
        of = [one for one in ranked if not level or getattr(one, choice) == level]
        gained = [one.gain for one in of]
        between = f"{min(gained):.2f} to {max(gained):.2f}" if gained else "–"
        rows.append((f"{choice}: {level}" if level else choice, str(len(of)), between,
                     *(str(sum(one.word == word for one in of)) for word in words)))  # fmt: skip
    title = f"Specifications of {', '.join(filter(None, _key(chosen)))}"
    return Table(title, ("choice", "specifications", "gain, in margins", *words), tuple(rows))


@figures.register(
    "specification-curve",
    label="The most disputed comparison, choice by choice",
    caption="The comparison whose words differ most between specifications: above, each specification's gain with its "
    "95 % interval, in units of the margin that counts as none, by rising gain; below, what it chose.",
    applies=gains.is_comparison,
    table=choice_table,
)
def specification_curve(results: Results, ax: Axes | None = None) -> Figure:
    """Gains of one comparison by rising gain, a mark a word, above a matrix of choices."""
    chosen, ranked, levels = _most_disputed(results)
    height = 2.8 + 0.2 * len(levels)
    if ax is None:
        figure = Figure(figsize=(9.0, height + 1), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2.8, 0.2 * max(len(levels), 1)))
    else:
        figure, axes = style.grid(2, 1, ax)
        above, below = axes[:, 0]
    gains.mark_none(above, 1.0)
    for position, word in enumerate(WORDS):
        at = [i for i, one in enumerate(ranked) if one.word == word]
        if at:
            _draw_word(above, at, [ranked[i] for i in at], position, word)
    above.set_yscale("symlog", linthresh=2, linscale=0.8)
    above.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    above.yaxis.set_minor_locator(NullLocator())
    above.set_ylabel("gain (margins)")
    if above.get_legend_handles_labels()[0]:
        above.legend(ncols=len(WORDS), loc="upper left", fontsize=7)
    for row, (name, level) in enumerate(levels):
        at = [i for i, one in enumerate(ranked) if getattr(one, name) == level]
        below.plot(at, [row] * len(at), "|", color="black", markersize=5)
    below.set_yticks(range(len(levels)), [style.shorten(f"{name}: {level}", 40) for name, level in levels], fontsize=7)
    below.set_ylim(len(levels) - 0.4, -0.6)
    below.set_xlabel("specification, by rising gain")
    below.grid(False)
    parts = [chosen["model"], chosen["setting"], condition_label(chosen["condition"], results.criteria.condition)]
    title = f"{style.source(results.curves)}: {', '.join(filter(None, parts))}"
    note = f"{len(ranked)} specifications; {panels.seeds(results.runs)}; hatched: counts as none"
    return style.finish(figure, ax, title, note)


def _draw_word(panel: Axes, at: list[int], told: list[Specification], position: int, word: str) -> None:
    middle = np.array([one.gain for one in told])
    error = np.nan_to_num([[one.gain - one.gain_low for one in told], [one.gain_high - one.gain for one in told]])
    look: dict[str, Any] = {**style.arm_style(position), "linestyle": "none"}
    panel.errorbar(at, middle, yerr=error, markersize=3.5, linewidth=0.8, label=word, **look)


def _dispute(row: dict[str, Any]) -> float:
    """How little the specifications agree: entropy of the words."""
    parts = [count / row["specifications"] for count in row["words"].values()]
    return -sum(part * math.log(part) for part in parts)


def _key(row: dict[str, Any]) -> tuple[str, ...]:
    return (row["model"], row["setting"], row["treatment"], row["condition"])


def _is_of(one: Specification, row: dict[str, Any]) -> bool:
    return (one.model, one.setting, one.arm, one.condition) == _key(row)
