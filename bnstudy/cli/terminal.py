"""Tables as the terminal shows them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bnstudy.analysis.tables.table import Table


def print_table(table: Table) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable

    console = Console(markup=False, emoji=False)
    drawn = RichTable(title=table.title, box=box.SIMPLE, title_justify="left", pad_edge=False)
    for i, name in enumerate(table.header):
        drawn.add_column(name, justify="left" if i < table.labels else "right", overflow="fold")
    for row in table.rows:
        drawn.add_row(*row, style="dim" if row[0].startswith(" ") else None)
    if not console.is_terminal:  # a file has no width: cut nothing
        wide = Console(markup=False, emoji=False, width=1000)
        console = Console(markup=False, emoji=False, width=max(80, wide.measure(drawn).maximum))
    console.print(drawn)
    for note in table.notes:
        console.print(note, highlight=False, markup=False, soft_wrap=True)


def print_text(text: str) -> None:
    """A paragraph, wrapped to the terminal; a file has no width."""
    from rich.console import Console

    console = Console(markup=False, emoji=False, highlight=False)
    console.print(text, soft_wrap=not console.is_terminal)


def say_so_far(source: str | Path) -> None:
    """On standard error, before what a command prints of a study folder: how many runs there are, if not all."""
    from bnstudy.storage.opening import name_of, open_results
    from bnstudy.study.schema import so_far

    if Path(source).is_dir():
        dataset = open_results(source)
        if text := so_far(dataset.attrs):
            print(f"{name_of(dataset, source)}: {text}", file=sys.stderr, flush=True)
