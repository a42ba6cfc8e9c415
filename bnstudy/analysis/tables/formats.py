"""Tables and rows as files that other programs read: CSV and LaTeX, with every label made harmless."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from bnstudy.analysis.tables.table import Table

LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--", "<": r"\textless{}", ">": r"\textgreater{}",
    "[": "{[}", "]": "{]}", "\N{MINUS SIGN}": "$-$",
}  # fmt: skip


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of plain values as CSV (RFC 4180); nested ones become columns such as ``setting.lr``.

    A column that some rows lack is empty there.
    """
    flat = [_flat(row) for row in rows]
    written = io.StringIO()
    names = list(dict.fromkeys(name for row in flat for name in row))
    writer = csv.DictWriter(written, fieldnames=names, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(flat)
    return written.getvalue()


def _flat(value: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            columns |= _flat(inner, f"{before}{key}.")
        elif isinstance(inner, list):
            columns |= {f"{before}{key}_{part}": value for part, value in zip(("failed", "runs"), inner, strict=True)}
        else:
            columns[before + key] = harmless(inner)
    return columns


def harmless(value: Any) -> Any:
    """A label that a spreadsheet would take for a formula, as text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t")) else value


def to_latex(table: Table) -> str:
    """A table for LaTeX with booktabs: ``\\begin{tabular}`` to ``\\end{tabular}``, and its notes as comments."""
    columns = "l" * table.labels + "r" * (len(table.header) - table.labels)
    lines = [f"\\begin{{tabular}}{{{columns}}}", "\\toprule"]
    lines += [" & ".join(map(_latex, table.header)) + r" \\", "\\midrule"]
    lines += [" & ".join(map(_latex, row)) + r" \\" for row in table.rows]
    lines += ["\\bottomrule", "\\end{tabular}", *(f"% {note}" for note in table.notes)]
    return "\n".join(lines) + "\n"


def _latex(text: str) -> str:
    signed = re.sub(r"(?<![\w.])-(?=\.?\d)", "\N{MINUS SIGN}", text)  # a hyphen is no minus in print
    return "".join(LATEX.get(character, character) for character in signed)
