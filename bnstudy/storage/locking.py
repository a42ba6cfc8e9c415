"""The lock of a study folder: one process at a time works on it. The system frees it when its holder dies; where the
file system has no locks, a file that names its holder stands in for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from bnstudy.storage import lock_file
from bnstudy.study import main_guard
from bnstudy.study.errors import InputError, LockedError, refusal_of

NAME = "lock"
PATIENCE = 0.5  # seconds to try for it
PAUSE = 0.25  # seconds between two tries


@contextmanager
def hold(folder: Path, wait: bool = False) -> Iterator[Callable[[], None]]:
    """Hold a study folder's lock; the folder is made if missing.

    Whatever was read of the folder before has to be read again: its last holder may have changed everything.

    Yields
    ------
    function
        Raises LockedError if the lock was lost meanwhile, which only a file that stands in for one can be.

    Raises
    ------
    LockedError
        Another process holds it, unless we `wait` for that.
    InputError
        The folder cannot be written.
    """
    main_guard.leave_if_starting()  # a worker that runs the script again would wait for its own parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if lock_file.is_needed(folder / NAME):
            held = _take(lock_file.LockFile(folder), wait)
            release, is_lost = held.release, lambda: held.is_lost
        else:
            lock = filelock.FileLock(folder / NAME)
            # `status` holds it for an instant, which should not turn a run away.
            lock.acquire(timeout=-1 if wait else PATIENCE)
            release, is_lost = lock.release, lambda: False
    except filelock.Timeout:
        raise LockedError(
            f"{folder} is being worked on by another process; add --wait to run after it, or stop it"
        ) from None
    except OSError as error:
        raise InputError(f"{folder}: cannot be locked: {refusal_of(error)}", "out") from None

    def check() -> None:
        if is_lost():
            raise LockedError(
                f"{folder}: another process has taken this one for dead and works on; what is finished is stored"
            )

    try:
        yield check
    finally:
        release()


def _take(held: lock_file.LockFile, wait: bool) -> lock_file.LockFile:
    """Take a file that stands in for a lock, as soon as nobody who may be alive holds it."""
    until = time.monotonic() + PATIENCE
    while not held.take():
        if not wait and time.monotonic() > until:
            raise LockedError(
                f"{held.path.parent} is being worked on by another process, {held.told()}; add --wait to run after it, "
                "or stop it"
            )
        time.sleep(PAUSE)
    return held


def is_held(folder: Path) -> bool:
    """Whether a process is working on a study folder now."""
    if lock_file.is_needed(folder / NAME):
        return not lock_file.LockFile(folder).is_free()
    lock = filelock.FileLock(folder / NAME)
    try:
        with lock.acquire(timeout=0):
            return False
    except filelock.Timeout:
        return True
    except OSError:  # a folder that cannot be written is nobody's work place
        return False
