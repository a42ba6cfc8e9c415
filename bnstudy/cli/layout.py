"""How a table is laid out within a width, so that no word of it is broken."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from rich.cells import cell_len

from bnstudy.analysis.tables.table import Table

GAP = 2  # blanks between columns
EDGE = 1  # blank before the first
TIED = "\ue000"  # stands for a blank at which no line ends


def in_columns(table: Table, width: int) -> tuple[Table, list[int]] | None:
    """The table as it takes fewest lines, its header wrapped, and the width of each column; None if it does not fit.

    Where that saves lines, a first label that repeats stands above its rows, and columns without a word in them go.
    """
    best: tuple[int, Table, list[int]] | None = None
    for tie in (tied, str):
        for laid in (table, without_blanks(table), _grouped(table), _grouped(without_blanks(table))):
            cells = [[tie(text) for text in row] for row in laid.rows]
            found = _widths([*map(tied, laid.header)], cells, width - EDGE - GAP * (len(laid.header) - 1))
            if found and (best is None or found[0] < best[0]):
                header = tuple(_wrapped(name, most) for name, most in zip(laid.header, found[1], strict=True))
                best = found[0], replace(laid, header=header, rows=tuple(map(tuple, cells))), found[1]
    return best[1:] if best else None


def _widths(header: list[str], rows: list[list[str]], room: int) -> tuple[int, list[int]] | None:
    """The lines that a table takes and how wide each column is; None where a word does not fit.

    Of all columns the one gives way, a character at a time, that costs fewest lines, the widest of such.
    """
    columns = [[_words(name, hyphens=True), *(_words(text) for text in cells)]
               for name, *cells in zip(header, *rows, strict=True)]  # fmt: skip
    least = [max(cell_len(word) for words in column for word in words) for column in columns]
    widths = [max(sum(map(cell_len, words)) + len(words) - 1 for words in column) for column in columns]
    if sum(least) > room:
        return None
    heights = [_heights(column, width) for column, width in zip(columns, widths, strict=True)]
    while sum(widths) > room:
        options = []
        for i in (i for i in range(len(widths)) if widths[i] > least[i]):
            lower = _heights(columns[i], widths[i] - 1)
            options.append((_lines([*heights[:i], lower, *heights[i + 1 :]]), -widths[i], i, lower))
        _, _, i, lower = min(options, key=lambda one: one[:3])
        widths[i], heights[i] = widths[i] - 1, lower
    return _lines(heights), [max(one, 1) for one in widths]


def _words(text: str, hyphens: bool = False) -> list[str]:
    return re.split(r"(?<=\w-)(?=\w)| " if hyphens else " ", text)


def _heights(column: Sequence[Sequence[str]], width: int) -> list[int]:
    """How many lines each cell of a column takes, of which there are the words."""
    heights = []
    for words in column:
        lines, used = 1, -1
        for word in words:
            length = cell_len(word)
            if used >= 0 and used + 1 + length > width:
                lines, used = lines + 1, -1
            used += 1 + length
        heights.append(lines)
    return heights


def _lines(heights: Sequence[Sequence[int]]) -> int:
    return sum(map(max, zip(*heights, strict=True)))


def _wrapped(name: str, width: int) -> str:
    """A header in lines of so many characters."""
    return "\n".join(textwrap.wrap(tied(name), width, break_long_words=False)) or " "


def tied(text: str) -> str:
    """A cell's text in which an interval, two counts, and a number and its unit stay on one line."""
    return re.sub(r"\[[^\]]*\]|\S+ [×%±·](?: \S+)?", lambda found: found[0].replace(" ", TIED), text)


def without_blanks(table: Table) -> Table:
    """The table without the columns in which no row says anything."""
    kept = [i for i in range(len(table.header)) if i < table.labels or any(row[i].strip() for row in table.rows)]
    return replace(
        table,
        header=tuple(table.header[i] for i in kept),
        rows=tuple(tuple(row[i] for i in kept) for row in table.rows),
    )


def _grouped(table: Table) -> Table:
    """The table with the first of its labels on a row of its own, above those that it repeats in."""
    if table.labels < 2 or len({row[0] for row in table.rows}) == len(table.rows):
        return table
    rows: list[tuple[str, ...]] = []
    for label, some in groupby(table.rows, key=lambda row: row[0]):
        rows += [(f"{label}:", *[""] * (len(table.header) - 2)), *(row[1:] for row in some)]
    return replace(table, header=table.header[1:], rows=tuple(rows), labels=table.labels - 1)


def in_lines(table: Table, width: int) -> Iterator[str]:
    """Each row as its labels and, below, what the table says of them, every cell with its column's name."""
    for row in table.rows:
        yield from _packed([text for text in row[: table.labels] if text.strip()], width, "")
        cells = zip(table.header[table.labels :], row[table.labels :], strict=True)
        yield from _packed([f"{name}: {text}" for name, text in cells if text], width, "  ")


def _packed(parts: Sequence[str], width: int, indent: str) -> Iterator[str]:
    """Parts with dots between them, as many on a line as fit."""
    line = ""
    for part in parts:
        longer = f"{line} · {part}" if line else indent + part
        if line and cell_len(longer) > width:
            yield line
            longer = indent + part
        line = longer
    if line:
        yield line
