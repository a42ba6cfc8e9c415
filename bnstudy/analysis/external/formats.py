"""One file as a table: CSV and its relatives, JSON lines, Parquet, each also packed by gzip."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bnstudy.analysis.external.tables import is_number, listed, shortened
from bnstudy.study.errors import InputError, reason_of

MOST_BYTES = 2**30  # of a file, unpacked
SEPARATORS = ",;\t|"
WIDE = " - "  # between a run's name and a metric in the columns of a wide table
PACKED = {b"PK": "a zip archive or a spreadsheet", b"BZh": "a bzip2 archive", b"\xfd7zXZ": "an xz archive",
          b"\x28\xb5\x2f\xfd": "a zstd archive", b"\x89HDF": "an HDF5 or netCDF file"}  # fmt: skip
TEXT, JSON, PARQUET = "text", "JSON", "Parquet"


def read_file(path: Path, value: str, columns: Sequence[str] = ()) -> tuple[Any, str]:
    """A file as it is written, told apart by what it holds and not by its name.

    Parameters
    ----------
    path : path
    value : str
        The column, or the metric of a wide table, that text files hold as text: there a blank is NaN, and a value that
        is not a number stays ``nan``.
    columns : sequence of str
        The names of the columns of a text file that has no header.

    Returns
    -------
    DataFrame, str
        And its kind: ``text``, ``JSON`` or ``Parquet``.

    Raises
    ------
    InputError
        It cannot be read, or is no table.
    """
    data = _unpacked(path)
    if data[:4] == b"PAR1":
        return _parquet(data, path), PARQUET
    for magic, what in PACKED.items():
        if data.startswith(magic):
            raise InputError(f"{path} is {what}: unpack it, or save it as CSV")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no UTF-8 text (byte {error.start}): save it as CSV in UTF-8") from None
    if "\0" in text:
        raise InputError(f"{path} holds binary data, no table: give CSV, JSON lines or Parquet")
    if not text.strip():
        raise InputError(f"{path} is empty")
    if text.lstrip()[0] in "{[":
        return _json(text, path), JSON
    return _text(text, path, value, columns), TEXT


def _unpacked(path: Path) -> bytes:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path} has more than {MOST_BYTES >> 30} GiB: leave out columns and rows")
        with path.open("rb") as file:
            if file.read(2) != b"\x1f\x8b":
                file.seek(0)
                return file.read()
        with gzip.open(path) as packed:
            data = packed.read(MOST_BYTES + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path} is damaged: {reason_of(error)}") from None
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or reason_of(error)}") from None
    if len(data) > MOST_BYTES:
        raise InputError(f"{path} unpacks to more than {MOST_BYTES >> 30} GiB: leave out columns and rows")
    return data


def _text(text: str, path: Path, value: str, columns: Sequence[str]) -> Any:
    """Cells between commas, semicolons, tabs, bars or blanks; lines that begin with ``#`` are no rows."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.startswith("#") or "\n#" in text:
        text = re.sub(r"(?m)^#.*\n?", "", text)
    text = text.lstrip("\n")
    first, _, _ = text.partition("\n")
    plain = re.sub(r'"[^"]*"', "", first)
    separator = max(SEPARATORS, key=plain.count)
    if not plain.count(separator):
        separator = r"\s+" if plain.split()[1:] else ","
    names = _header(text if separator != r"\s+" else " ".join(first.split()), separator, path)
    if columns and len(columns) != len(names):
        raise InputError(f"{len(columns)} names, where {path} has {len(names)} columns", "columns")
    if columns and set(columns) & set(names):
        raise InputError(f"{path} has a header: leave this out", "columns")
    numbers = [is_number(name) for name in names]
    if not columns and (all(numbers) or (any(numbers) and value not in names)):
        raise InputError(f"{path} begins with numbers instead of names: name its columns with --columns a,b,c")
    names = [name.strip() for name in columns] or [name or f"unnamed {i + 1}" for i, name in enumerate(names)]
    twice = [name for name in names if names.count(name) > 1] if len(set(names)) < len(names) else []
    if twice:
        raise InputError(f"{path} has the column {shortened(twice[0])!r} twice: rename or remove one")
    as_text = {name: str for name in names if name == value or name.endswith(WIDE + value)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of rows that are longer than the header
            return pd.read_csv(
                io.StringIO(text), sep=separator, header=None if columns else 0, names=names, dtype=as_text,
                index_col=False, keep_default_na=False, na_values=[""], skipinitialspace=True, low_memory=False,
            )  # fmt: skip
    except (pd.errors.ParserError, pd.errors.ParserWarning, ValueError, OverflowError, csv.Error) as error:
        what = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise InputError(f"{path} is no table: {shortened(what, 200) or reason_of(error)}") from None


def _header(text: str, separator: str, path: Path) -> list[str]:
    try:
        reader = csv.reader(io.StringIO(text), delimiter=" " if separator == r"\s+" else separator,
                            skipinitialspace=True)  # fmt: skip
        return [name.strip() for name in next(reader)]
    except (csv.Error, StopIteration) as error:
        raise InputError(f"{path} has no header that can be read: {_first_words(error)}") from None


def _first_words(error: BaseException) -> str:
    """What an error says, or that there is nothing."""
    return str(error) or "there is no row"


def _json(text: str, path: Path) -> Any:
    """An object a line, or one list of objects. What is no number is kept as ``nan``, null and what lacks as NaN."""
    mend = "write one object a line with the step, the value, and what tells the runs apart"
    try:
        try:
            lines = ",".join(line for line in text.split("\n") if line.strip())
            rows = json.loads(f"[{lines}]", parse_constant=str.lower)
        except json.JSONDecodeError:
            rows = json.loads(text, parse_constant=str.lower)
            rows = rows if isinstance(rows, list) else [rows]
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no JSON: {shortened(error, 100)}; {mend}") from None
    if len(rows) == 1 and isinstance(rows[0], list):
        rows = rows[0]
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path} holds no rows: {mend}")
    nested = [key for key, cell in rows[0].items() if isinstance(cell, (list, dict))]
    if len(rows) == 1 and nested:
        raise InputError(f"{path} is one object with its curves nested in {listed(map(repr, nested))}: {mend}")
    return pd.DataFrame(rows)


def _parquet(data: bytes, path: Path) -> Any:
    try:
        return pd.read_parquet(io.BytesIO(data))
    except ImportError:
        raise InputError(f"{path}: Parquet needs the package pyarrow: pip install 'bnstudy[parquet]'") from None
    except Exception as error:  # pyarrow raises errors of its own
        raise InputError(f"{path} is no Parquet that can be read: {shortened(reason_of(error), 200)}") from None
