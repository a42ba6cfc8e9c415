"""``bnstudy list``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bnstudy.cli.completion import complete_kinds
from bnstudy.cli.options import AsJson
from bnstudy.cli.terminal import print_listed
from bnstudy.study.errors import InputError
from bnstudy.study.study_files import read_toml, shipped
from bnstudy.study.synonyms import hint

if TYPE_CHECKING:
    from bnstudy.study.registry import Entry, Registry


def list_entries(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="inits, norms, models, datasets, studies, …",
            show_default=False,
            autocompletion=complete_kinds,
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """List what can be plugged in (inits, norms, models, datasets, optimizers, activations, figures), and studies."""
    kinds = registries()
    if kind == "studies":
        titles = {name: str(read_toml(file).get("title", name)) for name, file in shipped().items()}
        if as_json:
            print(json.dumps({"kind": kind, "entries": [{"name": n, "title": t} for n, t in titles.items()]}, indent=1))
            return
        for name, title in titles.items():
            print_listed(name, title)
        return
    if kind not in kinds:
        known = [*kinds, "studies"]
        told = f"there are: {', '.join(known)}"
        raise InputError(f"list: no kind is named {kind[:60]!r}; {hint(kind, known, told)}")
    if as_json:
        print(json.dumps({"kind": kind, "entries": [_plain(entry) for entry in kinds[kind].values()]}, indent=1))
        return
    for entry in kinds[kind].values():
        print_listed(*as_listed(entry))


def registries() -> dict[str, Registry]:
    """What can be plugged in, by what a list of it is called."""
    from bnstudy.study import registry

    return {
        "inits": registry.initializers,
        "norms": registry.norms,
        "models": registry.models,
        "datasets": registry.datasets,
        "optimizers": registry.optimizers,
        "activations": registry.activations,
        "figures": registry.figures,
    }


def as_listed(entry: Entry) -> tuple[str, str]:
    """An entry as it is written, and what it is."""
    value = entry.parameter
    suffix = "" if value is None else f":{value.symbol}" if value.default is None else f"[:{value.symbol}]"
    told = entry.summary or (f"of {entry.origin.name}, which does not say what it is" if entry.origin else "")
    return entry.name + suffix, told + (f" ({entry.citation})" if entry.citation else "")


def _plain(entry: Entry) -> dict[str, Any]:
    value = entry.parameter
    return {
        "name": entry.name, "label": entry.label, "summary": entry.summary, "citation": entry.citation or None,
        "value": None if value is None else {"symbol": value.symbol, "default": value.default},
        "plugin": entry.origin.name if entry.origin else None,
    }  # fmt: skip
