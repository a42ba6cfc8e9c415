"""The commands that run studies, or say what would be run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bnstudy.cli.options import (
    AllowMixed,
    Device,
    Out,
    Running,
    Shard,
    StudyFile,
    StudyFolder,
    Wait,
    study_options,
    whole_number,
)
from bnstudy.study.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

    from bnstudy.study.study import Study

OTHERS = "default,zero,large-variance"  # than those of --scales, unless --inits says
SHIPPED = {"baseline": "baseline", "init-sweep": "init_sweep"}
EXTENDED = ("models", "norms", "inits", "optimizers", "lr", "batch_size", "weight_decay", "seeds", "epochs")


@study_options()
def baseline(settings: dict[str, str], running: Running) -> None:
    """Train the report's four models and print its Table 2 with our numbers beside it."""
    _run(study_named("baseline", settings), running)


@study_options(scales=True)
def init_sweep(settings: dict[str, str], running: Running) -> None:
    """Train both models, with and without BN, over a grid of good and bad initializations."""
    _run(study_named("init-sweep", settings), running)


@study_options()
def run(study_file: StudyFile, settings: dict[str, str], running: Running) -> None:
    """Run a study file, or resume it. Options are laid over the file."""
    _run(_load(Path(study_file), settings), running)


@study_options(scales=True, flags=False, keys=EXTENDED)
def extend(folder: StudyFolder, settings: dict[str, str], running: Running) -> None:
    """Add seeds, levels or epochs to a study, record the amendment, and run what is new."""
    from bnstudy.storage.extension import extend as extend_study
    from bnstudy.storage.extension import extended
    from bnstudy.storage.store import Store

    if running.out:
        raise InputError("a study is extended where it is; leave --out away", "out")
    study = extended(Store.open(folder).study, settings)
    if not running.dry_run:
        extend_study(folder, study, wait=running.wait)
    _run(study, running._replace(out=folder))


@study_options(running=False)
def plan(
    study_file: StudyFile,
    settings: dict[str, str],
    out: Out = None,
    device: Device = "auto",
    shard: Shard = None,
    measure: Annotated[bool, typer.Option("--time", help="Estimate hours, from a few steps of each arm.")] = False,
) -> None:
    """Show what a study would run, what it costs, and what its design cannot show."""
    _print_plan(study_named(study_file, settings), out, device, shard, measure)


def merge(
    folders: Annotated[list[str], typer.Argument(metavar="DIR...", help="Study folders, one a shard.")],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Where the whole study goes.", show_default=False)],
    allow_mixed: AllowMixed = False,
    wait: Wait = False,
) -> None:
    """Join the folders of a study's shards into one; they stay as they are."""
    from bnstudy.storage.merging import merge as merge_studies

    store = merge_studies(folders, out, allow_mixed=allow_mixed, wait=wait)
    counts = store.counts()
    print(f"{store.folder}: {counts['done'] + counts['diverged']} of {store.study.n_runs} runs")
    if left := counts["pending"] + counts["failed"]:
        print(f"{left} runs are in none of the folders; `bnstudy run {store.folder / 'study.toml'}` with --out "
              f"{store.folder} trains them")  # fmt: skip


def _run(study: Study, running: Running) -> None:
    if running.dry_run:
        _print_plan(study, running.out, running.device, running.shard)
        return
    from bnstudy.cli.progress import Reporter
    from bnstudy.study.plan import Shard as Part
    from bnstudy.training.running.execution import Observer, default_folder
    from bnstudy.training.running.execution import run as run_study
    from bnstudy.training.running.machine import usable_cores

    shard = None if running.shard is None else Part.parse(running.shard)
    reporter = Observer() if running.quiet else Reporter(running.verbose)
    try:
        dataset = run_study(
            study,
            running.out,
            data_dir=running.data_dir,
            device=running.device,
            jobs=usable_cores() if running.jobs is None else whole_number(running.jobs, "jobs"),
            shard=shard,
            scheduler=running.scheduler,
            compiled=not running.no_compile,
            allow_mixed=running.allow_mixed,
            wait=running.wait,
            quiet=running.quiet,
            observer=reporter,
        )
    finally:
        if isinstance(reporter, Reporter):
            reporter.close()
    if not running.quiet:
        _print_results(dataset, Path(running.out) if running.out else default_folder(study, shard))


def _print_results(dataset: xr.Dataset, folder: Path) -> None:
    from bnstudy.analysis.responses import observed
    from bnstudy.analysis.table import report_table, sweep_table
    from bnstudy.cli.tables import print_table

    missing = int((~observed(dataset)).sum())
    if missing:  # a shard: a table of a part would be read as the whole
        print(f"{missing} of {dataset.status.size} runs are left to other shards; `bnstudy merge` joins them")
    else:
        is_the_reports = dataset.sizes["init"] == 1 and set(dataset.model.values) <= {"mlp", "cnn"}
        print_table((report_table if is_the_reports else sweep_table)(dataset))
    print(f"\nCurves: {folder / 'curves.nc'}")


def _load(path: Path, settings: Mapping[str, Any]) -> Study:
    """A study file with options laid over it; a key that no option set is named with its file."""
    from bnstudy.study.study import Study

    try:
        return Study.load(path, **settings)
    except InputError as error:
        if error.key and error.key not in settings:
            raise InputError(f"{path}: {error}") from None
        raise


def study_named(name: str, settings: Mapping[str, Any]) -> Study:
    """A study by its file, or one that comes with the package by its command; with options laid over it."""
    if name == "init-sweep" and "scales" in settings:
        settings = {"inits": OTHERS, **settings}
    return _load(_shipped(SHIPPED[name]) if name in SHIPPED else Path(name), settings)


def _shipped(name: str) -> Path:
    """A study file that comes with the package: beside it in a checkout, inside it when installed."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "studies" / f"{name}.toml"
    return inside if inside.exists() else package.parent / "studies" / f"{name}.toml"


def _print_plan(study: Study, out: str | None, device: str, shard: str | None, measure: bool = False) -> None:
    from bnstudy.analysis.design import warnings
    from bnstudy.cli.tables import cost_table, plan_rows, print_table
    from bnstudy.study.plan import Shard as Part
    from bnstudy.training.running.costs import not_initialized
    from bnstudy.training.running.execution import default_folder
    from bnstudy.training.running.machine import plan_for, resolve_device

    part = None if shard is None else Part.parse(shard)
    chosen = resolve_device(device)
    ensembles = plan_for(study, chosen)
    for name, value in plan_rows(study, ensembles, chosen, Path(out) if out else default_folder(study, part)):
        print(f"{name:15} {value}")
    print_table(cost_table(study, ensembles, part.count if part else 1, chosen if measure else None))
    if text := not_initialized(study):
        print(f"set by no initializer: {text}")
    for text in warnings(study.roles, len(study.norms), len(study.seeds), study.alpha):
        print(f"warning: {text}")
