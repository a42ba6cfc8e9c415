"""``bnstudy list``."""

from __future__ import annotations

from typing import Annotated

import typer

from bnstudy.cli.studies import shipped
from bnstudy.cli.terminal import print_listed
from bnstudy.study.errors import InputError
from bnstudy.study.study_files import read_toml
from bnstudy.study.synonyms import hint


def list_entries(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="inits, norms, models, datasets, studies, …", show_default=False)
    ],
) -> None:
    """List what can be plugged in (inits, norms, models, datasets, optimizers, activations, figures), and studies."""
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
    if kind == "studies":
        for name, file in shipped().items():
            print_listed(name, read_toml(file)["title"])
        return
    if kind not in kinds:
        known = [*kinds, "studies"]
        told = f"there are: {', '.join(known)}"
        raise InputError(f"list: no kind is named {kind[:60]!r}; {hint(kind, known, told)}")
    for entry in kinds[kind].values():
        value = entry.parameter
        suffix = "" if value is None else f":{value.symbol}" if value.default is None else f"[:{value.symbol}]"
        print_listed(entry.name + suffix, entry.summary + (f" ({entry.citation})" if entry.citation else ""))
