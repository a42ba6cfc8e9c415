"""Where the address space is limited (``ulimit -v``, as batch systems set it), large libraries are tried first in a
process of their own: one that finds too little prints dozens of lines, or ends the process that loads it.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.abc import MetaPathFinder
from typing import Any

LIBRARIES = ("numpy", "scipy", "pandas", "netCDF4", "matplotlib", "sklearn", "torch")
# What such a process prints that finds too little.
SIGNS = ("memory", "failed to map", "allocate", "resource temporarily unavailable", "can't start new thread")


def watch() -> None:
    """From now on, where there is a limit."""
    if (limit := _limit()) is not None:
        sys.meta_path.insert(0, _TriedFirst(limit))


def too_little(error: ImportError) -> str:
    """What to say of a library that did not fit after all, its first try having been luckier; else empty."""
    limit = _limit()
    fits = limit is None or not any(sign in str(error).lower() for sign in SIGNS)
    return "" if fits or limit is None else _told(limit, error.name or "a library")


def _told(limit: int, name: str) -> str:
    return f"{limit // 1024} kB of address space, see ulimit -v, are too few to load {name}"


def _limit() -> int | None:
    """The limit in bytes; None where there is none."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft


class _TriedFirst(MetaPathFinder):
    """Finds nothing; raises MemoryError for a library that does not fit beside those before."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.tried: list[str] = []

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Try a library when it is first looked for."""
        if name not in LIBRARIES or name in self.tried:
            return
        self.tried.append(name)
        command = [sys.executable, "-P", "-c", "import " + ", ".join(self.tried)]
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
        if ended.returncode < 0 or (ended.returncode and any(sign in ended.stderr.lower() for sign in SIGNS)):
            raise MemoryError(_told(self.limit, name))
