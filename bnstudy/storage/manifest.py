"""What lies in a study folder, by name; and its manifest, where the last line of a file counts."""

from __future__ import annotations

import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

from bnstudy.storage import atomic, checksummed_json
from bnstudy.study.errors import InputError

DATASET = "curves.nc"
DIAGNOSTICS = "diagnostics.nc"
PAGE = "report.html"  # of `bnstudy report`; nothing depends on it
# What a study folder holds, the folder of ensembles included.
OWN_FILES = (
    "study.toml", "plan.json", "ensembles", "manifest.jsonl", "arms.json", "running.json", DATASET, DIAGNOSTICS, "lock",
    "lock.json",
)  # fmt: skip


# What a line may say, and as what.
KINDS = {
    "ensemble": str, "file": str, "sha256": str, "placed": str, "failed": str, "runs": int, "diverged": int,
    "computed": dict,
}  # fmt: skip


def dataset_digests(folder: Path, name: str = DATASET) -> list[str]:
    """SHA-256 of each dataset that may lie in a study folder now; empty if none was ever put there.

    That is the one placed last, and those that were about to replace it: a process may be killed between a file's line
    and its place. A published dataset's manifest tells of no placing; there every line counts.
    """
    digests: list[str] = []
    for entry in lines(folder):
        if entry.get("file") == name:
            digests = [entry["placed"]] if "placed" in entry else [*digests, entry["sha256"]]
    return digests


def is_current(file: Path) -> bool:
    """Whether a study folder's dataset is one that its manifest says may lie there now."""
    known: list[str] = []
    while (digests := dataset_digests(file.parent, file.name)) != known:
        if atomic.sha256(file) in digests:
            return True
        known = digests  # a process may just have put the next one into place: then its line is there by now
    return False


def lines(folder: Path) -> list[dict[str, Any]]:
    """The manifest's lines; one torn by a crash, or damaged, is passed over: what it was about is then unknown.

    InputError if the disk does not give them.
    """
    refuse_strange_files(folder)
    path = folder / "manifest.jsonl"
    try:
        written = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise atomic.cannot_read(path, error) from error
    entries = []
    for line in written:
        with suppress(ValueError):
            entry = checksummed_json.unseal(line)
            if _is_line(entry):
                entries.append(entry)
    return entries


def _is_line(entry: dict[str, Any]) -> bool:
    """Whether a line is about a dataset or an ensemble, and says all that such a line does."""
    if not all(isinstance(entry[key], kind) for key, kind in KINDS.items() if key in entry):
        return False
    if not all(isinstance(text, str) for text in entry.get("computed", {}).values()):
        return False
    if "file" in entry:
        return "sha256" in entry or "placed" in entry
    return "ensemble" in entry and ("failed" in entry or {"sha256", "diverged"} <= entry.keys())


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
