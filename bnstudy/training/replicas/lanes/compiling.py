"""Where the kernel's library comes from: built by the C++ compiler that is there, sealed, and kept in a cache.

The last bytes of a kept library are the SHA-256 of all before them, which loaders ignore: a library that was cut or
overwritten would end the process that calls it, so none is loaded that is not, to the byte, what was built.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import platform
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bnstudy.storage import atomic, caches
from bnstudy.training.replicas.lanes import trial

SOURCES = Path(__file__).parent / "cpp"
TRIAL = "trial.cpp"  # among them, but no part of the library
FLAGS = ("-std=c++17", "-O3", "-shared", "-fPIC", "-fno-fast-math")  # NaN must stay NaN
NATIVE = "-march=native"
BUILD_SECONDS = 600  # clang took over two minutes on a busy machine
SEAL = hashlib.sha256().digest_size
LOCK, BUILDS = ".lock", ".build-"
FOLDER = "kernels"
ROOM = 8 * 2**20  # bytes that a build may take


class NoKernelError(Exception):
    """There is no kernel; the message says why."""


def find_compiler() -> tuple[str, ...]:
    """The command of the C++ compiler: ``$CXX`` as a shell would read it, else c++, g++ or clang++.

    Raises
    ------
    NoKernelError
        None is to be found.
    """
    if sys.platform == "win32":
        raise NoKernelError("it is not built on Windows")
    asked = os.environ.get("CXX", "").strip()
    if not asked:
        compiler = next((path for name in ("c++", "g++", "clang++") if (path := shutil.which(name))), None)
        if compiler is None:
            raise NoKernelError("no C++ compiler found")
        return (compiler,)
    if path := shutil.which(asked):  # its folder may have spaces in its name
        return (path,)
    try:
        name, *arguments = shlex.split(asked)
    except ValueError as error:
        raise NoKernelError(f"CXX cannot be read ({str(error).lower()}): {asked[:60]}") from None
    if path := shutil.which(name):
        return (path, *arguments)
    raise NoKernelError(f"CXX names {name[:60]!r}, which is not found")


def version_of(compiler: tuple[str, ...]) -> str:
    """What a compiler says of itself."""
    try:
        asked = [*compiler, "--version"]
        return subprocess.run(
            asked, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=30
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise NoKernelError(f"{shlex.join(compiler)} cannot be run: {_reason(error)}") from None


def source() -> str:
    """All of the kernel's source."""
    parts = sorted(path for path in SOURCES.iterdir() if path.suffix in (".cpp", ".h"))
    return "\0".join(path.read_text(encoding="utf-8") for path in parts)


def name_of(compiler: tuple[str, ...], version: str) -> str:
    """The library's name. It holds all that goes into the library, the processor's abilities included."""
    identity = "\0".join([source(), version, *compiler[1:], *FLAGS, NATIVE, *processor()])
    return f"lanes-{hashlib.sha256(identity.encode(errors='surrogateescape')).hexdigest()[:20]}.so"


def cache_folder() -> Path:
    """Where libraries are kept."""
    return caches.user_cache() / FOLDER


def places() -> Iterator[Path]:
    """Folders where a library may be kept, the best first: the user's cache, and one among the temporary files."""
    first = cache_folder()
    yield first
    if (second := caches.temporary_cache() / FOLDER) != first:
        yield second


def is_sealed(path: Path) -> bool:
    """Whether a library is there and is what was built. What is no plain file, a link or a pipe, is none."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return False
        with open(handle, "rb", closefd=False) as file:
            content = file.read()
    except OSError:
        return False
    finally:
        os.close(handle)
    return len(content) > SEAL and _seal(content[:-SEAL]) == content[-SEAL:]


def build(compiler: tuple[str, ...], path: Path) -> None:
    """Build the library, unless another process has just done so.

    Raises
    ------
    NoKernelError
        The compiler cannot build it.
    OSError
        The folder cannot be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _refuse_noexec(path.parent)
    with _alone(path.parent) as alone:
        if is_sealed(path):
            return
        if alone:  # what is there was left by a process that was killed
            for left in path.parent.glob(f"{BUILDS}*"):
                shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=BUILDS, ignore_cleanup_errors=True) as folder:
            made = Path(folder) / "made"
            _refuse_full(Path(folder))
            compile_sealed(compiler, made, NATIVE, *_width(compiler, Path(folder)))
            os.replace(made, path)
        atomic.flush_folder(path.parent)


def _refuse_noexec(folder: Path) -> None:
    """OSError where the system loads no code from a folder."""
    if hasattr(os, "ST_NOEXEC") and os.statvfs(folder).f_flag & os.ST_NOEXEC:
        raise OSError(errno.EACCES, "it is mounted noexec", str(folder))


def _refuse_full(folder: Path) -> None:
    """OSError where a folder has no room for a build, which a compiler tells of as of a fault in the source."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(ROOM))
        file.flush()


def compile_sealed(compiler: tuple[str, ...], path: Path, *flags: str) -> None:
    """Build the library and put its seal at its end; NoKernelError if it cannot be built."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=BUILDS) as folder, ThreadPoolExecutor() as threads:
        units = [source for source in sorted(SOURCES.glob("*.cpp")) if source.name != TRIAL]
        parts = [Path(folder) / f"{unit.stem}.o" for unit in units]
        begun = [
            threads.submit(compile_source, compiler, [unit], part, "-c", *flags)
            for unit, part in zip(units, parts, strict=True)
        ]
        for building in begun:
            building.result()
        compile_source(compiler, parts, path, *flags)
    content = path.read_bytes()
    with path.open("wb") as file:
        file.write(content + _seal(content))
        file.flush()
        atomic.flush(file.fileno(), path.parent)


def _width(compiler: tuple[str, ...], folder: Path) -> tuple[str, ...]:
    """The flag that says how wide registers are, where there is a choice."""
    source, widths = SOURCES / TRIAL, trial.widths(processor())
    if len(widths) < 2 or not source.is_file():
        return ()
    return (trial.flag(trial.fastest(source, widths, folder, _native(compiler))),)


def _native(compiler: tuple[str, ...]) -> Callable[[Path, Path, str], None]:
    return lambda source, made, flag: compile_source(compiler, [source], made, NATIVE, flag)


def compile_source(compiler: tuple[str, ...], sources: Sequence[Path], made: Path, *flags: str) -> None:
    """Build a library, or with ``-c`` a part of one; NoKernelError if it cannot be built."""
    command = [*compiler, *FLAGS, *flags, *map(str, sources), "-o", str(made)]
    surroundings = {**os.environ, "TMPDIR": str(made.parent)}  # where a killed compiler's own files are found again
    try:
        subprocess.run(
            command, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=BUILD_SECONDS, env=surroundings
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise NoKernelError(f"{shlex.join(compiler)} cannot build it: {_reason(error)}") from None
    if not made.is_file():
        raise NoKernelError(f"{shlex.join(compiler)} cannot build it: it writes nothing")


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Wait until no other process builds in a folder; False where its file system cannot lock."""
    import fcntl

    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    try:
        yield _locked(functools.partial(fcntl.flock, handle, fcntl.LOCK_EX | fcntl.LOCK_NB))
    finally:
        os.close(handle)


def _locked(lock: functools.partial[None]) -> bool:
    until = time.monotonic() + 2 * BUILD_SECONDS
    while True:
        try:
            lock()
            return True
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
        except OSError:
            return False


def _seal(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _reason(error: Exception) -> str:
    """An error in a few words: the first that a compiler calls one, or what the system says."""
    if isinstance(error, subprocess.TimeoutExpired):
        return f"it took more than {error.timeout:g} s"
    if isinstance(error, subprocess.CalledProcessError):
        said = error.stderr or ""
        lines = (said.decode(errors="replace") if isinstance(said, bytes) else said).splitlines()
        told = next((line for line in lines if "error" in line.lower()), lines[0] if lines else "")
        return told.strip()[:120] or f"it ends with {error.returncode}"
    return (getattr(error, "strerror", None) or str(error)).lower()


def processor() -> list[str]:
    """What the processor says of itself, on which ``-march=native`` depends."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return sorted({line for line in lines if line.startswith(("flags", "Features", "model name", "CPU part"))})
    except OSError:
        return [platform.machine(), platform.processor(), platform.version()]
