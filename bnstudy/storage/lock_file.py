"""A lock for file systems that have none: a file that names its holder, who touches it all the time.

It is taken from a holder that is known to be dead, a process of this machine that is gone, or that has not touched it
for :data:`SILENCE` seconds by the file system's own clock. A holder that slept for so long is told of its loss.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

NAME = "lock.json"
BEAT = 15.0  # seconds between two touches
SILENCE = 900.0  # seconds without one after which a holder on another machine is taken for dead
# What flock answers where the file system, or the server behind it, has no locks.
NO_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL}


def is_needed(lock: Path) -> bool:
    """Whether the file system of a lock that flock is asked for has none."""
    try:
        import fcntl
    except ImportError:  # Windows locks otherwise
        return False
    flags = os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | os.O_NOFOLLOW
    try:
        handle = os.open(lock, flags, 0o644)
    except OSError:  # which whoever locks it tells
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in NO_LOCKS
    finally:
        os.close(handle)
    return False


@dataclass(frozen=True)
class Holder:
    """Who holds a lock: a process, as its host names itself."""

    host: str
    machine: str  # which no other has: a name may be borne by several
    pid: int
    started: str
    token: str

    @classmethod
    def here(cls) -> Holder:
        """This process."""
        return cls(platform.node(), _machine(), os.getpid(), _started(os.getpid()), uuid.uuid4().hex)

    @classmethod
    def read(cls, path: Path) -> Holder | None:
        """Who a lock file says; None where it says nobody."""
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return cls(str(found["host"]), str(found["machine"]), int(found["pid"]), str(found["started"]),
                       str(found["token"]))  # fmt: skip
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def is_of_this_machine(self) -> bool:
        """Whether its process would be found here, were it alive."""
        return self.machine == _machine()

    def is_gone(self) -> bool:
        """Whether it is a process of this machine that has ended, whoever has its number now."""
        if not self.is_of_this_machine():
            return False
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, OverflowError):
            return True
        except OSError:  # somebody else's
            pass
        return bool(self.started) and _started(self.pid) != self.started


class LockFile:
    """A lock in a folder: :meth:`take`, and :meth:`release`."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self.me = Holder.here()
        self.is_lost = False
        self._ended = threading.Event()
        self._beating: threading.Thread | None = None

    def take(self) -> bool:
        """Take it, if nobody holds it who may be alive; OSError where it cannot be written."""
        seen = self._seen(self.path)
        if seen is not None and self.is_free():
            self._remove_dead(seen)
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            return False
        try:
            os.write(handle, json.dumps(asdict(self.me)).encode())
        finally:
            os.close(handle)
        self._beating = threading.Thread(target=self._beat, name="bnstudy-lock", daemon=True)
        self._beating.start()
        return True

    def release(self) -> None:
        """Let go of it, unless somebody else has taken it."""
        self._ended.set()
        if self._beating:
            self._beating.join()
        if Holder.read(self.path) == self.me:
            with suppress(OSError):
                self.path.unlink()

    def is_free(self) -> bool:
        """Whether nobody holds it, or one who is dead."""
        silent = self.silence()
        if silent is None:
            return True
        holder = Holder.read(self.path)
        if holder is not None and holder.is_of_this_machine():
            return holder.is_gone()  # however long it was stopped
        return silent > SILENCE

    def silence(self) -> float | None:
        """Seconds since its holder touched it, by the clock of the file system; None where it is not there."""
        try:
            touched = self.path.stat().st_mtime
        except OSError:
            return None
        return self._now() - touched

    def told(self) -> str:
        """Who holds it, in words."""
        holder, silent = Holder.read(self.path), self.silence() or 0.0
        who = f"number {holder.pid} on {holder.host}" if holder else "which left no name"
        heard = f"last heard of {_duration(max(silent, 0.0))} ago"
        if holder and holder.is_of_this_machine():
            return f"{who}, which is alive ({self.path}, {heard})"
        return (
            f"{who} ({self.path}, {heard}); it is taken for dead after {_duration(SILENCE)} of silence, or delete that "
            "file if you know it is"
        )

    def _now(self) -> float:
        """The time as the file system has it, which may be another machine's."""
        probe = self.path.with_name(f".{NAME}.{self.me.token}.tmp")
        try:
            probe.touch()
            return probe.stat().st_mtime
        except OSError:  # it can only be read
            return time.time()
        finally:
            with suppress(OSError):
                probe.unlink()

    @staticmethod
    def _seen(path: Path) -> tuple[bytes, int] | None:
        """What tells a lock file from the next one of that name."""
        try:
            return path.read_bytes(), path.stat().st_mtime_ns
        except OSError:
            return None

    def _remove_dead(self, dead: tuple[bytes, int]) -> None:
        """Take a dead holder's file away; one that another process has put there in between goes back."""
        aside = self.path.with_name(f".{NAME}.dead.{self.me.token}.tmp")
        if self._seen(self.path) != dead:
            return
        with suppress(OSError):
            os.rename(self.path, aside)
            if self._seen(aside) != dead and not self.path.exists():
                os.rename(aside, self.path)
        with suppress(OSError):
            aside.unlink()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            found = Holder.read(self.path)
            if found != self.me and (found or not os.path.lexists(self.path)):  # else it cannot be read just now
                self.is_lost = True
                return
            with suppress(OSError):  # for now, perhaps
                os.utime(self.path)


def _machine() -> str:
    """This machine since it was started, and its space of process numbers: a container has one of its own."""
    parts = [platform.node()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _started(pid: int) -> str:
    """When a process was started, in ticks since the machine was; empty where that is not to be had."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _duration(seconds: float) -> str:
    for unit, length in (("day", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            count = int(seconds / length)
            return f"{count} {unit}{'s' if unit == 'day' else ''}"
    return f"{seconds:.0f} s"
