"""The errors a user can mend. Each is one line that says what was wrong, where, and what to do instead."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST = 600  # characters of a message
RAISED = (Exception, SystemExit)  # what code of somebody else's raises; an interrupt is not its own
LIBRARIES = {
    "bnstudy",
    "torch",
    "torchvision",
    "numpy",
    "xarray",
    "matplotlib",
    "PIL",
    "typer",
} | sys.stdlib_module_names


class BnstudyError(Exception):
    """An error that ends a command with one line and this exit code."""

    exit_code = 1

    def __init__(self, problem: str) -> None:
        super().__init__(one_line(problem))


def one_line(text: str) -> str:
    """A message that no name quoted in it can break, colour or flood: one line, what is unprintable escaped."""
    plain = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    half = LONGEST // 2
    return plain if len(plain) <= LONGEST else f"{plain[:half]} […] {plain[-half:]}"


def reason_of(error: BaseException) -> str:
    """An error of somebody else's code as a few words: its class and the first line of what it says."""
    lines = str(error.msg if isinstance(error, SyntaxError) else error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def raised_at(error: BaseException) -> str:
    """Where an error came from, as `` (line N of FILE)``: the innermost code that is no library's."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" (line {error.lineno} of {error.filename})"
    for frame, line in reversed([*traceback.walk_tb(error.__traceback__)]):
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] not in LIBRARIES:
            return f" (line {line} of {frame.f_code.co_filename})"
    return ""


def first_line(error: BaseException) -> str:
    """What an error says, in one line: its kind, where it says nothing."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def refusal_of(error: OSError) -> str:
    """What the system says where it refuses, in a few words."""
    return (error.strerror or str(error)).lower()


class InputError(BnstudyError, ValueError):
    """Bad input: an option, a key of a study file, a file or a folder.

    Parameters
    ----------
    problem : str
        What is wrong and what to do instead, in one line.
    key : str, optional
        The study key the problem is about, e.g. ``"batch_size"``. The command line shows it as an option.
    topic : str, optional
        What `bnstudy explain` says more of, e.g. ``"own-data"``. The command line names it.

    Attributes
    ----------
    problem, key, topic : str
        The same.
    exit_code : int
        With which a command ends: 2.

    Examples
    --------
    >>> import bnstudy
    >>> try:
    ...     bnstudy.Study.make({"dataset": "digits", "epoch": 5})
    ... except bnstudy.InputError as error:
    ...     print(error)
    epoch: a study has no such key; did you mean 'epochs'?
    """

    exit_code = 2

    def __init__(self, problem: str, key: str | None = None, topic: str | None = None) -> None:
        self.problem = problem = one_line(problem)
        self.key = key
        self.topic = topic
        super().__init__(f"{key}: {problem}" if key else problem)


@contextmanager
def told_as(problem: str, key: str | None = None) -> Iterator[None]:
    """What somebody else's code raises as an InputError: `problem`, why, and where it was raised."""
    try:
        yield
    except BnstudyError:
        raise
    except RAISED as error:
        raise InputError(f"{problem}: {reason_of(error)}{raised_at(error)}", key) from error


class FailedRunsError(BnstudyError):
    """The study finished, but some runs failed; running it again retries them."""

    exit_code = 3


class LockedError(BnstudyError):
    """Another process is working on the study."""

    exit_code = 4


class DataWarning(UserWarning):
    """Something about results that their reader should know; the command line prints it as one line."""


def warning_line(message: Warning | str, category: type[Warning], filename: str, lineno: int) -> str:
    """A warning in a line: what a user should know as it is, what is for programmers with its place."""
    place = "" if issubclass(category, DataWarning) else f" ({category.__name__}, line {lineno} of {filename})"
    return f"bnstudy: warning: {one_line(' '.join(str(message).split()) + place)}"
