"""Modules of the user's that register entries: installed ones (entry points of a group), and those named on the way."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from bnstudy.study.errors import RAISED, DataWarning, InputError, one_line, raised_at, reason_of

PLUGIN_GROUP = "bnstudy.plugins"


class Holder(Protocol):
    """A registry, as far as it matters here."""

    _entries: dict[str, Any]


_installed: set[str] = set()  # entry points that were loaded, or tried
_broken: dict[str, str] = {}  # modules of those that could not be, and why
_named: list[str] = []


def load_installed(registries: Sequence[Holder]) -> None:
    """Import what installed packages offer; what cannot be is told of, and passed over."""
    for point in _entry_points():
        module = point.value.partition(":")[0].strip()
        if point.value in _installed:
            continue
        _installed.add(point.value)
        try:
            with _whole_or_nothing(registries):
                _refuse_strange_name(module)
                point.load()
        except RAISED as error:
            _broken[module] = one_line(f"{reason_of(error)}{raised_at(error)}")
            owner = point.dist.name if point.dist else "an unknown package"
            text = f"the plugin {module} of {owner} cannot be loaded and is passed over: {_broken[module]}"
            warnings.warn(text, DataWarning, stacklevel=2)


@cache
def _entry_points() -> tuple[importlib.metadata.EntryPoint, ...]:
    try:
        return tuple(importlib.metadata.entry_points(group=PLUGIN_GROUP))
    except Exception as error:  # damaged metadata, of any package
        text = f"installed plugins cannot be listed and are passed over: {type(error).__name__}: {error}"
        warnings.warn(text, DataWarning, stacklevel=2)
        return ()


def _refuse_strange_name(module: str) -> None:
    if not all(part.isidentifier() for part in module.split(".")):
        raise InputError(f"must be the name of a module, such as my_module, not {module[:60]!r}", "plugin")


@contextmanager
def _whole_or_nothing(registries: Sequence[Holder]) -> Iterator[None]:
    """What a user's module registered before it failed is forgotten again."""
    before = {id(entry) for registry in registries for entry in registry._entries.values()}
    try:
        yield
    except BaseException:
        for registry in registries:
            for name, entry in list(registry._entries.items()):
                if entry.origin and id(entry) not in before:
                    del registry._entries[name]
        raise


def load(name: str, registries: Sequence[Holder]) -> None:
    """Import a module that registers entries in these; once more does nothing.

    Raises
    ------
    InputError
        It is no module's name, or cannot be imported; the message says why and where.
    """
    if name in _named:
        return
    if name.endswith(".py"):
        raise InputError(f"must be the name of a module, {name[:-3]!r}, not of its file", "plugin")
    if "," in name:
        raise InputError(f"names one module, not {name[:60]!r}; repeat --plugin for each", "plugin")
    _refuse_strange_name(name)
    try:
        with _whole_or_nothing(registries):
            importlib.import_module(name)
    except RAISED as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == name.partition(".")[0]
        reason = (
            "there is no such module in this folder or among the installed ones" if missing
            else f"{reason_of(error)}{raised_at(error)}"
        )  # fmt: skip
        topic = "own-data" if _is_of_data(error) else None
        raise InputError(f"{name!r} cannot be imported: {reason}", "plugin", topic) from error
    _refuse_hidden(name)
    _named.append(name)


def _is_of_data(error: BaseException) -> bool:
    """Whether data that a module registers are what is wrong with it."""
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(str(frame.f_globals.get("__name__", "")).startswith("bnstudy.training.datasets.") for frame in frames)


def _refuse_hidden(name: str) -> None:
    """InputError where a file of this folder is meant, and a module of the same name came before it."""
    file = Path(*name.split(".")).with_suffix(".py").absolute()
    found = getattr(sys.modules[name], "__file__", None) or "built into Python"
    if file.is_file() and not (os.path.exists(found) and file.samefile(found)):
        raise InputError(f"{name!r} is another module ({found}), which hides {file}; give that another name", "plugin")


def loaded() -> tuple[str, ...]:
    """The modules that :func:`load` imported, for whoever has to do the same in another process."""
    return tuple(_named)


def why_broken(module: str) -> str:
    """Why an installed plugin could not be loaded; empty where none is broken."""
    return _broken.get(module, "")
