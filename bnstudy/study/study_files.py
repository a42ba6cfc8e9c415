"""Study files as they are read, and what is wrong with them as one line."""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bnstudy.study.errors import InputError
from bnstudy.study.synonyms import hint

MAX_FILE = 1_000_000  # bytes


def read_toml(path: str | Path) -> dict[str, Any]:
    """The keys of a study file; InputError if it cannot be read, is empty or is not TOML."""
    path = Path(path)
    text = read_text(path, "a study file", "study-file")
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid TOML: {error}") from None
    if not values:
        raise InputError(f"{path}: the study file is empty", topic="study-file")
    return values


def shipped() -> dict[str, Path]:
    """The study files that come with the package, by name: inside it where it is installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    files = sorted((package / "studies").glob("*.toml")) or sorted((package.parent / "studies").glob("*.toml"))
    return {file.stem.replace("_", "-"): file for file in files}


def read_text(path: Path, what: str, topic: str | None = None) -> str:
    """The text of a file that is to be `what`, such as ``a study file``; InputError if it cannot be read as that."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise InputError(f"{path}: not a file; name {what}")
        if about.st_size > MAX_FILE:
            raise InputError(f"{path}: too large for {what} (more than {MAX_FILE // 1000} kB)")
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such {what.partition(' ')[2]}", topic=topic) from None
    except InputError:
        raise
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else getattr(error, "strerror", error)
        raise InputError(f"{path}: cannot be read as {what}: {reason}") from None


def first_problem(error: ValidationError, keys: Iterable[str]) -> InputError:
    """The first of pydantic's complaints, as one line; `keys` are those that there are."""
    problem = error.errors(include_url=False)[0]
    key = str(problem["loc"][0]) if problem["loc"] else ""
    cause = problem.get("ctx", {}).get("error")
    if isinstance(cause, InputError):
        return InputError(cause.problem, cause.key or key or None, cause.topic)
    if problem["type"] == "extra_forbidden":
        known = hint(key, keys)
        return InputError(f"a study has no such key{'; ' * bool(known)}{known}", key)
    text = str(cause) if cause else PLAIN_WORDS.get(problem["type"], problem["msg"][0].lower() + problem["msg"][1:])
    given = "" if cause else f", not {str(problem['input'])[:60]!r}"
    return InputError(text.replace("input should be", "must be") + given, key or None)


PLAIN_WORDS = {
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_type": "must be a whole number",
    "tuple_type": "must be a value or a list of values",
    "string_type": "must be text",
    "int_parsing_size": "must be a smaller whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
}
