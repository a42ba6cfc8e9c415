"""The commands that look at what there is: studies, figures, entries, the machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bnstudy.cli.options import DataDir, StudyFolder
from bnstudy.study.errors import InputError


def status(
    folder: StudyFolder, as_json: Annotated[bool, typer.Option("--json", help="Print JSON alone.")] = False
) -> None:
    """Tell how far a study is: its runs done, diverged, failed and pending."""
    from bnstudy.storage.store import Store

    store = Store.open(folder)
    counts, locked = store.counts(), store.is_locked()
    if as_json:
        import json

        about = {"study": store.study.name, "hash": store.study.digest, "runs": store.study.n_runs, "locked": locked}
        print(json.dumps({**about, **counts, "amendments": store.amendments}))
        return
    state = "a process is at work on it" if locked else "no process is at work on it"
    print(f"{store.study.name} ({store.study.digest[:12]}): {store.study.n_runs} runs; {state}")
    for name in ("done", "running", "diverged", "failed", "pending"):
        print(f"{name:10} {counts[name]}")
    for amendment in store.amendments:
        print(f"amended {amendment['at']}: {', '.join(amendment['changes'])}")
    for name, entry in store.manifest().items():
        if "failed" in entry:
            print(f"{name} failed: {entry['failed']}")


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


def figures(
    folders: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DIR]...", help="Study folders or netCDF files; all in results/ by default."),
    ] = None,
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Where to draw.")] = "figures",
    only: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES", help="Draw these alone, with commas; `bnstudy list figures`.", show_default=False
        ),
    ] = None,
) -> None:
    """Draw every figure of every study found, as SVG and PNG."""
    names = [name.strip() for name in only.split(",")] if only is not None else []
    from bnstudy.analysis.figures.gallery import draw_studies

    paths = [Path(folder) for folder in folders or []] or sorted(
        path.parent for path in Path("results").glob("*/curves.nc")
    )
    if not paths:
        raise InputError("figures: no results/*/curves.nc here; run a study first, or name its folder")
    for path in draw_studies(paths, Path(out), names):
        print(path)


def doctor(data_dir: DataDir = None) -> None:
    """Check this machine: versions, devices, data folder."""
    from bnstudy.cli.checks import checks

    for name, value in checks(data_dir):
        print(f"{name:12} {value}")
