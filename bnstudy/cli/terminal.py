"""Tables and texts as the terminal shows them, and as they go through a pipe: within its width, no word broken."""

from __future__ import annotations

import sys
import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from bnstudy.analysis.tables.table import Table

MOST_ROWS = 40  # of a table
LEAST = 40  # columns; a narrower terminal is taken to be so wide


def console(width: int | None = None) -> Console:
    """Where standard output goes; what is no terminal has 80 columns, or as many as COLUMNS says."""
    from rich.console import Console

    return Console(markup=False, emoji=False, highlight=False, width=width)


def print_table(table: Table, every: str = "") -> None:
    """Print a table: in columns where its words fit, else each row as a few lines.

    Parameters
    ----------
    table : Table
        What to print.
    every : str
        The command that shows all rows; a long table is cut where there is one.
    """
    from bnstudy.cli.layout import in_columns, in_lines, without_blanks

    width = max(console().width, LEAST)
    cut = replace(table, rows=table.rows[:MOST_ROWS]) if every else table
    if laid := in_columns(cut, width):
        _print_columns(*laid)
    else:
        print("\n".join([table.title, "", *in_lines(without_blanks(cut), width), ""]))
    notes = [*table.notes]
    if len(cut.rows) < len(table.rows):
        notes.insert(0, f"the first {len(cut.rows)} of {len(table.rows)} rows; all: {every}")
    for note in notes:
        print(textwrap.fill(note, width, break_long_words=False, break_on_hyphens=False))


def _print_columns(table: Table, widths: list[int]) -> None:
    from rich import box
    from rich.table import Table as RichTable

    from bnstudy.cli.layout import GAP, TIED

    gap = (0, GAP - 1, 0, 0)  # the box's own line is a blank too
    drawn = RichTable(title=table.title, box=box.SIMPLE, title_justify="left", padding=gap, pad_edge=False)
    for i, (name, width) in enumerate(zip(table.header, widths, strict=True)):
        drawn.add_column(name, justify="left" if i < table.labels else "right", width=width)
    for row in table.rows:
        drawn.add_row(*row, style="dim" if row[0].startswith(" ") else None)
    wide = console(width=sum(widths) + GAP * len(widths) + GAP)
    with wide.capture() as captured:
        wide.print(drawn)
    lines = captured.get().replace(TIED, " ").splitlines()
    sys.stdout.write("\n".join(line.rstrip() for line in lines).strip("\n") + "\n\n")


def print_text(text: str) -> None:
    """A paragraph, wrapped to the terminal; through a pipe it is one line."""
    shown = console()
    shown.print(text, soft_wrap=not shown.is_terminal)


def print_listed(name: str, text: str, indent: int = 21) -> None:
    """A name and what is said of it, in two columns on a terminal; through a pipe on one line."""
    shown = console()
    line = f"{name:{indent - 1}} {text}"
    if shown.is_terminal:
        line = textwrap.fill(line, max(shown.width, LEAST), subsequent_indent=" " * indent, break_on_hyphens=False)
    print(line)
