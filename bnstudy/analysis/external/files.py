"""Files, folders and tables of somebody else's, as one table."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from bnstudy.analysis.external.asked import Asked
from bnstudy.analysis.external.formats import PARQUET, read_file
from bnstudy.analysis.external.tables import Table, counted, nearest, shortened
from bnstudy.study.errors import InputError

ENDINGS = (".csv", ".tsv", ".txt", ".dat", ".jsonl", ".ndjson", ".json", ".parquet")
MOST_FILES = 20_000
NAME = "path of the file"  # the column that holds it


def load(sources: Any, asked: Asked) -> Table:
    """A DataFrame, a file, the tables in a folder and below, or several of these paths, as one table.

    Files are put one below another, each row with the path of its file: as it was given, and below a folder from there.
    They must be of one kind and hold the columns that were asked for, since what is not alike is seldom meant.

    Raises
    ------
    InputError
        There is nothing, it cannot be read, or files differ.
    """
    if isinstance(sources, pd.DataFrame):
        return Table(checked(sources, "the table"), tells_blanks=False)
    paths, notes = paths_of([sources] if isinstance(sources, str | Path) else sources)
    frames: list[Any] = []
    kinds: dict[str, Path] = {}
    for name, path in paths.items():
        frame, kind = read_file(path, asked.value, asked.columns)
        kinds.setdefault(kind, path)
        if len(kinds) > 1:
            (one, first), (other, second) = kinds.items()
            raise InputError(f"{first} is {one} and {second} {other}: read files of one kind together")
        frame = checked(frame, str(path))
        if len(paths) > 1:
            _check_alike(frame, path, asked)
            frame = frame if asked.wide else frame.copy().assign(**{NAME: name})
        frames.append(frame)
    if not asked.wide:
        _check_factors(dict(zip(paths.values(), frames, strict=True)), asked)
    joined = frames[0] if len(frames) == 1 else _joined(frames)
    tells_blanks = PARQUET not in kinds
    return Table(joined, tells_blanks, NAME if NAME in joined else None, NAME in joined, tuple(notes))


def _joined(frames: list[Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of pandas 2: columns of blanks alone will count as text
        return pd.concat(frames, ignore_index=True)


def paths_of(sources: Any) -> tuple[dict[str, Path], list[str]]:
    """Every file by its name, and what was passed over."""
    if not isinstance(sources, Iterable):
        raise InputError(f"takes a DataFrame or paths of files, not a {type(sources).__name__}")
    found: dict[str, Path] = {}
    notes = []
    for source in sources:
        if not isinstance(source, str | Path):
            raise InputError(f"takes a DataFrame or paths of files, not a {type(source).__name__} among several")
        try:
            path = Path(source)
            if path.is_dir():
                inside = sorted(one for one in path.rglob("*") if one.is_file())
                shown = [one for one in inside if not any(p.startswith(".") for p in one.relative_to(path).parts)]
                tables = {one.relative_to(path).as_posix(): one for one in shown if _is_table(one)}
                if not tables:
                    raise InputError(f"{path} holds no table ({', '.join(ENDINGS)}, also with .gz)")
                if len(inside) > len(tables):
                    others = counted(len(inside) - len(tables), "other file")
                    notes.append(f"{path}: {counted(len(tables), 'table')} read, {others} passed over")
                if found.keys() & tables:
                    tables = {(path / name).as_posix(): one for name, one in tables.items()}
                found |= tables
            elif path.is_file():
                found[path.as_posix()] = path
            else:
                raise InputError(f"{path} is no file or folder" if path.exists() else f"{path} is not there")
        except (OSError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{shortened(source)!r} cannot be read: {shortened(error)}") from None
    if not found:
        raise InputError("no file to read")
    # Links are not followed: of one file under two names, each may say of another run that it is.
    once = {os.path.abspath(path): name for name, path in reversed(found.items())}
    if len(once) < len(found):
        notes.append(f"{counted(len(found) - len(once), 'file')} named a second time: read once")
        found = {name: path for name, path in found.items() if once[os.path.abspath(path)] == name}
    if len(found) > MOST_FILES:
        raise InputError(f"{len(found):,} files: at most {MOST_FILES:,} are read together")
    return found, notes


def _is_table(path: Path) -> bool:
    return path.name.lower().removesuffix(".gz").endswith(ENDINGS)


def checked(frame: Any, what: str) -> Any:
    """A table with text for column names, none twice, and rows numbered from 0; the caller's is left as it was."""
    if isinstance(frame.columns, pd.MultiIndex):
        raise InputError(f"{what} has several rows of column names: keep one")
    if any(name is not None for name in frame.index.names):
        both = [name for name in frame.index.names if name in frame.columns]
        if both:
            raise InputError(f"{what} has {shortened(both[0])!r} as index and as column: remove one")
        frame = frame.reset_index()
    frame = frame.set_axis([str(name).strip() for name in frame.columns], axis=1).reset_index(drop=True)
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise InputError(f"{what} has the column {shortened(twice)!r} twice: rename or remove one")
    if not len(frame):
        raise InputError(f"{what} has no rows")
    return frame


def _check_alike(frame: Any, path: Path, asked: Asked) -> None:
    for name in (asked.step,) if asked.wide else (asked.step, asked.value):
        if name not in frame:
            hint = nearest(name, list(frame.columns))
            raise InputError(f"{path} has no column {shortened(name)!r}{hint}: name the files that belong together")


def _check_factors(frames: dict[Path, Any], asked: Asked) -> None:
    """InputError where some files have a column that was asked for, and others do not."""
    for name, key in asked.factors.items():
        lacking = [path for path, frame in frames.items() if name not in frame]
        if lacking and len(lacking) < len(frames):
            hint = nearest(name, list(frames[lacking[0]].columns))
            raise InputError(f"{lacking[0]} has no column {shortened(name)!r}{hint}, and others have", key)
