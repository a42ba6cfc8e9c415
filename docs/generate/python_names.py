"""The reference of Python: a page for every public name, from its docstring."""

from __future__ import annotations

import importlib
import inspect
from functools import cached_property
from typing import Any

from bnstudy.study.registry import Registry
from pydantic import BaseModel

from generate import heading, toctree

FOLDER = "reference/python"
MODULES = ("bnstudy", "bnstudy.plugins")
ABOUT = {
    "bnstudy": "What a script or a notebook needs. Importing it loads no torch.",
    "bnstudy.plugins": "What a module of your own needs that adds a level: see "
    "[your own initializer](../../howto/own-initializer.md).",
}


def pages() -> dict[str, str]:
    """A page a name, and the list of them."""
    made: dict[str, str] = {}
    lines = ["# Python", ""]
    names: list[str] = []
    for module in MODULES:
        lines += [f"## {module}", "", ABOUT[module], ""]
        for name, thing in public(module).items():
            whole = f"{module}.{name}"
            made[f"{FOLDER}/{whole}.rst"] = page(module, name, thing)
            names.append(whole)
            lines += [f"[`{whole}`]({whole}.rst)", f": {first_line(thing)}", ""]
    return made | {f"{FOLDER}/index.md": "\n".join([*lines, *toctree(names)])}


def public(module: str) -> dict[str, Any]:
    """The public names of a module, and what they are."""
    loaded = importlib.import_module(module)
    return {name: getattr(loaded, name) for name in sorted(loaded.__all__)}


def first_line(thing: Any) -> str:
    """The first line of what is said of it."""
    if isinstance(thing, str):
        return f"The text `{thing}`."
    return (inspect.getdoc(thing) or "").strip().split("\n")[0].replace("``", "`")


def page(module: str, name: str, thing: Any) -> str:
    """The directives that let autodoc and numpydoc write a name's page."""
    lines = [*heading(f"{module}.{name}"), f".. currentmodule:: {module}", ""]
    if inspect.isclass(thing):
        settings = "(**settings)" if issubclass(thing, BaseModel) else ""
        lines += [f".. autoclass:: {name}{settings}", ""]
        lines += [f"   .. auto{kind}:: {member}" for kind, member in members(thing)]
    elif inspect.isroutine(thing):
        lines += [f".. autofunction:: {name}"]
    else:
        lines += [f".. autodata:: {name}", "   :no-value:", ""]
        if isinstance(thing, Registry):
            lines += [".. automethod:: bnstudy.study.registry.Registry.register", "   :no-index:"]
    return "\n".join([*lines, ""])


def members(cls: type) -> list[tuple[str, str]]:
    """Public methods and properties that a class has from bnstudy's own code, with what autodoc calls them."""
    found = {}
    for base in reversed(cls.__mro__):
        if base.__module__.partition(".")[0] != "bnstudy":
            continue
        for name, member in vars(base).items():
            function = getattr(member, "__func__", getattr(member, "fget", getattr(member, "func", member)))
            if name.startswith("_") or not inspect.isfunction(function) or not inspect.getdoc(function):
                continue
            if "validator" in type(member).__name__.lower() or "Decorator" in type(member).__name__:
                continue
            found[name] = "property" if isinstance(member, property | cached_property) else "method"
    return [(kind, name) for name, kind in sorted(found.items())]
