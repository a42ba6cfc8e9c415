"""Tables and lists as the terminal shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bnstudy.study import registry

if TYPE_CHECKING:
    from bnstudy.analysis.table import Table
    from bnstudy.study.plan import Ensemble
    from bnstudy.study.study import Study


def plan_rows(study: Study, ensembles: Sequence[Ensemble], device: str, folder: Path) -> Iterator[tuple[str, str]]:
    """What a study would run, as pairs of a name and a value."""
    sizes = [len(ensemble.runs) for ensemble in ensembles]
    steps = " or ".join(str(-(-study.n_train // size)) for size in study.batch_size)
    yield "study", f"{study.name} ({study.digest[:12]})"
    yield "folder", str(folder)
    yield "data", f"{study.dataset}, {study.n_train} training samples"
    if note := registry.datasets[study.dataset].about.get("note"):
        yield "", note
    yield "models", ", ".join(study.models)
    yield "norms", ", ".join(study.norms)
    yield "inits", ", ".join(f"{label} ({study.roles[label]})" for label in study.inits)
    yield "optimizers", ", ".join(study.optimizers)
    yield "learning rates", ", ".join(f"{lr:g}" for lr in study.lr)
    for name in study.further:
        yield name.replace("_", " "), ", ".join(f"{value:g}" for value in getattr(study, name))
    yield "seeds", _shorten(study.seeds)
    yield "runs", f"{study.n_runs} ({study.n_cells} cells × {len(study.seeds)} seeds)"
    yield "training", f"{study.epochs} epochs of {steps} steps, {study.n_runs * study.epochs} run-epochs in all"
    yield "ensembles", f"{len(ensembles)}, of {min(sizes)} to {max(sizes)} replicas, on {device}"


def _shorten(seeds: tuple[int, ...]) -> str:
    listed = ", ".join(map(str, seeds[:12]))
    return listed if len(seeds) <= 12 else f"{listed}, … ({len(seeds)} in all)"


def cost_table(study: Study, ensembles: Sequence[Ensemble], count: int, device: str | None) -> Table:
    """The cost of each of `count` shards, and of all; with times if there is a device to measure them on."""
    from bnstudy.analysis.table import Table
    from bnstudy.study.plan import Shard
    from bnstudy.training.running.costs import costs

    shards = [Shard(index, count) for index in range(1, count + 1)]
    parts = [[ensemble for ensemble in ensembles if shard.holds(ensemble)] for shard in shards]
    names = [f"{shard.index}/{shard.count}" for shard in shards]
    if count > 1:
        parts, names = [*parts, list(ensembles)], [*names, "all"]
    rows = []
    found = costs(study, parts, device)
    for name, part, cost in zip(names, parts, found, strict=True):
        row = [name, str(len(part)), f"{cost.runs:,}", f"{cost.run_epochs:,}", f"{cost.operations / 1e12:,.3g}"]
        rows.append((*row, *([] if cost.seconds is None else [f"{cost.seconds / 3600:,.3g}"])))
    header = ["shard", "ensembles", "runs", "run-epochs", "TFLOP"]
    notes = ["TFLOP: products and sums of the layers, forward and backward"]
    if device:
        header.append("hours")
        notes.append(f"hours: of one worker ({device}) as this machine is now, from a few steps on random data")
        notes += [
            f"{', '.join(arm)}: {timed.form}; {timed.before:.2g} s an ensemble before its first step"
            for arm, timed in found[-1].timed.items()
        ]
    return Table("Cost", tuple(header), tuple(rows), tuple(notes))


def print_table(table: Table) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable

    console = Console(markup=False, emoji=False)
    drawn = RichTable(title=table.title, box=box.SIMPLE, title_justify="left", pad_edge=False)
    for i, name in enumerate(table.header):
        drawn.add_column(name, justify="left" if i < table.labels else "right", overflow="fold")
    for row in table.rows:
        drawn.add_row(*row, style="dim" if row[0].startswith(" ") else None)
    if not console.is_terminal:  # a file has no width: cut nothing
        console = Console(markup=False, emoji=False, width=max(80, Console(width=1000).measure(drawn).maximum))
    console.print(drawn)
    for note in table.notes:
        console.print(note, highlight=False, markup=False, soft_wrap=True)
