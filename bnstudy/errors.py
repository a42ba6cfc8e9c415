"""The errors a user can mend. Each is one line that says what was wrong, where, and what to do instead."""

from __future__ import annotations


class BnstudyError(Exception):
    """An error that ends a command with one line and this exit code."""

    exit_code = 1


class InputError(BnstudyError, ValueError):
    """Bad input: an option, a key of a study file, a file or a folder.

    Parameters
    ----------
    problem : str
        What is wrong and what to do instead, in one line.
    key : str, optional
        The study key the problem is about, e.g. ``"batch_size"``. The command line shows it as an option.
    """

    exit_code = 2

    def __init__(self, problem: str, key: str | None = None) -> None:
        self.problem = problem
        self.key = key
        super().__init__(f"{key}: {problem}" if key else problem)


class FailedRunsError(BnstudyError):
    """The study finished, but some runs failed; running it again retries them."""

    exit_code = 3


class LockedError(BnstudyError):
    """Another process is working on the study."""

    exit_code = 4


class DataWarning(UserWarning):
    """Something about results that their reader should know; the command line prints it as one line."""
