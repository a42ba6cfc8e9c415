"""What is told of an option or command that is not there: that which means the same."""

from __future__ import annotations

import re
from typing import Any

import typer

from bnstudy.study.synonyms import meant

LISTS = ("seeds", "by", "only")  # options that say that a command takes lists


def told(error: typer.TyperException) -> str:
    """A usage error in words; typer itself would name whatever is spelled alike."""
    context: Any = getattr(error, "ctx", None)
    if context is None:
        return error.format_message()
    if hasattr(error, "possibilities"):  # of an option that is not there
        asked = str(error.option_name)  # type: ignore[attr-defined]
        options = [option for one in context.command.params for option in one.opts if option.startswith("--")]
        named = meant(asked, options) if asked.startswith("--") else ""
        help_of = "bnstudy" if context.parent is None else f"bnstudy {context.info_name}"
        return f"no such option: {asked[:60]}; " + (
            f"did you mean {named}?" if named else f"`{help_of} --help` lists them"
        )
    if "unexpected extra argument" in error.message and any(one.name in LISTS for one in context.command.params):
        return f"{error.message.rstrip('.')}; a list is written with commas and no spaces, as in --seeds 0,3,7"
    if missing := re.match(r"No such command '(.*?)'\.", error.message, re.S):
        named = meant(missing[1], context.command.commands)
        return f"no such command: {missing[1][:60]!r}; " + (
            f"did you mean {named!r}?" if named else "`bnstudy --help` lists them"
        )
    text = error.format_message()
    if text.startswith("Missing argument 'DIR"):
        from bnstudy.storage.nearby import there_are

        return f"{text.rstrip('.')}; {there_are()}"
    return text
