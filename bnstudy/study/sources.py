"""Where a registered function comes from: the module of the user's that registered it, and a digest of its source.

The digest covers the module's file and the local modules that it imports, which are found by reading, never by running:
those under the folder it was imported from, or of an installed one those of its own package. It is taken when the entry
is registered, since that is the code that is loaded: a process that lives for days does not run what was edited since.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import re
import site
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

PACKAGE = "bnstudy"
MAINS = ("__main__", "__mp_main__")  # a script, and how a worker process calls the same one
# They register on behalf of others.
PASSED_OVER = ("bnstudy.study.registry", "bnstudy.study.sources", "bnstudy.training.datasets.own_data")
NOTEBOOK = "notebook"
DIGITS = 12  # hexadecimal, of a digest


@dataclass(frozen=True)
class Origin:
    """What registered an entry.

    Attributes
    ----------
    name : str
        A module's name, ``script NAME.py``, or ``notebook`` where there is no file.
    digest : str
        Of its source.
    is_module : bool
        Whether another process can import it by its name.
    """

    name: str
    digest: str
    is_module: bool


def origin_of(function: Callable[..., Any]) -> Origin | None:
    """What registers `function` now, by who calls; None if it is this package."""
    scope = _registrant(sys._getframe(1))
    name = str(scope.get("__name__", ""))
    if name.partition(".")[0] == PACKAGE:
        return None
    file = Path(str(scope.get("__file__") or ""))
    if name not in MAINS:
        return Origin(name, _digest_of_files(name, file) if file.is_file() else _digest_of_code(function), True)
    if not file.is_file():
        return Origin(NOTEBOOK, _digest_of_code(function), False)
    told = re.sub(r"[^A-Za-z0-9._-]", "_", file.name)
    full = getattr(scope.get("__spec__"), "name", None) or file.stem  # there is one where `python -m` started it
    return Origin(f"script {told}", _digest_of_files(full, file), False)


def _registrant(frame: FrameType | None) -> Mapping[str, Any]:
    """The globals of the module that is registering: the one being imported now, even if a helper of it calls."""
    while frame and frame.f_globals.get("__name__") in PASSED_OVER:
        frame = frame.f_back
    nearest = frame.f_globals if frame else {}
    while frame:
        scope, frame = frame, frame.f_back
        is_importing = getattr(scope.f_globals.get("__spec__"), "_initializing", False)
        if scope.f_code.co_name == "<module>" and is_importing:
            return scope.f_globals
    return nearest


# ------------------------------------------------------------------ files


def _digest_of_files(name: str, file: Path) -> str:
    """Of a module's file and all local ones that it imports, by their places in its folder."""
    root = _root(name, file)
    package = name.partition(".")[0] if _is_installed(root) else None
    found: dict[Path, bytes] = {}
    waiting = [file]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        try:
            about = path.stat()
            found[path], imported = _read(path, about.st_mtime_ns, about.st_size)
        except OSError:
            continue
        inside = path.relative_to(root).parts[:-1] if path.is_relative_to(root) else ()
        for parts in _absolute(imported, inside):
            if parts[0] != PACKAGE and package in (None, parts[0]):
                waiting += _files(root, parts)
    digest = hashlib.sha256()
    for path in sorted(found):
        place = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
        digest.update(place.encode() + b"\0" + found[path])
    return digest.hexdigest()[:DIGITS]


def _root(name: str, file: Path) -> Path:
    """The folder that a module's whole name starts from."""
    depth = name.count(".") + (file.name == "__init__.py")
    return file.parents[min(depth, len(file.parents) - 1)]


def _is_installed(root: Path) -> bool:
    """Whether a folder holds installed packages, all of which would otherwise be a plugin's neighbours."""
    paths = sysconfig.get_paths()
    folders = [
        *site.getsitepackages(),
        site.getusersitepackages(),
        *(paths[k] for k in ("stdlib", "purelib", "platlib")),
    ]
    return root.resolve() in {Path(folder).resolve() for folder in folders} or root.name.endswith("-packages")


@lru_cache(maxsize=1024)
def _read(path: Path, modified: int, size: int) -> tuple[bytes, tuple[tuple[int, str], ...]]:
    """The SHA-256 of a source file, however its lines end, and what it imports: (dots, name)."""
    content = path.read_bytes().replace(b"\r\n", b"\n")
    return hashlib.sha256(content).digest(), tuple(_imports(content) if path.suffix == ".py" else ())


def _imports(source: bytes) -> Iterator[tuple[int, str]]:
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # nothing that could be imported
        return
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            yield from ((node.level, f"{base}.{alias.name}".strip(".")) for alias in node.names)


def _absolute(imported: tuple[tuple[int, str], ...], inside: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Names of what a module in the package `inside` imports, in full."""
    for dots, name in imported:
        parts = (*inside[: len(inside) - dots + 1], *name.split(".")) if dots else tuple(name.split("."))
        if dots <= len(inside) + 1 and parts:
            yield parts


def _files(root: Path, parts: tuple[str, ...]) -> Iterator[Path]:
    """The files that importing a name reads: of each package on the way, and of the module."""
    folder = root
    for part in parts:
        for path in (folder / part / "__init__.py", folder / f"{part}.py"):
            if path.is_file():
                yield path
        folder /= part


# ------------------------------------------------------------------ code without a file


def _digest_of_code(function: Any) -> str:
    """Of a function's or class's source where Python remembers it, else of its byte code."""
    try:
        told = inspect.getsource(function)
    except (OSError, TypeError):
        told = repr([_content(code) for code in _codes(function)])
    return hashlib.sha256(told.encode()).hexdigest()[:DIGITS]


def _codes(function: Any) -> list[CodeType]:
    if isinstance(function, type):
        return [member.__code__ for _, member in sorted(vars(function).items()) if hasattr(member, "__code__")]
    inner = getattr(function, "func", function)  # of a partial
    return [inner.__code__] if hasattr(inner, "__code__") else []


def _content(code: CodeType) -> tuple[Any, ...]:
    """What a code object does: its lines and names of files left out."""
    return code.co_code, code.co_names, [_constant(constant) for constant in code.co_consts]


def _constant(constant: Any) -> Any:
    if isinstance(constant, CodeType):
        return _content(constant)
    return sorted(map(repr, constant)) if isinstance(constant, frozenset) else repr(constant)
