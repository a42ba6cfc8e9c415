"""A worker process as it starts: Python runs the main script in it again, up to whatever is not behind a main guard."""

from __future__ import annotations

import multiprocessing
import os

WORKER = "bnstudy-worker"  # the name of a worker process
NO_GUARD = 87  # its exit code when the script would start the study once more
ADVICE = 'put the call under `if __name__ == "__main__":`, since worker processes import the script, or use jobs=1'


def leave_if_starting() -> None:
    """End this process if it is a worker in which the main script runs again: its parent says why."""
    process = multiprocessing.current_process()
    # Python's own mark of a process that still imports its main module.
    if process.name == WORKER and getattr(process, "_inheriting", False):
        os._exit(NO_GUARD)
