"""The reference of what comes with bnstudy and can be plugged in: each registry's entries, from their docstrings."""

from __future__ import annotations

import inspect
import re

from bnstudy.cli.list import as_listed, registries
from bnstudy.study.registry import Entry, Registry

NAME = "reference/levels"


def pages() -> dict[str, str]:
    """One page, a section a kind."""
    lines = [
        "# Levels",
        "",
        "What a study's lists may name; `bnstudy list KIND` tells the same, a plugin's included.",
        "",
    ]
    for kind, entries in registries().items():
        if kind != "figures":  # which the gallery shows
            lines += [f"## {kind.capitalize()}", "", *section(entries)]
    return {f"{NAME}.md": "\n".join(lines)}


def section(entries: Registry) -> list[str]:
    """The entries of a registry that come with bnstudy, as a list of definitions."""
    return [line for name in sorted(entries) if entries[name].origin is None for line in definition(entries[name])]


def definition(entry: Entry) -> list[str]:
    """An entry's name, what it is called, what its docstring says, and its source."""
    name, _ = as_listed(entry)
    said = re.sub(r"\s+", " ", inspect.cleandoc(entry.function.__doc__ or "")).replace("``", "`")
    said = re.sub(r":\w+:`~?\.?([^`]+)`", r"`\1`", said)
    source = f" *{entry.citation}.*" if entry.citation else ""
    return [f"`{name}`", f": {entry.label}. {said}{source}", ""]
