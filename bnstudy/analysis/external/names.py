"""Factors that stand in the names of runs, or in the paths of their files: ``{model}_{init}_{seed}``."""

from __future__ import annotations

import re
from dataclasses import replace

from bnstudy.analysis.external.asked import Asked
from bnstudy.analysis.external.files import ENDINGS
from bnstudy.analysis.external.formats import WIDE
from bnstudy.analysis.external.tables import Table, listed, shortened
from bnstudy.study.errors import InputError

NAMES = ("name", "run", "run_name", "run_id", "run name", "run id", "experiment", "trial")  # columns that hold them
KEY = "from_name"


def with_factors(table: Table, asked: Asked) -> Table:
    """A table with a column for each ``{field}`` of the pattern.

    Names are those of the files, of a wide table's columns, or of a column called ``name``, ``run`` or the like. A
    field is one character or more and no ``/``; ``{}`` is a part without a name. A pattern of several parts between
    ``/`` is held against the end of a path, and one without a file's ending against the path without it.

    Raises
    ------
    InputError
        The pattern is none, a name does not fit, or fits in more than one way.
    """
    parts = pattern(asked.from_name or "")
    fields = [name for _, names in parts for name in names if name]
    frame = table.frame
    column = name_column(table, KEY)
    taken = [name for name in fields if name in frame.columns]
    if taken:
        raise InputError(f"{taken[0]!r} is a column already: call the field something else", KEY)
    codes, names = frame[column].factorize()
    if (codes < 0).any():
        raise InputError(f"row {int((codes < 0).argmax()) + 1} has no name", KEY)
    split = [_split(str(name), parts, table.are_paths) for name in names]
    frame = frame.copy()
    for i, field in enumerate(fields):
        frame[field] = [split[code][i] for code in codes]
    return replace(table, frame=frame, name=column)


def name_column(table: Table, key: str) -> str:
    """The column that holds the names of the runs; InputError where there is none, or several."""
    if table.name is not None:
        return table.name
    there = [name for name in table.frame.columns if name.lower() in NAMES]
    if not there and any(WIDE in name for name in table.frame.columns):
        raise InputError("columns are called as in a chart's export of W&B, one a run: say --wide too", key)
    if len(there) != 1:
        found = f"{listed(map(repr, there))} could all be it" if there else f"call one {' or '.join(NAMES[:2])}"
        raise InputError(f"no column that holds the names: {found}, or give a file a run", key)
    return str(there[0])


def stem_of(path: str) -> str:
    """The name of a table's file, without its ending."""
    name = path.rpartition("/")[2].removesuffix(".gz")
    return name.rpartition(".")[0] if name.lower().endswith(ENDINGS) else name


def pattern(text: str) -> list[tuple[list[str], list[str]]]:
    """A pattern's parts between ``/``: of each the texts around its fields, one more than fields, and their names."""
    parts = []
    for part in text.split("/"):
        pieces = re.split(r"\{(\w*)\}", part)
        if any(mark in piece for piece in pieces[::2] for mark in "{}"):
            raise InputError(f"{shortened(text)!r} has a brace that is no {{field}} of letters, digits and _", KEY)
        parts.append((pieces[::2], pieces[1::2]))
    named = [name for _, names in parts for name in names if name]
    if not named:
        raise InputError(f"{shortened(text)!r} has no {{field}}: write e.g. '{{model}}_{{init}}_{{seed}}'", KEY)
    if len(set(named)) < len(named):
        raise InputError(f"{shortened(text)!r} has a field twice: call a part of no interest {{}}", KEY)
    return parts


def _split(name: str, parts: list[tuple[list[str], list[str]]], is_path: bool) -> list[str]:
    """The fields of one name."""
    held = _held_against(name, parts, is_path)
    shown = shortened("/".join(held))
    fields: list[str] = []
    for text, (around, names) in zip(held, parts, strict=True):
        first = _leftmost(text, around)
        backwards = [piece[::-1] for piece in reversed(around)]
        last = _leftmost(text[::-1], backwards)
        if first is None or last is None:
            raise InputError(f"{shown!r} does not fit the pattern", KEY)
        last = [piece[::-1] for piece in reversed(last)]
        if first != last:  # each bound lies as far left, and as far right, as it can: elsewhere is only between
            ways = f"{listed(map(repr, first))}, or {listed(map(repr, last))}"
            raise InputError(f"{shown!r} fits the pattern in more than one way: {ways}", KEY)
        fields += [piece for piece, field in zip(first, names, strict=True) if field]
    return fields


def _held_against(name: str, parts: list[tuple[list[str], list[str]]], is_path: bool) -> list[str]:
    if not is_path:
        if len(parts) > 1 and name.count("/") != len(parts) - 1:
            raise InputError(f"{shortened(name)!r} does not fit the pattern: it has other parts between /", KEY)
        return name.split("/") if len(parts) > 1 else [name]
    held = name.split("/")[-len(parts) :]
    if len(held) < len(parts):
        raise InputError(f"{shortened(name)!r} does not fit the pattern: it has fewer parts between /", KEY)
    end = parts[-1][0][-1].lower()
    if not end.removesuffix(".gz").endswith(ENDINGS):
        held[-1] = held[-1].removesuffix(".gz").rpartition(".")[0] or held[-1]
    return held


def _leftmost(text: str, around: list[str]) -> list[str] | None:
    """What lies between given texts, each of them as far left as it can be; None where they do not fit."""
    if len(around) == 1:
        return [] if text == around[0] else None
    if not text.startswith(around[0]):
        return None
    at, found = len(around[0]), []
    for mark in around[1:-1]:
        end = text.find(mark, at + 1)
        if end < 0:
            return None
        found.append(text[at:end])
        at = end + len(mark)
    end = len(text) - len(around[-1])
    if end <= at or not text.endswith(around[-1]):
        return None
    return [*found, text[at:end]]
