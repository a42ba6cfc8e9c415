"""The lock of a study folder: one process at a time works on it. The system frees it when its holder dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from bnstudy.study import main_guard
from bnstudy.study.errors import InputError, LockedError

NAME = "lock"
PATIENCE = 0.5  # seconds to try for it


@contextmanager
def hold(folder: Path, wait: bool = False) -> Iterator[None]:
    """Hold a study folder's lock; the folder is made if missing.

    Whatever was read of the folder before has to be read again: its last holder may have changed everything.

    Raises
    ------
    LockedError
        Another process holds it, unless we `wait` for that.
    InputError
        The folder cannot be written.
    """
    main_guard.leave_if_starting()  # a worker that runs the script again would wait for its own parent
    lock = filelock.FileLock(folder / NAME)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # `status` holds it for an instant, which should not turn a run away.
        lock.acquire(timeout=-1 if wait else PATIENCE)
    except filelock.Timeout:
        raise LockedError(
            f"{folder} is being worked on by another process; add --wait to run after it, or stop it"
        ) from None
    except OSError as error:
        raise InputError(f"{folder}: cannot be locked: {(error.strerror or str(error)).lower()}", "out") from None
    try:
        yield
    finally:
        lock.release()


def is_held(folder: Path) -> bool:
    """Whether a process is working on a study folder now."""
    lock = filelock.FileLock(folder / NAME)
    try:
        with lock.acquire(timeout=0):
            return False
    except filelock.Timeout:
        return True
    except OSError:  # a folder that cannot be written is nobody's work place
        return False
