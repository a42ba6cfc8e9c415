"""What lies in a study folder, by name; and its manifest, where the last line of a file counts."""

from __future__ import annotations

import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

from bnstudy import sealed
from bnstudy.errors import InputError

DATASET = "curves.nc"
DIAGNOSTICS = "diagnostics.nc"
PAGE = "report.html"  # of `bnstudy report`; nothing depends on it
# What a study folder holds, the folder of ensembles included.
OWN_FILES = (
    "study.toml", "plan.json", "ensembles", "manifest.jsonl", "arms.json", "running.json", DATASET, DIAGNOSTICS, "lock",
)  # fmt: skip


def dataset_digests(folder: Path, name: str = DATASET) -> list[str]:
    """SHA-256 of every dataset that was put, or about to be put, into a study folder; the last is the newest."""
    return [entry["sha256"] for entry in lines(folder) if entry.get("file") == name]


def lines(folder: Path) -> list[dict[str, Any]]:
    """The manifest's lines; one torn by a crash, or damaged, is passed over: what it was about is then unknown."""
    refuse_strange_files(folder)
    try:
        written = (folder / "manifest.jsonl").read_bytes().splitlines()
    except FileNotFoundError:
        return []
    entries = []
    for line in written:
        with suppress(ValueError, RecursionError):
            entries.append(sealed.unseal(line))
    return entries


def refuse_strange_files(folder: Path) -> None:
    """InputError where one of a study's own files is a link, which would be followed, or a pipe, which would hang."""
    for name in OWN_FILES:
        path = folder / name
        try:
            mode = path.lstat().st_mode
        except OSError:
            continue
        if not (stat.S_ISDIR(mode) if name == "ensembles" else stat.S_ISREG(mode)):
            kind = "a link" if stat.S_ISLNK(mode) else "a folder" if stat.S_ISDIR(mode) else "not a file"
            raise InputError(f"{path} is {kind}, which bnstudy does not write; move it away")
