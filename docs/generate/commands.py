"""The reference of commands: a page a command, from its options."""

from __future__ import annotations

import re
from typing import Any

import typer
from bnstudy.cli.app import app

from generate import DOCS, toctree

FOLDER = "reference/commands"
EXIT = """
## Exit codes

| code | what happened |
|---|---|
| 0 | done; a run that diverged is a result |
| 1 | an error inside bnstudy |
| 2 | bad input: an option, a key of a study file, a file or a folder |
| 3 | some runs failed; the same command tries them again |
| 4 | another process has the study |
| 130, 143 | stopped by Ctrl-C or SIGTERM; the same command goes on |
"""


def pages() -> dict[str, str]:
    """Every command's page, and the list of them."""
    group = typer.main.get_command(app)
    commands: dict[str, Any] = {name: one for name, one in group.commands.items() if not one.hidden}  # type: ignore[attr-defined]
    used = uses(list(commands))
    made = {f"{FOLDER}/{name}.md": page(name, one, used[name]) for name, one in commands.items()}
    lines = ["# Commands", "", f"{group.help}", "", "```text", "bnstudy COMMAND [OPTIONS]", "```", ""]
    for name, one in commands.items():
        lines += [f"[`bnstudy {name}`]({name}.md)", f": {plain(one.help)}", ""]
    lines += ["## Options before or after any command", "", *described(group.params), EXIT]
    return made | {f"{FOLDER}/index.md": "\n".join([*lines, "", *toctree(list(commands))])}


def page(name: str, command: Any, used: list[str]) -> str:
    """One command: how it is written, its arguments, its options by panel, and pages that show it at work."""
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option" and not one.hidden]
    usage = " ".join(["bnstudy", name, *(one.metavar or one.name.upper() for one in arguments), "[OPTIONS]"])
    text, *more = (command.help or "").split("\n\n")
    lines = [
        f"# bnstudy {name}",
        "",
        plain(text),
        "",
        "```text",
        usage,
        "```",
        "",
        *(plain(one) + "\n" for one in more),
    ]
    if arguments:
        lines += ["## Arguments", "", *described(arguments)]
    for panel in dict.fromkeys(panel_of(one) for one in options):
        lines += [f"## {panel}", "", *described([one for one in options if panel_of(one) == panel])]
    if used:
        lines += ["## At work", "", *used, ""]
    return "\n".join([*lines, "[Exit codes](index.md#exit-codes) are those of every command.", ""])


def panel_of(option: Any) -> str:
    """The panel of ``--help`` that an option stands in."""
    return option.rich_help_panel if isinstance(option.rich_help_panel, str) else "Options"


def described(parameters: list[Any]) -> list[str]:
    """Parameters as a list of definitions."""
    lines = []
    for one in parameters:
        names = one.opts + one.secondary_opts if one.param_type_name == "option" else []
        value = "" if getattr(one, "is_flag", False) else one.metavar or one.type_descriptor.annotation.__name__.upper()
        written = ", ".join(f"`{f'{name} {value}'.strip()}`" for name in names) or f"`{value}`"
        told = plain(one.help or "")
        if one.show_default and one.default not in (None, False, (), "") and not callable(one.default):
            told += f" Default: `{one.default}`."
        if one.multiple:
            told += " May be given several times."
        lines += [written, f": {told.strip()}", ""]
    return lines


def plain(text: str | None) -> str:
    """Help as MyST that shows it and does nothing else; what stands in backticks is code."""
    parts = " ".join((text or "").split()).split("`")
    for i in range(0, len(parts), 2):
        parts[i] = re.sub(r"([\\*_{}\[\]<>#|~$])", r"\\\1", parts[i])
    return "`".join(parts)


def uses(commands: list[str]) -> dict[str, list[str]]:
    """For each command, links to the pages written by hand that show it in a block of code."""
    found: dict[str, list[str]] = {name: [] for name in commands}
    for path in sorted(DOCS.glob("[thef]*/**/*.md")):
        if path.is_relative_to(DOCS / "gallery"):
            continue
        text = path.read_text()
        blocks = " ".join(re.findall(r"^```[^\n]*\n(.*?)^```", text, re.M | re.S))
        title = re.search(r"^# (.+)$", text, re.M)
        for name in commands:
            if title and re.search(rf"bnstudy {name}\b(?!-)", blocks):
                found[name].append(f"- [{title[1]}](../../{path.relative_to(DOCS).as_posix()})")
    return found
