"""Where files lie that can be had again: the user's cache folder, else one of the user's among the temporary files."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

import platformdirs

NAME = "bnstudy"


def user_cache() -> Path:
    """The user's cache folder; a user without a home (no HOME, no entry in passwd) has :func:`temporary_cache`."""
    with suppress(RuntimeError):  # platformdirs knows no home; earlier versions leave the ~ in its place
        folder = Path(platformdirs.user_cache_dir(NAME))
        if folder.is_absolute():
            return folder
    return temporary_cache()


def temporary_cache() -> Path:
    """A folder among the temporary files that this user alone can write, found again by the next process.

    Where somebody else made it, since anybody may, it is one for this process alone.
    """
    folder = Path(tempfile.gettempdir()) / f"{NAME}-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    return folder if _is_ours_alone(folder) else _for_this_process()


def _is_ours_alone(folder: Path) -> bool:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or not hasattr(os, "getuid"):
        return stat.S_ISDIR(found.st_mode)
    return found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


@functools.cache
def _for_this_process() -> Path:
    folder = tempfile.mkdtemp(prefix=f"{NAME}-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
