"""The command line: parse, call, print. Importing it imports neither torch nor the rest of the package."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

__all__ = ["main"]

STOPPED = 128 + signal.SIGINT


def main(arguments: list[str] | None = None) -> None:
    """Run the command line, and end; see :func:`bnstudy.cli.app.main`."""
    heeds = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    try:
        if heeds:
            signal.signal(signal.SIGINT, _interrupted)
    except ValueError:  # not the main thread: the host program handles its signals
        heeds = False
    try:
        try:
            from bnstudy.cli.app import main as run
        except KeyboardInterrupt:  # while it was loading
            print("bnstudy: stopped", file=sys.stderr)
            sys.exit(STOPPED)
        run(arguments)
    finally:
        if heeds:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _interrupted(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, as Python does; or end at once while torch loads, since its C++ would abort on that."""
    specification = getattr(sys.modules.get("torch"), "__spec__", None)
    if getattr(specification, "_initializing", False):
        print("bnstudy: stopped", file=sys.stderr, flush=True)
        os._exit(STOPPED)
    raise KeyboardInterrupt
