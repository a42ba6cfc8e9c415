"""The commands of ``bnstudy``."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from bnstudy.cli.options import (
    AllowMixed,
    DataDir,
    Device,
    DryRun,
    Jobs,
    NoCompile,
    Out,
    Quiet,
    Verbose,
    Wait,
    option_name,
    study_options,
)
from bnstudy.errors import BnstudyError, InputError

if TYPE_CHECKING:
    from bnstudy.analysis.table import Table
    from bnstudy.study import Study

app = typer.Typer(
    name="bnstudy",
    help="Does Batch Normalization matter only when the initialization is bad? Train a grid and see.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
StudyFile = Annotated[str, typer.Argument(metavar="STUDY.toml", help="A study file.", show_default=False)]
StudyFolder = Annotated[str, typer.Argument(metavar="DIR", help="A study folder.", show_default=False)]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; errors are one line on standard error, with the exit codes the README lists."""
    try:
        code = app(arguments, standalone_mode=False)
    except BnstudyError as error:
        _fail(_as_option(error), error.exit_code)
    except typer.TyperException as error:
        text = " ".join(error.format_message().split())
        _fail(text[:1].lower() + text[1:] if text else "see bnstudy --help", error.exit_code)
    except typer.Abort:
        _fail("stopped", 130)
    except KeyboardInterrupt:
        _fail("stopped", 130)
    except BrokenPipeError:
        # The reader went away. Keep Python from complaining again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        _fail(f"{error.filename or 'the disk'}: {(error.strerror or str(error)).lower()}", 2)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(text: str, code: int) -> None:
    print(f"bnstudy: {text}", file=sys.stderr)
    sys.exit(code)


def _as_option(error: BnstudyError) -> str:
    """The message, with the study key or setting it is about written as the option that sets it."""
    if isinstance(error, InputError) and error.key:
        return f"{option_name(error.key)}: {error.problem}"
    return str(error)


# ---------------------------------------------------------------------- running


@app.command()
@study_options()
def baseline(
    settings: dict[str, str],
    out: Out = None,
    data_dir: DataDir = None,
    device: Device = "auto",
    jobs: Jobs = None,
    no_compile: NoCompile = False,
    allow_mixed: AllowMixed = False,
    wait: Wait = False,
    dry_run: DryRun = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Train the report's four models and print its Table 2 with our numbers beside it."""
    running = Running(data_dir, device, jobs, not no_compile, allow_mixed, wait)
    _run(_shipped("baseline"), settings, out, running, dry_run, quiet, verbose)


@app.command("init-sweep")
@study_options(scales=True)
def init_sweep(
    settings: dict[str, str],
    out: Out = None,
    data_dir: DataDir = None,
    device: Device = "auto",
    jobs: Jobs = None,
    no_compile: NoCompile = False,
    allow_mixed: AllowMixed = False,
    wait: Wait = False,
    dry_run: DryRun = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Train both models, with and without BN, over a grid of good and bad initializations."""
    running = Running(data_dir, device, jobs, not no_compile, allow_mixed, wait)
    _run(_shipped("init_sweep"), settings, out, running, dry_run, quiet, verbose)


@app.command()
@study_options()
def run(
    study_file: StudyFile,
    settings: dict[str, str],
    out: Out = None,
    data_dir: DataDir = None,
    device: Device = "auto",
    jobs: Jobs = None,
    no_compile: NoCompile = False,
    allow_mixed: AllowMixed = False,
    wait: Wait = False,
    dry_run: DryRun = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Run a study file, or resume it. Options are laid over the file."""
    running = Running(data_dir, device, jobs, not no_compile, allow_mixed, wait)
    _run(Path(study_file), settings, out, running, dry_run, quiet, verbose)


class Running(NamedTuple):
    """How a study is run; none of it changes what is asked."""

    data_dir: str | None
    device: str
    jobs: str | None
    compiled: bool
    allow_mixed: bool
    wait: bool


def _run(
    path: Path,
    settings: dict[str, str],
    out: str | None,
    running: Running,
    dry_run: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    study = _load(path, settings)
    if dry_run:
        _print_plan(study, out, running.device)
        return
    from bnstudy.cli.progress import Reporter
    from bnstudy.execution import Observer, usable_cores
    from bnstudy.execution import run as run_study

    reporter = Observer() if quiet else Reporter(verbose)
    try:
        dataset = run_study(
            study,
            out,
            data_dir=running.data_dir,
            device=running.device,
            jobs=usable_cores() if running.jobs is None else _whole_number(running.jobs, "jobs"),
            compiled=running.compiled,
            allow_mixed=running.allow_mixed,
            wait=running.wait,
            quiet=quiet,
            observer=reporter,
        )
    finally:
        if isinstance(reporter, Reporter):
            reporter.close()
    if not quiet:
        from bnstudy.analysis.table import report_table, sweep_table

        _print_table((report_table if len(study.inits) == 1 else sweep_table)(dataset))
        print(f"\nCurves: {Path(out or Path('results') / study.name) / 'curves.nc'}")


def _whole_number(text: str, key: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(f"must be a whole number, not {text[:60]!r}", key) from None


def _load(path: Path, settings: Mapping[str, Any]) -> Study:
    """A study file with options laid over it; a key that no option set is named with its file."""
    from bnstudy.study import Study

    try:
        return Study.load(path, **settings)
    except InputError as error:
        if error.key and error.key not in settings:
            raise InputError(f"{path}: {error}") from None
        raise


def _shipped(name: str) -> Path:
    """A study file that comes with the package: beside it in a checkout, inside it when installed."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "studies" / f"{name}.toml"
    return inside if inside.exists() else package.parent / "studies" / f"{name}.toml"


# ---------------------------------------------------------------------- looking


@app.command()
@study_options()
def plan(study_file: StudyFile, settings: dict[str, str], out: Out = None, device: Device = "auto") -> None:
    """Show what a study would run, and what its design cannot show."""
    path = Path(study_file)
    known = {"baseline": "baseline", "init-sweep": "init_sweep"}
    _print_plan(_load(_shipped(known[study_file]) if study_file in known else path, settings), out, device)


def _print_plan(study: Study, out: str | None, device: str) -> None:
    from bnstudy.analysis.design import warnings
    from bnstudy.execution import plan_for, resolve_device

    chosen = resolve_device(device)
    ensembles = plan_for(study, chosen)
    sizes = [len(ensemble.runs) for ensemble in ensembles]
    steps = -(-study.n_train // study.batch_size)
    rows = (
        ("study", f"{study.name} ({study.digest[:12]})"),
        ("folder", str(out or Path("results") / study.name)),
        ("data", f"{study.dataset}, {study.n_train} training samples"),
        ("models", ", ".join(study.models)),
        ("norms", ", ".join(study.norms)),
        ("inits", ", ".join(f"{label} ({study.roles[label]})" for label in study.inits)),
        ("optimizers", ", ".join(study.optimizers)),
        ("learning rates", ", ".join(f"{lr:g}" for lr in study.lr)),
        ("seeds", _shorten(study.seeds)),
        ("runs", f"{study.n_runs} ({study.n_cells} cells × {len(study.seeds)} seeds)"),
        ("training", f"{study.epochs} epochs of {steps} steps, {study.n_runs * study.epochs} run-epochs in all"),
        ("ensembles", f"{len(ensembles)}, of {min(sizes)} to {max(sizes)} replicas, on {chosen}"),
    )
    for name, value in rows:
        print(f"{name:15} {value}")
    for text in warnings(study.roles, len(study.norms), len(study.seeds), study.alpha):
        print(f"warning: {text}")


def _shorten(seeds: tuple[int, ...]) -> str:
    listed = ", ".join(map(str, seeds[:12]))
    return listed if len(seeds) <= 12 else f"{listed}, … ({len(seeds)} in all)"


@app.command()
def status(
    folder: StudyFolder, as_json: Annotated[bool, typer.Option("--json", help="Print JSON alone.")] = False
) -> None:
    """Tell how far a study is: its runs done, diverged, failed and pending."""
    from bnstudy.store import Store

    store = Store.open(folder)
    counts = store.counts()
    running = store.is_locked()
    if as_json:
        import json

        print(json.dumps({"study": store.study.name, "hash": store.study.digest, "running": running, **counts}))
        return
    state = "a process is at work on it" if running else "no process is at work on it"
    print(f"{store.study.name} ({store.study.digest[:12]}): {store.study.n_runs} runs; {state}")
    for name in ("done", "diverged", "failed", "pending"):
        print(f"{name:10} {counts[name]}")
    for name, entry in store.manifest().items():
        if "failed" in entry:
            print(f"{name} failed: {entry['failed']}")


@app.command()
def verify(
    folder: StudyFolder, as_json: Annotated[bool, typer.Option("--json", help="Print JSON alone.")] = False
) -> None:
    """Check every file of a study against its checksum; names those that are damaged, missing or foreign."""
    from bnstudy.verification import verify as find

    found = find(folder)
    if as_json:
        import json

        print(json.dumps([{"path": str(f.path), "kind": f.kind, "advice": f.advice} for f in found]))
    else:
        for finding in found:
            print(f"{finding.path}: {finding.kind}; {finding.advice}")
    if found:
        raise InputError(f"{folder}: {len(found)} of its files are not as they should be")
    if not as_json:
        print(f"{folder}: every file is as it was written")


@app.command("list")
def list_entries(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="inits, norms, models, datasets, …", show_default=False)],
) -> None:
    """List what can be plugged in: inits, norms, models, datasets, optimizers, activations, figures."""
    from bnstudy import registry

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


@app.command()
def figures(
    folders: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DIR]...", help="Study folders or netCDF files; all in results/ by default."),
    ] = None,
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Where to draw.")] = "figures",
) -> None:
    """Draw every figure of every study found, as SVG and PNG."""
    from bnstudy.figures.gallery import draw_studies

    paths = [Path(folder) for folder in folders or []] or sorted(
        path.parent for path in Path("results").glob("*/curves.nc")
    )
    if not paths:
        raise InputError("figures: no results/*/curves.nc here; run a study first, or name its folder")
    for path in draw_studies(paths, Path(out)):
        print(path)


@app.command()
def doctor(data_dir: DataDir = None) -> None:
    """Check this machine: versions, devices, data folder."""
    from bnstudy.cli.checks import checks

    for name, value in checks(data_dir):
        print(f"{name:12} {value}")


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"bnstudy {version('bnstudy')}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _print_table(table: Table) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable

    console = Console()
    drawn = RichTable(title=table.title, box=box.SIMPLE, title_justify="left", pad_edge=False)
    for i, name in enumerate(table.header):
        drawn.add_column(name, justify="left" if i < table.labels else "right", overflow="fold")
    for row in table.rows:
        drawn.add_row(*row, style="dim" if row[0].startswith(" ") else None)
    if not console.is_terminal:  # a file has no width: cut nothing
        console = Console(width=max(80, Console(width=1000).measure(drawn).maximum))
    console.print(drawn)
    for note in table.notes:
        console.print(note, highlight=False, markup=False, soft_wrap=True)
