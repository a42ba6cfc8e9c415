"""``bnstudy list``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bnstudy.cli.completion import complete_kinds
from bnstudy.cli.options import AsJson
from bnstudy.study.errors import InputError
from bnstudy.study.suggestions import suggestion

if TYPE_CHECKING:
    from bnstudy.study.registry import Entry


def list_entries(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="inits, norms, models, datasets, …",
            show_default=False,
            autocompletion=complete_kinds,
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """List what can be plugged in: inits, norms, models, datasets, optimizers, activations, figures."""
    from bnstudy.study import registry

    kinds = {
        "inits": registry.initializers,
        "norms": registry.norms,
        "models": registry.models,
        "datasets": registry.datasets,
        "optimizers": registry.optimizers,
        "activations": registry.activations,
        "figures": registry.figures,
    }
    if kind not in kinds:
        raise InputError(f"list: no kind is named {kind[:60]!r}; {suggestion(kind, kinds)}")
    if as_json:
        import json

        print(json.dumps({"kind": kind, "entries": [_plain(entry) for entry in kinds[kind].values()]}, indent=1))
        return
    for entry in kinds[kind].values():
        value = entry.parameter
        suffix = "" if value is None else f":{value.symbol}" if value.default is None else f"[:{value.symbol}]"
        print(f"{entry.name + suffix:20} {entry.summary}" + (f" ({entry.citation})" if entry.citation else ""))


def _plain(entry: Entry) -> dict[str, Any]:
    value = entry.parameter
    return {
        "name": entry.name, "label": entry.label, "summary": entry.summary, "citation": entry.citation or None,
        "value": None if value is None else {"symbol": value.symbol, "default": value.default},
        "plugin": entry.origin.name if entry.origin else None,
    }  # fmt: skip
