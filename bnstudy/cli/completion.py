"""What the shell is offered: levels, studies, data sets, figures; and its answer. Nothing here loads torch."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from bnstudy.study.factors import BY_NAME, FACTORS, Factor
from bnstudy.study.registry import Registry

ASKED = "_BNSTUDY_COMPLETE"
OFFERS = {"complete_zsh": r"""^(_arguments '\*: :\(\()?\"""", "complete_fish": "^(?=.)"}  # where what is offered begins
BREAKS = (":", "=")  # at which bash breaks words, though they are parts of one
VALUES = ("0.01", "0.1", "1", "10")  # offered where a level needs one
WHOLE_VALUES = ("2", "4", "8")
NUMBERS = {"lr": ("0.001", "0.01", "0.1"), "batch_size": ("20", "100"), "weight_decay": ("0", "0.0001", "0.001")}
CHOICES = {
    "treatment": [factor.name for factor in FACTORS],
    "condition": [factor.name for factor in FACTORS],
    "input_scaling": ["standardize", "unit"],
    "init_scope": ["all", "hidden"],
}
KINDS = ("inits", "norms", "models", "datasets", "optimizers", "activations", "figures", "studies")
Offered = list[str]


def completer(key: str) -> Callable[..., Offered] | None:
    """What completes the value of a study key; None where anything may stand."""
    factors = {factor.key: factor for factor in FACTORS}
    if key in factors:
        return lambda incomplete: in_list(levels(factors[key]), incomplete)
    if key == "dataset":
        return complete_datasets
    if key in ("control", "reference"):  # a level of the factor that is named, or usual
        of, usual = ("treatment", "norm") if key == "control" else ("condition", "init")
        return lambda ctx: levels(BY_NAME.get(ctx.params.get(of) or usual, BY_NAME[usual]))
    if key in CHOICES:
        return lambda: CHOICES[key]
    return None


def levels(factor: Factor) -> Offered:
    """Levels of a factor as they are written, each entry's at least once; of numbers some usual ones."""
    return list(NUMBERS[factor.key]) if factor.registry is None else [*_written(factor.registry)]


def _written(registry: Registry) -> Iterable[str]:
    for entry in registry.values():
        value = entry.parameter
        if value is None or value.default is not None:
            yield entry.name
        else:
            yield from (f"{entry.name}:{number}" for number in (WHOLE_VALUES if value.whole else VALUES))


def in_list(known: Iterable[str], incomplete: str) -> Offered:
    """What may stand last in a list with commas: what is not in it yet."""
    before, comma, _ = incomplete.rpartition(",")
    given = before.split(",")
    return [before + comma + name for name in known if name not in given]


def complete_datasets() -> Offered:
    from bnstudy.study.registry import datasets

    return [*datasets]


def complete_figures(incomplete: str) -> Offered:
    """Names of figures, read from where they are registered: to import them all takes seconds."""
    folder = Path(__file__).parent.parent / "analysis" / "figures"
    texts = (path.read_text() for path in sorted(folder.glob("*.py")))
    names = [name for text in texts for name in re.findall(r'@figures\.register\(\s*"([^"]+)"', text)]
    return in_list(names, incomplete)


def complete_folder() -> Offered:
    """Studies in results/."""
    return [str(path.parent) for path in sorted(Path("results").glob("*/study.toml"))]


def complete_study(incomplete: str) -> Offered:
    """Studies that come with the package, and study files in the folder that is named."""
    from bnstudy.study.study_files import shipped

    folder = incomplete.rpartition("/")[0]
    return [*shipped(), *(str(path) for path in sorted(Path(folder).glob("*.toml")))]


def complete_kinds() -> Offered:
    return [*KINDS]


def complete_questions() -> Offered:
    from bnstudy.study.questions import START

    return [*START]


def complete_explained() -> Offered:
    from bnstudy.analysis.glossary import NAMES

    return [*NAMES]


# ------------------------------------------------------------------ the answer


def answer(commands: Any) -> NoReturn:
    """Answer a shell that asks, through Typer, and end; a plugin that the line names is known.

    Bash breaks words at ``:`` and ``=`` and puts what is offered in the place of the last part alone: the parts are
    joined before Typer sees them, and taken off what it offers. Other shells replace the whole of ``--option=value``,
    of which Typer offers the value.
    """
    before = _join_words() if os.environ[ASKED] == "complete_bash" else ""
    out, code = io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        _load_named_plugins()
        try:
            commands([], prog_name="bnstudy", standalone_mode=False)
        except SystemExit as ended:
            code = int(ended.code or 0)
    text = out.getvalue()
    if (start := OFFERS.get(os.environ[ASKED])) and (option := _option_of_value()):
        text = re.sub(start, lambda found: found[0] + option, text, flags=re.M)
    for line in text.splitlines():
        print(line.removeprefix(before))
    sys.exit(code)


def let_name_a_shell(arguments: Sequence[str]) -> None:
    """Have Typer take the shell that ``--show-completion zsh`` names, which it else ignores for the one that calls."""
    if arguments[:1] in (["--show-completion"], ["--install-completion"]) and len(arguments) > 1:
        os.environ["_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"] = "1"


def _option_of_value() -> str:
    """Of the word that is completed, ``--option=``; empty where it is no option with its value."""
    word = os.environ.get("_TYPER_COMPLETE_ARGS", "").rpartition(" ")[2]
    return word.partition("=")[0] + "=" if word.startswith("--") and "=" in word else ""


def _join_words() -> str:
    """Put parts of a word together again; what of the word that is completed bash leaves as it is."""
    words, at = os.environ.get("COMP_WORDS", "").split("\n"), int(os.environ.get("COMP_CWORD") or 0)
    joined: list[str] = []
    for i, word in enumerate(words[: at + 1]):
        if i > 1 and (word in BREAKS or words[i - 1] in BREAKS):
            joined[-1] += word
        else:
            joined.append(word)
    os.environ["COMP_WORDS"] = "\n".join(joined)
    os.environ["COMP_CWORD"] = str(len(joined) - 1)
    word = joined[-1].partition("=")[2] if joined[-1].startswith("--") else joined[-1]
    return word[: word.rfind(":") + 1]


def _load_named_plugins() -> None:
    from bnstudy.study.registry import load_plugin

    line = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS", "")
    for name in re.findall(r"--plugin[\s=]+(\S+)\s", line):
        sys.path.insert(0, os.getcwd())
        with contextlib.suppress(Exception):  # told when the command is given
            load_plugin(name)
