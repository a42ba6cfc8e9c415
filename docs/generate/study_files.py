"""The reference of what is written and what is stored: keys of a study file, and the layout of its dataset."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bnstudy.cli.options import STUDY_OPTIONS
from bnstudy.study import schema
from bnstudy.study.predictions import Expectation
from bnstudy.study.study import Study

from generate import ROOT
from generate.commands import plain
from generate.study_schema import NOT_OPTIONS, STUDY_FLAGS, described

HEAD = """# Study files

A study is one TOML file: factors, levels, settings, and what is expected. Every key has a default, so that a file says
what is special about it. A list may also be written as one value or as text with commas (`models = "mlp,cnn"`). `name`
and each key but those under *What it is* are options of the command line too, with hyphens for underscores:
`--batch-size 32,100`.

## In an editor
"""
PREDICTIONS = """## Predictions

An entry of `predictions` is a text, or a table with a `text` and an `expect`: one table or a list of them, each about
some comparisons.
"""
LAYOUT = """# Results

`curves.nc` in a study's folder, and what `bnstudy analyze`, `figures` and `report` take. Dimensions are {dims}, and
before the seed every other factor that has several levels ({further}); a factor with one level is a scalar coordinate.
How to use it: [read the curves](../howto/read-curves.md).
"""
WHOLE = """## A whole one

`studies/init_sweep.toml`:

```toml
{example}
```
"""
EDITORS = """
An editor can check a study file while it is written, and complete its keys, by
[its JSON schema](../../studies/study.schema.json), which is made from the same fields. Save it beside your study, and
let the file's first line name it, as Taplo reads it (so the *Even Better TOML* extension of Visual Studio Code, and
Neovim and Helix through `taplo lsp`):

```toml
#:schema ./study.schema.json
name = "mine"
scales = [0.01, 1, 10]
```

For a folder of studies a rule in `.taplo.toml` does without that line; this is the repository's own:

```toml
{taplo}```

`taplo check mine.toml` checks a file outside an editor. The schema knows the form of every key. Whether levels exist,
and whether they fit together, `bnstudy plan mine.toml` says.
"""


def pages() -> dict[str, str]:
    """Both pages."""
    return {"reference/study-files.md": study_files(), "reference/results.md": results()}


def study_files() -> str:
    """Every key, by what it is about."""
    told = described()
    panels: dict[str, list[str]] = {"What it is": [key for key in NOT_OPTIONS if key in told]}
    for key, (panel, _, _) in STUDY_OPTIONS.items():
        panels.setdefault(panel, []).append(key)
    panels["Factors"].insert(3, "scales")
    panels["Training"] += STUDY_FLAGS
    lines = [HEAD, EDITORS.format(taplo=(ROOT / ".taplo.toml").read_text())]
    for panel, keys in panels.items():
        lines += [f"## {panel}", ""]
        for key in keys:
            lines += [f"`{key}`", f": {plain(told[key])} {default(key)}", ""]
    example = (ROOT / "studies" / "init_sweep.toml").read_text()
    return "\n".join(
        [*lines, PREDICTIONS, *attributes(Expectation.__doc__ or ""), WHOLE.format(example=example.rstrip())]
    )


def default(key: str) -> str:
    """What stands for a key that a file does not name."""
    if key not in Study.model_fields:
        return ""
    value = Study.model_fields[key].get_default(call_default_factory=True)
    if key == "seeds":
        value = len(value)
    if value in (None, "", (), {}):
        return ""
    shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value).lower()
    return f"Default: `{shown}`."


def attributes(docstring: str) -> list[str]:
    """The Attributes section of a docstring as a list of definitions."""
    lines: list[str] = []
    for line in docstring.partition("----------\n")[2].splitlines():
        if line.startswith(" " * 8):
            lines[-1] += f" {line.strip()}"
        elif ":" in line:
            names = line.partition(":")[0].split(",")
            lines += ["", ", ".join(f"`{name.strip()}`" for name in names), ":"]
    return [line.replace("``", "`") for line in [*lines, ""]]


def results() -> str:
    """The layout of ``curves.nc``, from the contract that both towers keep."""
    parts: list[tuple[str, tuple[schema.Variable, ...]]] = [
        ("Curves", schema.CURVES),
        ("Curves of a study with a validation split", schema.VALIDATION_CURVES),
        ("Of each run", schema.PER_RUN),
        ("Of each arm's network", schema.PER_ARM),
        ("Coordinates", schema.COORDS),
    ]
    lines = [LAYOUT.format(dims=code(schema.CURVE_DIMS), further=code(schema.FURTHER_DIMS))]
    for title, variables in parts:
        lines += [f"## {title}", ""]
        for one in variables:
            lines += [f"`{one.name}` ({', '.join(one.dims)})"]
            lines += [f": {plain(one.long_name)}{unit(one)}{meanings(one)}", ""]
    lines += ["## Attributes", "", f"Text: {code(one.name for one in schema.ATTRIBUTES if one.is_text)}.", ""]
    return "\n".join([*lines, f"Numbers: {code(one.name for one in schema.ATTRIBUTES if not one.is_text)}.", ""])


def code(names: Iterable[str]) -> str:
    """Names as code, with commas."""
    return ", ".join(f"`{name}`" for name in names)


def unit(variable: schema.Variable) -> str:
    """Its unit and kind of number."""
    return f". {variable.dtype}" + (f", in {variable.units}" if variable.units != "1" else "")


def meanings(variable: schema.Variable) -> str:
    """What its numbers stand for, where they are flags."""
    flags: Any = variable.attrs.get("flag_values")
    words = str(variable.attrs.get("flag_meanings", "")).split()
    return ": " + ", ".join(f"{flag} {word}" for flag, word in zip(flags, words, strict=True)) if flags else ""
