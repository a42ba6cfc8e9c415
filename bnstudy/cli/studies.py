"""Studies as commands are given them: by the path of a file, or by the name of one that comes with the package."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnstudy.cli.options import topic_of
from bnstudy.study.errors import InputError
from bnstudy.study.study_files import read_toml, shipped
from bnstudy.study.synonyms import hint

if TYPE_CHECKING:
    from bnstudy.study.study import Study


OTHERS = "default,zero,large-variance"  # than those of --scales, unless --inits says


def study_named(
    text: str, settings: Mapping[str, Any], name: str | None = None, out: str | None = None, shard: str | None = None
) -> Study:
    """A study by its file, or by its name where it comes with the package; with options laid over it.

    It is called `name`, else as its folder `out` (a shard has one of its own, so not as that), else as its file says.
    """
    if name is None and out and shard is None:
        name = name_in(Path(out)) or name_of_folder(out) or None
    if text == "init-sweep" and "scales" in settings:
        settings = {"inits": OTHERS, **settings}
    return load(file_of(text), {**settings, **({} if name is None else {"name": name})})


def load(path: Path, settings: Mapping[str, Any]) -> Study:
    """A study file with options laid over it; a key that no option set is named with its file."""
    from bnstudy.study.study import UNNAMED, Study

    try:
        study = Study.load(path, **settings)
    except InputError as error:
        if error.key and error.key not in settings:
            raise InputError(f"{path}: {error}", topic=topic_of(error)) from None
        raise
    if study.name == UNNAMED and "name" not in settings:
        return Study.load(path, **settings, name=name_of_folder(path.with_suffix("")) or UNNAMED)
    return study


def name_of_folder(folder: str | Path) -> str:
    """The last part of a path as a study may be called; empty where nothing of it can stand in a name."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", os.path.basename(os.path.abspath(folder))).lstrip("._-")[:64]


def name_in(folder: Path) -> str:
    """What the study that a folder holds is called; empty where it holds none."""
    try:
        return str(read_toml(folder / "study.toml").get("name", ""))
    except InputError:
        return ""


def file_of(text: str) -> Path:
    """The study file of a path, which comes first, or of a name."""
    there = shipped()
    if text in there and not os.path.isfile(text):
        return there[text]
    if os.path.lexists(text) or os.sep in text or text.endswith(".toml"):
        return Path(text)  # what is wrong with it is told where it is read
    if os.path.isfile(f"{text}.toml"):
        raise InputError(f"{text[:60]!r} is no study file and no name of a study; did you mean {text[:60]}.toml?")
    told = hint(text, there, f"those that come with bnstudy are {', '.join(there)}")
    raise InputError(f"{text[:60]!r} is no study file and no name of a study; {told}")
