"""How a table is laid out within a width, so that no word of it is broken."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, product

from rich.cells import cell_len

from bnstudy.analysis.tables.table import Table

GAPS = ("  ", " ")  # between columns, the second where there is no room for the first
EDGE = " "  # before the first
TIED = "\ue000"  # stands for a blank at which no line ends
BREAK = "\u200b"  # where a line may end without a blank

Words = list[str]  # of a cell, each with the blank or break after it


def in_columns(table: Table, width: int) -> list[str] | None:
    """The lines of the table's header and rows, as few as there can be; None where its words do not fit.

    Where that saves lines, labels that repeat stand above their rows, and columns without a word in them go.
    """
    candidates = [table, without_blanks(table)]
    candidates += [_grouped(laid, first) for first in range(1, table.labels) for laid in candidates[:2]]
    ties: tuple[Callable[[str], str], ...] = (_tied, str)
    for gap in GAPS:
        found = []
        for tie, laid in product(ties, candidates):
            cells = [[*map(_words, map(_breakable, map(_tied, laid.header)))]]
            cells += [[*map(_words, map(tie, row))] for row in laid.rows]
            if widths := _widths(cells, width - len(EDGE) - len(gap) * (len(laid.header) - 1)):
                found.append([*_drawn(laid, cells, widths, gap)])
        if found:
            return min(found, key=len)
    return None


def _widths(cells: Sequence[Sequence[Words]], room: int) -> list[int] | None:
    """How wide each column is; None where a word does not fit.

    Of all columns the one gives way, a character at a time, that costs fewest lines, the widest of such.
    """
    columns = [*zip(*(row for row in cells if len(row) == len(cells[0])), strict=True)]
    least = [max(_length(word) for words in column for word in words) for column in columns]
    widths = [max(_length("".join(words)) for words in column) for column in columns]
    if sum(least) > room:
        return None
    heights = [_heights(column, width) for column, width in zip(columns, widths, strict=True)]
    while sum(widths) > room:
        options = []
        for i in (i for i in range(len(widths)) if widths[i] > least[i]):
            lower = _heights(columns[i], widths[i] - 1)
            lines = sum(map(max, zip(*heights[:i], lower, *heights[i + 1 :], strict=True)))
            options.append((lines, -widths[i], i, lower))
        _, _, i, lower = min(options, key=lambda one: one[:3])
        widths[i], heights[i] = widths[i] - 1, lower
    return widths


def _heights(column: Sequence[Words], width: int) -> list[int]:
    return [len(_lines(words, width)) for words in column]


def _lines(words: Words, width: int) -> list[str]:
    """Words in lines of no more than so many characters."""
    lines = [""]
    for word in words:
        if lines[-1] and _length(lines[-1] + word) > width:
            lines.append("")
        lines[-1] += word
    return [line.replace(BREAK, "").replace(TIED, " ").rstrip() for line in lines]


def _length(text: str) -> int:
    return cell_len(text.replace(BREAK, "").rstrip(" "))


def _words(text: str) -> Words:
    indented = TIED * (len(text) - len(text.lstrip(" "))) + text.lstrip(" ")
    return re.findall(rf"[^ {BREAK}]+[ {BREAK}]*", indented) or [""]


def _breakable(name: str) -> str:
    """A header that may be broken within a word too, after a hyphen or stroke."""
    return re.sub(r"(?<=\w[-/])(?=\w)", BREAK, name)


def _tied(text: str) -> str:
    """A cell's text in which an interval, two counts, a bound, and a number and its unit stay on one line."""
    whole = r"\[[^\]]*\]|\(\d+ of \d+\)|≥ \S+|\S+ [×%±·](?: \S+)?"
    return re.sub(whole, lambda found: found[0].replace(" ", TIED), text)


def _drawn(table: Table, cells: Sequence[Sequence[Words]], widths: Sequence[int], gap: str) -> Iterator[str]:
    """The lines: the header, a rule, and the rows."""
    for i, row in enumerate(cells):
        if len(row) < len(widths):  # labels above the rows that they are of
            yield EDGE + "".join(row[0]).replace(TIED, " ")
            continue
        parts = [_lines(words, width) for words, width in zip(row, widths, strict=True)]
        height = max(map(len, parts))
        for part in parts:
            blanks = [""] * (height - len(part))
            part[:] = [*blanks, *part] if i == 0 else [*part, *blanks]
        for line in zip(*parts, strict=True):
            padded = (_padded(text, widths[j], left=j < table.labels) for j, text in enumerate(line))
            yield (EDGE + gap.join(padded)).rstrip()
        if i == 0:
            yield EDGE + "─" * (sum(widths) + len(gap) * (len(widths) - 1))


def _padded(text: str, width: int, left: bool) -> str:
    blanks = " " * (width - cell_len(text))
    return text + blanks if left else blanks + text


def without_blanks(table: Table) -> Table:
    """The table without the columns in which no row says anything."""
    kept = [i for i in range(len(table.header)) if i < table.labels or any(row[i].strip() for row in table.rows)]
    header = tuple(table.header[i] for i in kept)
    return replace(table, header=header, rows=tuple(tuple(row[i] for i in kept) for row in table.rows))


def _grouped(table: Table, first: int) -> Table:
    """The table with the first of its labels on a row of their own, above the rows in which they are the same."""
    rows: list[tuple[str, ...]] = []
    for labels, some in groupby(table.rows, key=lambda row: row[:first]):
        rows += [(f"{' · '.join(labels)}:",), *(row[first:] for row in some)]
    return replace(table, header=table.header[first:], rows=tuple(rows), labels=table.labels - first)


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
