"""The command line: parse, call, print. Importing it imports neither torch nor the rest of the package."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType

__all__ = ["main"]

STOPPED = 128 + signal.SIGINT


def main(arguments: list[str] | None = None) -> None:
    """Run the command line, and end; see :func:`bnstudy.cli.app.main`."""
    # Elsewhere than in the main thread, or where it has a handler already, the host program minds its signals.
    ours = threading.current_thread() is threading.main_thread()
    ours = ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, _interrupted)
    try:
        from bnstudy.cli.app import main as run

        run(arguments)
    except KeyboardInterrupt:  # while it was loading
        print("bnstudy: stopped", file=sys.stderr)
        sys.exit(STOPPED)
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _interrupted(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, as Python does; or end at once while torch loads, since its C++ would abort on that."""
    specification = getattr(sys.modules.get("torch"), "__spec__", None)
    if getattr(specification, "_initializing", False):
        print("bnstudy: stopped", file=sys.stderr, flush=True)
        os._exit(STOPPED)
    raise KeyboardInterrupt
