"""Tables and texts as the terminal shows them, and as they go through a pipe: within its width, no word broken."""

from __future__ import annotations

import sys
import textwrap
from contextlib import AbstractContextManager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr
    from rich.console import Console

    from bnstudy.analysis.tables.table import Table

MOST_ROWS = 40  # of a table
LEAST = 40  # columns; a narrower terminal is taken to be so wide


def prints_aside() -> AbstractContextManager[object]:
    """While a user's code runs: what it prints is not the command's answer, and goes to standard error."""
    return redirect_stdout(sys.stderr)


def console() -> Console:
    """Where standard output goes; what is no terminal has 80 columns, or as many as COLUMNS says."""
    from rich.console import Console

    return Console(markup=False, emoji=False, highlight=False)


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
    lines = in_columns(cut, width) or [*in_lines(without_blanks(cut), width)]
    print("\n".join([table.title, "", *lines, ""]))
    notes = [*table.notes]
    if len(cut.rows) < len(table.rows):
        notes.insert(0, f"the first {len(cut.rows)} of {len(table.rows)} rows; all: {every}")
    for note in notes:
        print(textwrap.fill(note, width, break_long_words=False, break_on_hyphens=False))


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


def say_so_far(dataset: xr.Dataset, source: str | Path) -> None:
    """On standard error, before what a command prints of a study folder: how many runs there are, if not all."""
    from bnstudy.storage.opening import name_of
    from bnstudy.study.schema import so_far

    if Path(source).is_dir() and (text := so_far(dataset.attrs)):
        print(f"{name_of(dataset, source)}: {text}", file=sys.stderr, flush=True)
