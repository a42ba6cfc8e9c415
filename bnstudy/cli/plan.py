"""``bnstudy plan``: what a study would run, and what that costs. Also what ``--dry-run`` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from bnstudy.cli.options import AsJson, Device, Name, Out, Shard, StudyFile, study_options
from bnstudy.cli.studies import study_named
from bnstudy.study import registry
from bnstudy.study.errors import InputError
from bnstudy.study.factors import BY_NAME, FACTORS
from bnstudy.study.question import level_texts

if TYPE_CHECKING:
    from bnstudy.analysis.tables.table import Table
    from bnstudy.study.plan import Ensemble
    from bnstudy.study.study import Study
    from bnstudy.training.running.costs import Cost


ASKED = ("treatment", "control", "condition", "reference")  # which a pilot has to share with the study
STUDIES, SEED = 2000, 20150211  # drawn from a pilot; the same pilot says the same


@study_options(running=False)
def plan(
    study_file: StudyFile,
    settings: dict[str, str],
    name: Name = None,
    out: Out = None,
    device: Device = None,
    shard: Shard = None,
    measure: Annotated[
        bool, typer.Option("--time", help="Estimate how long it takes, from a few steps of each arm.")
    ] = False,
    pilot: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Results of a pilot, whose seeds are drawn from: what to expect.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a study would run, what it costs, and what its seeds can show.

    What `run` refuses before anything trains is refused here, as far as noise in place of the data shows it.
    """
    study = study_named(study_file, settings, name, out, shard)
    expected = None if pilot is None else pilot_of(study, pilot)  # what is wrong with it is told first
    if as_json:
        import json

        from bnstudy.cli.plan_json import plain
        from bnstudy.cli.terminal import prints_aside

        with prints_aside():
            planned = plain(study, out, device, shard, measure, expected)
        print(json.dumps(planned, indent=1, allow_nan=False))
        return
    print_plan(study, out, device, shard, measure)
    from bnstudy.analysis.criteria import Criteria
    from bnstudy.analysis.power import nothing_to_compare
    from bnstudy.analysis.tables.power import pilot_table, power_table
    from bnstudy.cli.terminal import print_table

    criteria = Criteria.of(study)
    if criteria.poor and not nothing_to_compare(criteria, treatment_levels(study)):
        print()
        print_table(power_table(criteria, len(study.seeds)))
    if expected is not None:
        print()
        print_table(pilot_table(expected.rows, len(study.seeds), expected.seeds, expected.lacking))


class Pilot(NamedTuple):
    """What studies drawn from a pilot would say, a row a comparison; its seeds; the poor levels that it has not."""

    rows: list[dict[str, Any]]
    seeds: int
    lacking: list[str]


def pilot_of(study: Study, folder: str) -> Pilot:
    """What a study of these seeds would say if a pilot's runs were all there is."""
    import numpy as np

    from bnstudy.analysis.power import resampled
    from bnstudy.analysis.results import Results

    results = Results.open(folder)
    if not (results.can_judge and results.criteria.poor):
        raise InputError(f"{folder}: nothing is compared there under poor levels", "pilot")
    for key in ASKED:
        there, here = getattr(results.criteria, key), getattr(study, key)
        if there != here:
            raise InputError(
                f"{folder} asks something else: its {key} is {there or 'not there'}, the study's {here or 'not there'}",
                "pilot",
            )
    asked = {name: getattr(study, name) for name in ("mainly_times", "margin", "alpha", "looks")}
    rows = resampled(results.scores, replace(results.criteria, **asked), len(study.seeds), STUDIES,
                     np.random.default_rng(SEED))  # fmt: skip
    lacking = [level for level, role in study.roles.items() if role == "poor" and level not in results.criteria.poor]
    return Pilot(rows, results.scores.values.sizes["seed"], lacking)


def print_plan(study: Study, out: str | None, device: str | None, shard: str | None, measure: bool = False) -> None:
    from bnstudy.analysis.criteria import Criteria
    from bnstudy.analysis.power import warnings
    from bnstudy.cli.terminal import print_listed, print_table, print_text
    from bnstudy.study.plan import Shard as Part
    from bnstudy.training.running.costs import not_initialized
    from bnstudy.training.running.execution import default_folder
    from bnstudy.training.running.this_machine import check_without_data, plan_for, resolve_device

    part = None if shard is None else Part.parse(shard)
    chosen = resolve_device(device)
    check_without_data(study)
    ensembles = plan_for(study, chosen)
    for name, value in plan_rows(study, ensembles, chosen, Path(out) if out else default_folder(study, part)):
        print_listed(name, value, 16)
    print()
    print_table(cost_table(study, ensembles, part.count if part else 1, chosen if measure else None))
    if text := not_initialized(study):
        print_text(f"set by no initializer: {text}")
    criteria = Criteria.of(study)
    for text in warnings(criteria, len(study.seeds), treatment_levels(study)):
        print_text(f"warning: {text}")


def treatment_levels(study: Study) -> list[str]:
    """The levels of a study's treatment, as they are told."""
    factor = BY_NAME[study.treatment]
    return level_texts(factor, getattr(study, factor.key))


def plan_rows(study: Study, ensembles: Sequence[Ensemble], device: str, folder: Path) -> Iterator[tuple[str, str]]:
    """What a study would run, as pairs of a name and a value."""
    from bnstudy.study.plan import LANES, idle_lanes

    sizes = [len(ensemble.runs) for ensemble in ensembles]
    steps = " or ".join(str(-(-study.n_train // size)) for size in study.batch_size)
    yield "study", f"{study.name} ({study.digest[:12]})"
    yield "folder", str(folder)
    yield "data", f"{study.dataset}, {study.n_train} training samples"
    if note := registry.datasets[study.dataset].about.get("note"):
        yield "", note
    for factor in FACTORS:
        if factor.always or factor.name in study.further:
            texts = [level if factor.dtype == "str" else f"{level:g}" for level in getattr(study, factor.key)]
            if factor.name == study.condition:
                texts = [f"{label} ({study.roles[label]})" for label in texts]
            yield factor.plural, ", ".join(texts)
    yield "seeds", _shorten(study.seeds)
    yield "runs", f"{study.n_runs} ({study.n_cells} cells × {len(study.seeds)} seeds)"
    yield "training", f"{study.epochs} epochs of {steps} steps, {study.n_runs * study.epochs} run-epochs in all"
    idle = f"; {idle_lanes(ensembles):.0%} of the lanes of registers of {LANES} idle" if device == "cpu" else ""
    many = f"{min(sizes)}" if min(sizes) == max(sizes) else f"{min(sizes)} to {max(sizes)}"
    yield "ensembles", f"{len(ensembles)}, of {many} replicas, on {device}{idle}"


def _shorten(seeds: tuple[int, ...]) -> str:
    listed = ", ".join(map(str, seeds[:12]))
    return listed if len(seeds) <= 12 else f"{listed}, … ({len(seeds)} in all)"


def cost_table(study: Study, ensembles: Sequence[Ensemble], count: int, device: str | None) -> Table:
    """The cost of each of `count` shards, and of all; with times if there is a device to measure them on."""
    from bnstudy.analysis.tables.table import Table

    rows = []
    found = parts_costs(study, ensembles, count, device)
    for name, part, cost in found:
        operations = float(f"{cost.operations / 1e12:.3g}")  # as a number with three digits that count
        row = [name, str(len(part)), f"{cost.runs:,}", f"{cost.run_epochs:,}", f"{operations:,.12g}"]
        rows.append((*row, *([] if cost.seconds is None else [spoken(cost.seconds)])))
    header = ["shard", "ensembles", "runs", "run-epochs", "TFLOP"]
    notes = ["TFLOP: products and sums of the layers, forward and backward"]
    if device:
        header.append("time")
        notes.append(f"time: of one worker ({device}) as this machine is now, from a few steps on random data")
        notes += [
            f"{', '.join(arm)}: {timed.form}; {timed.before:.2g} s an ensemble before its first step"
            for arm, timed in found[-1][2].timed.items()
        ]
    else:
        notes.append("`--time` estimates how long that takes on this machine")
    return Table("Cost", tuple(header), tuple(rows), tuple(notes))


def spoken(seconds: float) -> str:
    """A time as one would say it: in the unit of which there are some, with two digits."""
    for unit, length, most in (("s", 1, 90), ("min", 60, 90), ("h", 3600, 48)):
        if seconds < most * length:
            return f"{float(f'{seconds / length:.2g}'):g} {unit}"
    return f"{float(f'{seconds / 86400:.2g}'):g} days"


def parts_costs(
    study: Study, ensembles: Sequence[Ensemble], count: int, device: str | None
) -> list[tuple[str, list[Ensemble], Cost]]:
    """Name, ensembles and cost of each of `count` shards; of several also of ``all``, which stands last."""
    from bnstudy.study.plan import Shard
    from bnstudy.training.running.costs import costs

    shards = [Shard(index, count) for index in range(1, count + 1)]
    parts = [[ensemble for ensemble in ensembles if shard.holds(ensemble)] for shard in shards]
    names = [f"{shard.index}/{shard.count}" for shard in shards]
    if count > 1:
        parts, names = [*parts, list(ensembles)], [*names, "all"]
    return list(zip(names, parts, costs(study, parts, device), strict=True))
