"""How a command ends: in one line on standard error, whatever was raised; with a traceback where that is asked for.

It imports nothing that could be broken.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import threading
import traceback
import warnings
from contextlib import suppress
from typing import Any, NoReturn

from bnstudy.cli import address_space
from bnstudy.study.errors import first_line, one_line, raised_at, reason_of, refusal_of, warning_line

OPTION = "--traceback"
INTERRUPTED = 130
NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "cannot allocate memory", "std::bad_alloc")
_asked: list[str] = []  # what asked for tracebacks


def ask_for_traceback(asked: bool) -> None:
    """Whether errors come with their tracebacks from now on."""
    _asked[:] = [OPTION] * asked


def fail(text: str, code: int) -> NoReturn:
    """End with a line on standard error."""
    if _asked and sys.exc_info()[0] is not None:
        with suppress(OSError, ValueError):
            traceback.print_exc()
    tell(text)
    _flush()
    sys.exit(code)


def tell(text: str) -> None:
    """A line on standard error."""
    _print(f"bnstudy: {one_line(text)}")


def _print(line: str) -> None:
    if sys.stderr is None:  # print would take standard output
        return
    with suppress(OSError, ValueError):  # closed, or full
        print(line, file=sys.stderr, flush=True)


def unexpected(error: BaseException) -> NoReturn:
    """End for what nobody foresaw: what the system refuses, a broken installation, or a mistake of ours."""
    if isinstance(error, KeyboardInterrupt):
        fail("stopped", INTERRUPTED)
    if isinstance(error, BrokenPipeError):
        reader_gone()
    told = str(error).lower()
    if isinstance(error, MemoryError) or any(words in told for words in NO_MEMORY):
        said = f" ({first_line(error)})" if str(error) else ""
        fail(f"out of memory{said}; use fewer --jobs, or allow more", 1)
    if isinstance(error, OSError):
        limit = "; allow more of them (ulimit -n)" if error.errno in (errno.EMFILE, errno.ENFILE) else ""
        fail(f"{error.filename or 'the system'}: {refusal_of(error)}{limit}", 2)
    if isinstance(error, UnicodeError) and sys.getfilesystemencoding() != "utf-8":
        fail(f"this locale has no characters for a name or a text ({first_line(error)}); set LC_ALL=C.UTF-8", 2)
    if isinstance(error, ImportError) and not (error.name or "").startswith("bnstudy"):
        if said := address_space.too_little(error):
            fail(f"out of memory ({said}); use fewer --jobs, or allow more", 1)
        name = (error.name or "a library").partition(".")[0]
        again = f"; install {name} again" if error.name else ""
        fail(f"{name} cannot be imported{again} ({first_line(error)}){_advice()}", 1)
    advice = _advice("run again with --traceback; please report")
    fail(f"internal error: {reason_of(error)}{raised_at(error)}{advice}", 1)


def refuse_deleted_folder() -> None:
    """End where the current folder is gone: libraries cannot be loaded there, and say something else."""
    try:
        os.getcwd()
    except OSError:
        fail("the current folder was deleted; go to another", 2)


def _advice(text: str = "--traceback shows where") -> str:
    return "" if _asked else f" ({text})"


def reader_gone() -> NoReturn:
    """End without a word, since nobody reads on."""
    _discard_output()
    sys.exit(0)


def _flush() -> None:
    """Write out what was printed; what cannot be is dropped, else Python complains of it when it ends."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError):
        _discard_output()


def _discard_output() -> None:
    with suppress(OSError, ValueError, AttributeError):  # closed, or none
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def fill_streams() -> None:
    """Put a stream that leads nowhere where one is closed: else the next file that is opened would take its place, and
    what a library prints would go into it.
    """
    with suppress(OSError):
        while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
            os.set_inheritable(handle, True)
        os.close(handle)
        for name in ("stdin", "stdout", "stderr"):
            if getattr(sys, name) is None:
                setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115


# ------------------------------------------------------------------ what others print


def quiet_libraries() -> None:
    """Have warnings, logs and what is raised in threads and while objects are deleted told in a line each."""
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    threading.excepthook = lambda args: _ignored(args.exc_value)
    sys.unraisablehook = lambda args: _ignored(args.exc_value)
    logging.lastResort = _OneLine(logging.ERROR)


def _show_warning(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any) -> None:
    _print(warning_line(message, category, filename, lineno))


def _ignored(error: BaseException | None) -> None:
    if _asked and error is not None:
        with suppress(OSError, ValueError):
            traceback.print_exception(error)
    elif error is not None and not isinstance(error, SystemExit | KeyboardInterrupt | BrokenPipeError):
        tell(f"warning: {reason_of(error)}{raised_at(error)}, which changes nothing")


class _OneLine(logging.Handler):
    """What libraries log and nobody else shows."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(Exception):
            tell(f"{record.levelname.lower()} of {record.name}: {' '.join(record.getMessage().split())}")
