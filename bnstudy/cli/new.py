"""``bnstudy new``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from bnstudy.cli.completion import complete_datasets, complete_questions
from bnstudy.study.errors import InputError
from bnstudy.study.synonyms import hint

SUFFIX = ".toml"


def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What the study is called; NAME.toml is its file.", show_default=False)
    ],
    question: Annotated[
        str,
        typer.Option(
            "--question",
            metavar="KIND",
            help="What is asked: init, norms, optimizer, lr, batch-size, depth, activation or weight-decay.",
            autocompletion=complete_questions,
        ),
    ] = "init",
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset",
            metavar="NAME",
            help="Data set; `bnstudy list datasets` shows them.",
            autocompletion=complete_datasets,
        ),
    ] = "mnist",
) -> None:
    """Write a study file to begin with, NAME.toml: a question, its factors and what decides, with comments."""
    from bnstudy.study import registry
    from bnstudy.study.questions import START, study_file
    from bnstudy.study.study import Study

    if question not in START:
        told = f"there are: {', '.join(START)}"
        raise InputError(f"no question is named {question[:60]!r}; {hint(question, START, told)}", "question")
    path = Path(name if name.endswith(SUFFIX) else name + SUFFIX)
    try:
        Study.make({"name": path.name.removesuffix(SUFFIX)})
    except InputError as error:
        raise InputError(f"new: the name {error.problem}") from None
    known = registry.datasets[dataset].name
    text = study_file(path.name.removesuffix(SUFFIX), question, known)
    if not path.parent.is_dir():
        raise InputError(f"{path.parent}: no such folder; make it first")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError(f"{path} is there already; choose another name, or remove it") from None
    print(f"{path}: {START[question].question}")
    typed = shlex.quote(str(path))
    print(f"`bnstudy plan {typed}` says what it would run, `bnstudy run {typed}` runs it")
