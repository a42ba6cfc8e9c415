"""Files that are absent or whole: written aside, flushed to the disk, then renamed into place."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import platform
import shutil
import stat
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from bnstudy.study.errors import DataWarning, InputError, refusal_of

SUFFIX = ".tmp"
PROBE = 2**16  # bytes
# What file systems that cannot flush answer (CIFS, 9p, some of FUSE); an error of the disk itself is EIO.
CANNOT_FLUSH = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF, errno.ENOSYS}
_told: list[Path] = []  # the folder that was told of: once a process


def is_temporary(path: Path) -> bool:
    """Whether a file or folder is one that :func:`temporary` names."""
    return path.name.startswith(".") and path.name.endswith(SUFFIX)


def temporary(path: Path) -> Path:
    """Where a file or folder is written that will be put at `path`; what processes that are gone left there goes."""
    begin = f".{path.name}."
    with contextlib.suppress(OSError):  # no such folder yet, or none that can be read: nothing is left there
        names = [name for name in os.listdir(path.parent) if name.startswith(begin) and name.endswith(SUFFIX)]
        for left in (path.with_name(name) for name in names):
            if is_left(left):
                remove(left)
    return path.with_name(f"{begin}{_host()}.{os.getpid()}{SUFFIX}")


def is_left(temporary: Path) -> bool:
    """Whether the process of this machine that wrote a temporary file or folder is gone; what is not known is not."""
    host, _, process = temporary.name.removesuffix(SUFFIX).rpartition(".")
    if not host.endswith(f".{_host()}") or not process.isdecimal() or os.name == "nt":
        return False
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:  # somebody else's
        return False
    return False


def _host() -> str:
    """This machine, in a word: folders may be shared by several."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def remove(path: Path) -> None:
    """Remove a file, a link or a whole folder; nothing happens where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_atomically(path: Path, write: Callable[[Path], None]) -> str:
    """Let `write` fill a temporary file beside `path`, then put it in place.

    Returns
    -------
    str
        SHA-256 of what was written, 64 hexadecimal digits.

    Raises
    ------
    InputError
        The disk is full or the folder cannot be written; what was there before is untouched.
    """
    return publish(stage(path, write), path)


def stage(path: Path, write: Callable[[Path], None]) -> Path:
    """Write and flush a temporary file beside `path`; nothing is left behind if that fails."""
    _refuse_device(path)
    aside = temporary(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(aside)
        with aside.open("rb+") as file:
            flush(file.fileno(), path.parent)
    except (OSError, RuntimeError) as error:
        _discard(aside)
        raise _cannot_write(path, _refusal(aside) or error) from error
    except BaseException:
        _discard(aside)
        raise
    return aside


def _refuse_device(path: Path) -> None:
    """InputError where a file would take a device's place: whoever may write ``/dev`` would lose ``/dev/null``."""
    with contextlib.suppress(OSError):
        mode = path.lstat().st_mode
        is_link_to_one = stat.S_ISLNK(mode) and os.readlink(path).startswith("/proc/")  # /dev/stdout
        if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) or is_link_to_one:
            raise InputError(f"{path} is a device; name a file", "out")


def _refusal(temporary: Path) -> OSError | None:
    """Why nothing can be written there, asked of the system: the netCDF library calls a full disk forbidden."""
    if not temporary.parent.is_dir():
        return None  # the folder could not be made, and that error says why
    try:
        with temporary.open("wb") as file:
            file.write(bytes(PROBE))
            file.flush()
            flush(file.fileno(), temporary.parent)
    except OSError as error:
        return error
    finally:
        _discard(temporary)
    return None


def publish(temporary: Path, path: Path) -> str:
    """Rename a staged file into place and flush its folder; returns its SHA-256."""
    try:
        digest = sha256(temporary)
        os.replace(temporary, path)
        flush_folder(path.parent)
    except OSError as error:
        _discard(temporary)
        raise _cannot_write(path, error) from error
    return digest


def check_folder(folder: Path) -> None:
    """InputError if `folder` is no folder and cannot become one: something else is there, or in place of a parent."""
    place = folder
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise InputError(f"{place} is not a folder; choose another with --out", "out")


def refuse_existing(path: Path, key: str = "out") -> None:
    """InputError if something is at `path`, which the option of this key names: it may be the user's."""
    if os.path.lexists(path):
        name = "--" + key.replace("_", "-")
        raise InputError(f"{path} is there; choose another {name}, or write over it with --force", key)


@contextlib.contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn what the disk refuses, and nobody else has explained, into one line that names the file."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{error.filename or folder}: {refusal_of(error)}; what is stored is whole, and resumes", "out"
        ) from error


def write_text(path: Path, text: str) -> str:
    """Write UTF-8 text atomically; returns its SHA-256."""

    def write(temporary: Path) -> None:
        temporary.write_bytes(text.encode())

    return write_atomically(path, write)


def append_line(path: Path, line: str) -> None:
    """Append one line and flush it. A line torn by a crash earlier is cut off first."""
    try:
        with path.open("ab+") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - 1, 0))
            if file.read(1) not in (b"", b"\n"):
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
            file.write(line.encode() + b"\n")
            file.flush()
            flush(file.fileno(), path.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error


def flush_folder(folder: Path) -> None:
    """Make a rename in `folder` durable."""
    if os.name == "nt":
        return  # folders cannot be opened there; the rename is journalled
    handle = os.open(folder, os.O_RDONLY)
    try:
        flush(handle, folder)
    finally:
        os.close(handle)


def flush(handle: int, folder: Path) -> None:
    """Flush an open file or folder to the disk; a file system that cannot is told of once, and gone on with."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in CANNOT_FLUSH:
            raise
        if not _told:
            _told.append(folder)
            reason = os.strerror(error.errno).lower()
            warnings.warn(
                f"{folder}: this file system cannot flush to the disk ({reason}), so a loss of power may take what was "
                "stored last; nothing else is different",
                DataWarning,
                stacklevel=2,
            )


def _discard(temporary: Path) -> None:
    with contextlib.suppress(OSError):
        temporary.unlink()


def sha256(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cannot_read(path: Path, error: OSError) -> InputError:
    """What to raise where the disk does not give back a file that is there."""
    return InputError(f"{path}: cannot be read: {refusal_of(error)}")


def _cannot_write(path: Path, error: Exception) -> InputError:
    if isinstance(error, OSError) and error.errno:
        reason = os.strerror(error.errno).lower()
    else:  # the HDF5 library hides the reason
        reason = str(error)
    space = " (is the disk full?)" if "HDF error" in reason else ""
    hint = "; free some space and run again" if isinstance(error, OSError) and error.errno == errno.ENOSPC else ""
    return InputError(f"{path}: cannot be written: {reason}{space}{hint}", "out")
