"""The command line: parse, call, print. Importing it imports neither torch nor the rest of the package."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
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
        from bnstudy.cli import address_space

        address_space.watch()
        from bnstudy.cli.app import main as run

        run(arguments)
    except Exception as error:  # while it was loading
        from bnstudy.cli import ending

        ending.ask_for_traceback(ending.OPTION in (sys.argv if arguments is None else arguments))
        ending.unexpected(error)
    except KeyboardInterrupt:
        _tell_stopped()
        sys.exit(STOPPED)
    finally:
        if ours:  # a process that ends has nothing more to tell of
            signal.signal(signal.SIGINT, signal.SIG_DFL if arguments is None else signal.default_int_handler)


def _interrupted(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, as Python does; or end at once while torch loads, since its C++ would abort on that."""
    specification = getattr(sys.modules.get("torch"), "__spec__", None)
    if getattr(specification, "_initializing", False):
        _tell_stopped()
        os._exit(STOPPED)
    raise KeyboardInterrupt


def _tell_stopped() -> None:
    if sys.stderr is not None:
        with suppress(OSError):
            print("bnstudy: stopped", file=sys.stderr, flush=True)
