"""``bnstudy analyze``."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bnstudy.cli.options import AsJson, Results
from bnstudy.study.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

    from bnstudy.analysis.results import Judged

# By what anything is judged; a study declares more.
CRITERIA = ("treatment", "control", "condition", "reference", "roles", "mainly_times", "margin", "alpha", "paired")


def analyze(
    folder: Results,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV alone.")] = False,
    as_latex: Annotated[bool, typer.Option("--latex", help="Print a LaTeX table alone.")] = False,
    select: Annotated[
        str | None,
        typer.Option(
            metavar="lr",
            help="Also judge each run at the rate that the other seeds' validation selects.",
            show_default=False,
        ),
    ] = None,
    brief: Annotated[bool, typer.Option("--brief", help="Print the answer alone: sentences and verdicts.")] = False,
    every: Annotated[
        bool, typer.Option("--multiverse", help="Also say what every other reasonable choice would have said.")
    ] = False,
) -> None:
    """Say what a study's data say about the hypothesis: effects, tests, verdicts, and a sentence a model."""
    if as_json + as_csv + as_latex > 1:
        raise InputError("analyze: give one of --json, --csv and --latex")
    if every and (as_csv or as_latex or (brief and not as_json)):
        raise InputError("is shown on the terminal and by --json alone", "multiverse")
    if select not in (None, "lr"):
        raise InputError(f"must be lr, the one factor that can be selected, not {select[:60]!r}", "select")
    from bnstudy.analysis import claims, theory
    from bnstudy.analysis.multiverse import plain as multiverse_rows
    from bnstudy.analysis.multiverse import shares
    from bnstudy.analysis.predictions import checked
    from bnstudy.analysis.results import Results
    from bnstudy.analysis.tables.formats import to_csv, to_latex
    from bnstudy.analysis.tables.growth import growth_table
    from bnstudy.analysis.tables.multiverse import multiverse_table
    from bnstudy.analysis.tables.predictions import plain as prediction_rows
    from bnstudy.analysis.tables.predictions import prediction_table
    from bnstudy.analysis.tables.report_claims import claims_table, plain
    from bnstudy.analysis.tables.selected_rates import selected_rows, selection_table
    from bnstudy.analysis.tables.sentences import answers, sentences
    from bnstudy.analysis.tables.verdicts import rows, verdict_table
    from bnstudy.cli.terminal import print_table, print_text
    from bnstudy.storage.opening import has_diagnostics, open_diagnostics

    try:
        results = Results.open(Path(folder))
        result = results.assessment
        grown = theory.growths(open_diagnostics(folder)) if has_diagnostics(folder) else []
        answered = claims.claims(results) if claims.are_about(results) else []
        predicted = checked(result, results.declared)
        at_choice = results.at_selected_rates.assessment if select else None
    except InputError as error:
        raise error if str(folder) in str(error) else InputError(f"{folder}: {error}") from None
    if as_json:
        print_as("json", result, {
            "criteria": results.criteria.attributes(), "claims": [plain(one) for one in answered],
            "growths": theory.plain(grown), "predictions": prediction_rows(predicted),
            **({"selected": {"verdicts": selected_rows(results), "sentences": sentences(at_choice)}}
               if at_choice is not None else {}),
            **({"multiverse": {"shares": shares(results.multiverse),
                               "specifications": multiverse_rows(results.multiverse)}} if every else {}),
        })  # fmt: skip
    elif as_csv:
        print(to_csv(selected_rows(results) if select else rows(result)), end="")
    elif as_latex:
        print(to_latex(selection_table(results) if select else verdict_table(result)), end="")
    else:
        again = f"bnstudy analyze {shlex.quote(folder)}"
        print_answer(results, f"{again} --csv")
        if brief:
            return
        if at_choice is not None:
            print()
            print_table(selection_table(results), f"{again} --select lr --csv")
            for model, text in answers(at_choice):
                print_text(f"\nAt the selected rates, {model}: {text}" if model else f"\nAt the selected rates: {text}")
        if every:
            print()
            print_table(multiverse_table(results.multiverse), f"{again} --multiverse --json")
        if predicted:
            print()
            print_table(prediction_table(predicted), f"{again} --json")
        if answered:
            print()
            print_table(claims_table(answered, results), f"{again} --json")
        if grown:
            print()
            print_table(growth_table(grown), f"{again} --json")


def print_as(kind: str, result: xr.Dataset, more: dict[str, Any] | None = None) -> None:
    """An assessment for other programs: ``json``, ``csv`` or ``latex``; `more` adds keys to JSON, or replaces some."""
    from bnstudy.analysis.tables.formats import to_csv, to_latex
    from bnstudy.analysis.tables.sentences import sentences
    from bnstudy.analysis.tables.verdicts import rows, verdict_table

    if kind == "json":
        told = {"verdicts": rows(result), "sentences": sentences(result), "warnings": result.attrs["warnings"],
                "criteria": {key: result.attrs[key] for key in CRITERIA}}  # fmt: skip
        print(json.dumps({**told, **(more or {})}, indent=1, allow_nan=False))
    elif kind == "csv":
        print(to_csv(rows(result)), end="")
    else:
        print(to_latex(verdict_table(result)), end="")


def print_answer(results: Judged, every: str) -> None:
    """The answer: what a reader should know, a sentence a model, and the verdicts, of which `every` prints all."""
    from bnstudy.analysis.tables.sentences import answers
    from bnstudy.analysis.tables.verdicts import verdict_table
    from bnstudy.cli.terminal import print_table, print_text

    result = results.assessment
    for text in result.attrs["warnings"]:
        print_text(f"note: {text}")
    if result.attrs["warnings"]:
        print()
    if not (table := verdict_table(result, marked=True)).rows:
        print(f"No {results.criteria.condition} is declared poor, so there is nothing to judge.")
        return
    for model, text in answers(result):
        print_text(f"{model}: {text}" if model else text)
    print()
    print_table(table, every)
