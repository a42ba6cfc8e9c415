"""``bnstudy judge``: the words of a study for anyone's learning curves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from bnstudy.cli.options import option_name
from bnstudy.study.errors import InputError

WHAT, VALUES, TABLE, OUTPUT = "What is asked", "What the values are", "How the table is written", "Output"


def _option(metavar: str, text: str, panel: str) -> Any:
    return typer.Option(metavar=metavar, help=text, rich_help_panel=panel, show_default=False)


def judge(
    table: Annotated[
        list[str],
        typer.Argument(
            metavar="RUNS...",
            help="Files, or folders of files, one row a run and step: CSV or the like, JSON lines, Parquet.",
            show_default=False,
        ),
    ],
    treatment: Annotated[str, _option("COLUMN", "The column of the arms.", WHAT)],
    control: Annotated[str, _option("LEVEL", "Its untreated level.", WHAT)],
    condition: Annotated[str, _option("COLUMN", "The column under whose poor levels it may matter.", WHAT)],
    reference: Annotated[str, _option("LEVEL", "Its good level, which the poor ones are compared with.", WHAT)],
    step: Annotated[str, _option("COLUMN", "The column that orders a run's rows: epoch, round, step.", WHAT)],
    value: Annotated[str, _option("COLUMN", "The column that was measured; with --wide the metric's name.", WHAT)],
    seed: Annotated[str | None, _option("COLUMN", "The column that pairs the runs.", WHAT)] = None,
    well: Annotated[str | None, _option("LEVELS", "Further good levels, with commas.", WHAT)] = None,
    by: Annotated[str | None, _option("COLUMNS", "Columns judged apart: model and other settings.", WHAT)] = None,
    unpaired: Annotated[
        bool, typer.Option("--unpaired", help="Runs of a seed have nothing in common.", rich_help_panel=WHAT)
    ] = False,
    mainly_times: Annotated[float, _option("X", "Times the gain at the reference for mainly: 2.", WHAT)] = 2.0,
    margin: Annotated[float, _option("X", "Halvings within which a gain counts as none: 0.15.", WHAT)] = 0.15,
    alpha: Annotated[float, _option("X", "Share of studies that may hold a false word: 0.05.", WHAT)] = 0.05,
    lower_is_better: Annotated[
        bool, typer.Option("--lower-is-better", help="The value is a loss or an error.", rich_help_panel=VALUES)
    ] = False,
    test_size: Annotated[int | None, _option("N", "Samples an accuracy was measured on.", VALUES)] = None,
    classes: Annotated[int | None, _option("N", "Classes of the data: what guessing gives.", VALUES)] = None,
    percent: Annotated[
        bool, typer.Option("--percent", help="Accuracies lie between 0 and 100.", rich_help_panel=VALUES)
    ] = False,
    guess: Annotated[float | None, _option("X", "The loss of guessing.", VALUES)] = None,
    best: Annotated[
        str | None, _option("X|LEVEL=X,...", "The best a reward can be, for all or each level.", VALUES)
    ] = None,
    worst: Annotated[str | None, _option("X|LEVEL=X,...", "The worst, likewise.", VALUES)] = None,
    stopped: Annotated[str | None, _option("failed|missing|carry", "What runs that end early are.", VALUES)] = None,
    wide: Annotated[
        bool,
        typer.Option(
            "--wide", help="A column a run, called NAME - METRIC, as W&B's charts export.", rich_help_panel=TABLE
        ),
    ] = False,
    from_name: Annotated[
        str | None, _option("PATTERN", "Factors in names or paths: {model}_{init}_{seed}.", TABLE)
    ] = None,
    runs: Annotated[
        str | None, _option("FILE", "Factors in a table of one row a run, joined by name: W&B's table of runs.", TABLE)
    ] = None,
    columns: Annotated[str | None, _option("NAMES", "Names of the columns of files without a header.", TABLE)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON alone.", rich_help_panel=OUTPUT)] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV alone.", rich_help_panel=OUTPUT)] = False,
    as_latex: Annotated[
        bool, typer.Option("--latex", help="Print a LaTeX table alone.", rich_help_panel=OUTPUT)
    ] = False,
    report: Annotated[str | None, _option("PAGE.html", "Also write the page.", OUTPUT)] = None,
    figures: Annotated[str | None, _option("DIR", "Also draw the figures there.", OUTPUT)] = None,
) -> None:
    """Judge anyone's learning curves: say whether a treatment matters mainly under poor conditions."""
    if as_json + as_csv + as_latex > 1:
        raise InputError("judge: give one of --json, --csv and --latex")
    for key, place in (("report", report), ("figures", figures)):
        if place == "":
            raise InputError("is empty", key)
    if seed is None and not unpaired:
        raise InputError("name the column that pairs the runs, or say --unpaired where nothing does", "seed")
    if stopped not in (None, "failed", "missing", "carry"):
        raise InputError(f"must be failed, missing or carry, not {stopped[:60]!r}", "stopped")
    for key, level, least, most in (("mainly_times", mainly_times, 1, 1000), ("margin", margin, 1e-9, 10),
                                    ("alpha", alpha, 1e-9, 0.4999)):  # fmt: skip
        if not least <= level <= most:
            raise InputError(f"must be a number from {least:g} to {most:g}, not {level:g}", key)
    from bnstudy.analysis.judge import judge as judged_runs

    with _explained():
        judged = judged_runs(
            list(table), treatment, control, condition, reference, seed, step, value,
            mainly_times=mainly_times, margin=margin, alpha=alpha, title=Path(table[0]).name,
            lower_is_better=lower_is_better, well=_listed(well, "well"), by=_listed(by, "by"), test_size=test_size,
            classes=classes, guess=guess, percent=percent, best=_scale(best, "best"), worst=_scale(worst, "worst"),
            stopped=stopped, unpaired=unpaired, wide=wide, from_name=from_name, columns=_listed(columns, "columns"),
            runs=runs,
        )  # fmt: skip
    result = judged.assessment
    if figures:
        from bnstudy.analysis.figures.gallery import draw_all, refuse_others

        with _told_of("figures"):
            refuse_others(Path(figures))
    if report:
        from bnstudy.analysis.report import write_page

        with _told_of("report"):
            written = write_page(judged, report)
    if figures:
        with _told_of("figures"):
            draw_all(judged, Path(figures))
    from bnstudy.cli.analyze import print_answer, print_as

    if as_json or as_csv or as_latex:
        form = "json" if as_json else "csv" if as_csv else "latex"
        print_as(form, result, {"by": list(_listed(by, "by")), "assumed": result.attrs["assumed"]})
        return
    print_answer(judged, "the same with --csv")
    if report:
        print(f"\nPage: {written}")


@contextmanager
def _explained() -> Iterator[None]:
    """What is wrong with a table, with the topic that says how one has to be."""
    try:
        yield
    except InputError as error:
        if not (error.problem.endswith("is not there") or error.problem.startswith("no file")):  # which says all
            error.topic = error.topic or "judge"
        raise


@contextmanager
def _told_of(key: str) -> Iterator[None]:
    """What is wrong with a place to write to, told of the option that names it."""
    try:
        yield
    except InputError as error:
        raise InputError(error.problem.replace("--out", option_name(key)), key) from None


def _listed(text: str | None, key: str) -> tuple[str, ...]:
    """Names with commas, as a tuple."""
    if text is None:
        return ()
    names = tuple(name.strip() for name in text.split(","))
    if "" in names:
        raise InputError("has nothing between two commas" if len(names) > 1 else "is empty", key)
    return names


def _scale(text: str | None, key: str) -> dict[str, float] | float | None:
    """A number, or one for each level as ``LEVEL=X,LEVEL=X``."""
    if text is None:
        return None
    try:
        if "=" not in text:
            return float(text)
        pairs = [part.rpartition("=") for part in text.split(",")]
        numbers = [(level.strip(), float(number)) for level, _, number in pairs]
    except ValueError:
        raise InputError(
            f"must be a number, or one for each level as LEVEL=X,LEVEL=X, not {text[:60]!r}", key
        ) from None
    levels = [level for level, _ in numbers]
    if twice := [level for level in levels if levels.count(level) > 1]:
        raise InputError(f"names the level {twice[0][:60]!r} twice", key)
    return dict(numbers)
