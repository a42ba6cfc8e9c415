"""``bnstudy explain``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bnstudy.cli.completion import complete_explained, complete_folder
from bnstudy.cli.list import as_listed, registries
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
            help="A verdict, a term, a topic or a level; without it all are listed.",
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
    """Explain a verdict (mainly, none, …), a term (gain, arm, …), a topic of a message or a level (zero, layer, …)."""
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
    if found is None and (levels := _levels(word.strip())) and folder is None:
        _tell_levels(levels, as_json)
        return
    if found is None:
        told = hint(name, [*NAMES, *(one for kind in registries().values() for one in kind)],
                    "`bnstudy explain` lists all")  # fmt: skip
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


def _levels(word: str) -> list[tuple[str, str, str]]:
    """What is called so among all that can be plugged in: the name of its list, how it is written, and what it is."""
    family = word.lower().partition(":")[0]
    return [(kind, *as_listed(known[family])) for kind, known in registries().items() if family in known]


def _tell_levels(levels: list[tuple[str, str, str]], as_json: bool) -> None:
    from bnstudy.cli.terminal import print_text

    if as_json:
        entries = [{"name": name, "kind": kind, "text": text} for kind, name, text in levels]
        print(json.dumps(entries[0] if len(entries) == 1 else {"entries": entries}, indent=1))
        return
    for kind, name, text in levels:
        print_text(f"{name}, of the {kind}: {text}")
        print_text(f"More: `bnstudy list {kind}` shows all")


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
    text = ", ".join(f"{k} ({v})" for k, v in value.items()) if isinstance(value, dict) else value
    text = ", ".join(map(str, text)) if isinstance(text, list) else text
    return value, [f"in {folder}: {text}" if text not in ("", None) else f"in {folder} there is none"]


def _told(row: dict[str, Any]) -> str:
    """One verdict with its numbers."""
    where = " ".join(str(part) for part in (row["model"], row["treatment"], "at", row["condition"]) if part)
    gain = "no gain" if row["gain"] is None else f"gain {row['gain']:.2f} halvings"
    if row["gain_low"] is not None and row["gain_high"] is not None:
        gain += f" ({row['gain_low']:.2f} to {row['gain_high']:.2f})"
    at_reference = "" if row["reference_gain"] is None else f", {row['reference_gain']:.2f} at {row['reference']}"
    remark = f", {row['remark']}" if row["remark"] else ""
    return f"{where}: {gain}{at_reference}, n = {row['n']}: {row['verdict']}{remark}"
