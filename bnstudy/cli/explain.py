"""``bnstudy explain``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bnstudy.cli.completion import complete_explained, complete_folder
from bnstudy.cli.options import AsJson
from bnstudy.study.errors import InputError
from bnstudy.study.synonyms import hint

if TYPE_CHECKING:
    from bnstudy.analysis.glossary import Explained
    from bnstudy.analysis.results import Judged


def explain(
    word: Annotated[
        str | None,
        typer.Argument(
            metavar="[WORD]",
            help="A verdict, a term or a topic; all are listed without.",
            show_default=False,
            autocompletion=complete_explained,
        ),
    ] = None,
    folder: Annotated[
        str | None,
        typer.Argument(
            metavar="[DIR]",
            help="A study folder: also what the word is there.",
            show_default=False,
            autocompletion=complete_folder,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Explain a verdict (mainly, none, unclear, …), a term (gain, arm, reference, …) or a topic of a message."""
    from bnstudy.analysis.glossary import GLOSSARY, NAMES
    from bnstudy.cli.terminal import print_text

    if word is None:
        if as_json:
            print(json.dumps({"entries": [_plain(one) for one in GLOSSARY.values()]}, indent=1))
        else:
            _print_all()
        return
    name = word.strip().lower().replace(" ", "-")
    found = NAMES.get(name) or NAMES.get(name.replace("-", "_"))
    if found is None:
        told = hint(name, NAMES, "`bnstudy explain` lists all")
        raise InputError(f"explain: nothing is explained under {word[:60]!r}; {told}")
    there = None
    if folder is not None:
        from bnstudy.analysis.results import Results

        there = there_is(found, Results.open(Path(folder)), folder)
    if as_json:
        print(json.dumps({**_plain(found), **({} if there is None else {"there": there[0]})}, indent=1))
        return
    print_text(f"{found.name}: {found.text}")
    for line in [] if there is None else there[1]:
        print_text(f"- {line}")
    print_text(f"More: {found.page!r}, a page of the documentation")


def _print_all() -> None:
    from bnstudy.analysis.glossary import GLOSSARY, TERM, TOPIC, WORD
    from bnstudy.cli.terminal import print_text

    for title, kind in (("verdicts", WORD), ("terms", TERM), ("topics", TOPIC)):
        print_text(f"{title}: {', '.join(one.name for one in GLOSSARY.values() if one.kind == kind)}")


def _plain(one: Explained) -> dict[str, Any]:
    return {"name": one.name, "kind": one.kind.split()[-1], "text": one.text, "page": one.page}


def there_is(found: Explained, results: Judged, folder: str) -> tuple[Any, list[str]]:
    """What a word is in a study: as plain values, and as lines."""
    from bnstudy.analysis.glossary import WORD
    from bnstudy.analysis.tables.verdicts import rows

    if found.kind == WORD or found.name == "gain":
        listed = [row for row in rows(results.assessment) if found.name in ("gain", row["verdict"])]
        return listed, [_told(row) for row in listed] or [f"no level of {folder} is judged so"]
    said = results.criteria.attributes()
    key = {"role": "roles", "arm": "treatment"}.get(found.name, found.name)
    if key not in said:
        raise InputError(f"explain: {found.name!r} is the same in every study; leave {folder} away")
    value = said[key]
    if found.name == "arm":
        value = results.runs.arm.values.tolist()
    told = ", ".join(f"{k} ({v})" for k, v in value.items()) if isinstance(value, dict) else value
    told = ", ".join(map(str, told)) if isinstance(told, list) else told
    return value, [f"in {folder}: {told}" if told not in ("", None) else f"in {folder} there is none"]


def _told(row: dict[str, Any]) -> str:
    """One verdict with its numbers."""
    where = " ".join(str(part) for part in (row["model"], row["treatment"], "at", row["condition"]) if part)
    gain = "no gain" if row["gain"] is None else f"gain {row['gain']:.2f} halvings"
    if row["gain_low"] is not None and row["gain_high"] is not None:
        gain += f" ({row['gain_low']:.2f} to {row['gain_high']:.2f})"
    at_reference = "" if row["reference_gain"] is None else f", {row['reference_gain']:.2f} at {row['reference']}"
    remark = f", {row['remark']}" if row["remark"] else ""
    return f"{where}: {gain}{at_reference}, n = {row['n']}: {row['verdict']}{remark}"
