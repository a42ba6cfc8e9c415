"""The user's own settings: where data sets lie, how many workers train, on which device.

Each is what the first of these says: the option (in Python the argument), an environment variable, the user's file, the
default. None of them changes what a study asks.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from bnstudy.study.errors import InputError, refusal_of
from bnstudy.study.study_files import read_text
from bnstudy.study.synonyms import hint

FILE_VARIABLE = "BNSTUDY_CONFIG"
MAX_JOBS = 1024
DEVICES = r"auto|cpu|cuda(:[0-9]{1,9})?"
GIVEN, DEFAULT = "given", "default"
TOPIC = "settings"


@dataclass(frozen=True)
class Found:
    """A setting: its value, and where that comes from.

    Attributes
    ----------
    key : str
        ``data_dir``, ``jobs`` or ``device``.
    value : path, int or str
        What holds.
    source : str
        ``given`` (an option or argument), a variable's name, ``FILE, line N``, or ``default``.
    """

    key: str
    value: Any
    source: str

    def error(self, problem: str) -> InputError:
        """What is wrong with it, told of the place that says it."""
        if self.source in (GIVEN, DEFAULT):
            return InputError(problem, self.key)
        name = "" if self.source == SETTINGS[self.key].variable else f": {self.key}"
        return InputError(f"{self.source}{name}: {problem}", topic=TOPIC)


@dataclass(frozen=True)
class Setting:
    """One that users can set: its variable, and how it is read from text or a value of the file."""

    variable: str
    read: Callable[[Any], Any]  # ValueError says what it has to be


def _jobs(value: Any) -> int:
    number = str(value).strip()
    if not re.fullmatch(r"[+-]?[0-9]+", number):
        raise ValueError(f"must be a whole number, not {number[:60]!r}")
    if len(number) > 9 or not 1 <= int(number) <= MAX_JOBS:
        raise ValueError(f"must be from 1 to {MAX_JOBS}, not {number[:60]}")
    return int(number)


def _device(value: Any) -> str:
    if not (isinstance(value, str) and re.fullmatch(DEVICES, value)):
        raise ValueError(f"must be auto, cpu, cuda or cuda:N, not {str(value)[:60]!r}")
    return value


def _folder(value: Any) -> Path:
    if not isinstance(value, (str, Path)):
        raise ValueError(f"must be the path of a folder, not {str(value)[:60]!r}")
    return Path(value)


SETTINGS = {
    "data_dir": Setting("BNSTUDY_DATA_DIR", _folder),
    "jobs": Setting("BNSTUDY_JOBS", _jobs),
    "device": Setting("BNSTUDY_DEVICE", _device),
}


def config_file() -> Path:
    """Where the user's file is looked for: what ``BNSTUDY_CONFIG`` names, else the platform's folder of settings.

    A user without a home (no HOME, no entry in passwd) has none of the latter, and the path stays relative to it.
    """
    if named := os.environ.get(FILE_VARIABLE):
        return Path(named)
    try:
        return platformdirs.user_config_path("bnstudy") / "config.toml"
    except RuntimeError:
        return Path("~", ".config", "bnstudy", "config.toml")


def setting(key: str, given: Any = None, default: Any = None) -> Found:
    """A setting from the first place that says it.

    Parameters
    ----------
    key : str
        ``data_dir``, ``jobs`` or ``device``.
    given : optional
        What an option or argument says; None where it says nothing.
    default : optional
        What holds where nobody says anything.

    Returns
    -------
    Found
        Its value, and where that comes from.

    Raises
    ------
    InputError
        What is said cannot be; it names the variable, or the file and its line.
    """
    variable = SETTINGS[key].variable
    if given is not None:
        found = Found(key, given, GIVEN)
    elif os.environ.get(variable):
        found = Found(key, os.environ[variable], variable)
    elif (written := _written()).get(key) is not None:
        found = written[key]
    else:
        return Found(key, default, DEFAULT)
    try:
        return Found(key, SETTINGS[key].read(found.value), found.source)
    except ValueError as error:
        raise found.error(str(error)) from None


def _written() -> dict[str, Found]:
    """What the user's file says, each with its line; nothing where there is no file."""
    path = config_file()
    try:
        if not path.exists():
            return {}
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {refusal_of(error)}", topic=TOPIC) from None
    text = read_text(path, "a file of settings")
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid TOML: {error}", topic=TOPIC) from None
    found = {key: Found(key, value, f"{path}, line {_line(text, key)}") for key, value in values.items()}
    for key, one in found.items():
        if key not in SETTINGS:
            told = f"there are: {', '.join(SETTINGS)}"
            raise InputError(
                f"{one.source}: there is no setting {key[:60]!r}; {hint(key, SETTINGS, told)}", topic=TOPIC
            )
    if folder := found.get("data_dir"):
        found["data_dir"] = _whole_path(folder)
    return found


def _whole_path(found: Found) -> Found:
    """A folder that is the same wherever a command is given; ``~`` is the user's home."""
    if not isinstance(found.value, str):
        raise found.error(f"must be the path of a folder, not {str(found.value)[:60]!r}")
    try:
        path = Path(found.value).expanduser()
    except RuntimeError:  # there is no home
        path = Path(found.value)
    if not path.is_absolute():
        raise found.error(f"must be a whole path, from / or ~, not {found.value[:60]!r}")
    return Found(found.key, path, found.source)


def _line(text: str, key: str) -> int:
    """The line on which a key of the file's own table, or a table of that name, stands."""
    name = rf"""["']?{re.escape(key)}["']?\s*"""
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf"\s*(\[+\s*)?{name}[=.\]]", line):
            return number
    return 1
