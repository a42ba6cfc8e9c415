"""``bnstudy list``."""

from __future__ import annotations

from typing import Annotated

import typer

from bnstudy.study.errors import InputError


def list_entries(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="inits, norms, models, datasets, …", show_default=False)],
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
        import difflib

        close = difflib.get_close_matches(kind, kinds, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(kinds)}"
        raise InputError(f"list: no kind is named {kind[:60]!r}; {hint}")
    for entry in kinds[kind].values():
        value = entry.parameter
        suffix = "" if value is None else f":{value.symbol}" if value.default is None else f"[:{value.symbol}]"
        print(f"{entry.name + suffix:20} {entry.summary}" + (f" ({entry.citation})" if entry.citation else ""))
