"""The command that judges: a study's verdicts and their numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bnstudy.errors import InputError


def analyze(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="A study folder, or a netCDF file.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON alone.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV alone.")] = False,
    as_latex: Annotated[bool, typer.Option("--latex", help="Print a LaTeX table alone.")] = False,
) -> None:
    """Say what a study's data say about the hypothesis: effects, tests, verdicts, and a sentence a model."""
    if as_json + as_csv + as_latex > 1:
        raise InputError("analyze: give one of --json, --csv and --latex")
    from bnstudy.analysis import claims
    from bnstudy.analysis.assessment import assess
    from bnstudy.analysis.formats import to_csv, to_latex
    from bnstudy.analysis.verdicts import plain, rows, sentences, verdict_table
    from bnstudy.cli.tables import print_table
    from bnstudy.reading import open_results

    try:
        dataset = open_results(Path(folder))
        result = assess(dataset)
        answered = claims.claims(dataset) if claims.are_about(dataset) else []
    except InputError as error:
        raise error if str(folder) in str(error) else InputError(f"{folder}: {error}") from None
    if as_json:
        import json

        about = {name: value for name, value in result.attrs.items() if name != "warnings"}
        print(json.dumps({
            "verdicts": rows(result), "sentences": sentences(result), "criteria": about,
            "claims": [plain(one) for one in answered], "warnings": result.attrs["warnings"],
        }, indent=1, allow_nan=False))  # fmt: skip
    elif as_csv:
        print(to_csv(rows(result)), end="")
    elif as_latex:
        print(to_latex(verdict_table(result)), end="")
    else:
        print_table(verdict_table(result))
        for text in sentences(result).values():
            print(f"\n{text}")
        if answered:
            print()
            print_table(claims.claims_table(answered))
        for text in result.attrs["warnings"]:
            print(f"\nwarning: {text}")
