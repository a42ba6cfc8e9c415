"""Whether a study folder holds what it should: every file against its checksum, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bnstudy.storage import atomic
from bnstudy.storage.manifest import DATASET, DIAGNOSTICS, OWN_FILES, PAGE, dataset_digests, is_current
from bnstudy.storage.store import Store
from bnstudy.study.errors import refusal_of


@dataclass(frozen=True)
class Finding:
    """One file that is not as it should be.

    Attributes
    ----------
    path : Path
        The file.
    kind : str
        ``damaged``, ``missing`` or ``foreign``.
    advice : str
        What to do about it.
    """

    path: Path
    kind: str
    advice: str


def verify(folder: str | Path) -> list[Finding]:
    """Every damaged, missing or foreign file of a study folder; no file is opened but to add up its bytes.

    What the disk does not give back is damaged. What is amiss is looked at once more: a process at work on the study
    writes a file and its line one by one.

    Raises
    ------
    InputError
        The folder holds no study, or its study, plan or manifest cannot be read.
    """
    found = _look(Store.open(folder))
    if found:
        again = _look(Store.open(folder))
        found = [finding for finding in found if finding in again]
    return sorted(found, key=lambda finding: str(finding.path))


def _look(store: Store) -> list[Finding]:
    found = [*_ensembles(store), *_dataset(store, DATASET), *_dataset(store, DIAGNOSTICS)]
    return [*found, *_foreign(store)]


def _ensembles(store: Store) -> Iterator[Finding]:
    entries = store.manifest()
    for ensemble in store.plan:
        path, digest = store.path(ensemble), entries.get(store.name(ensemble), {}).get("sha256")
        if digest is None:
            if path.exists() or path.is_symlink():
                yield Finding(path, "foreign", "the manifest does not know it; move it away and run the study again")
        elif (path.exists() and not path.is_file()) or path.is_symlink():
            yield Finding(path, "foreign", "bnstudy did not write it; move it away and run the study again")
        elif not path.is_file():
            yield Finding(path, "missing", "run the study again, which trains it anew")
        elif (reason := _unlike(partial(_has_digest, digest=digest), path)) is not None:
            yield Finding(path, "damaged", f"{reason}delete it and run the study again")


def _has_digest(path: Path, digest: str) -> bool:
    return atomic.sha256(path) == digest


def _unlike(is_right: Callable[[Path], bool], path: Path) -> str | None:
    """None of a file that is as it was written; else what to say before what to do, which is nothing if it was read."""
    try:
        return None if is_right(path) else ""
    except OSError as error:
        return f"the disk does not give it back ({refusal_of(error)}); where that stays so, "


def _dataset(store: Store, name: str) -> Iterator[Finding]:
    path, digests = store.folder / name, dataset_digests(store.folder, name)
    if path.is_file():
        if (reason := _unlike(is_current, path)) is not None:
            kind = "damaged" if digests else "foreign"
            yield Finding(path, kind, f"{reason}run the study again, which rebuilds it from the ensembles")
    elif digests:
        yield Finding(path, "missing", "run the study again, which rebuilds it from the ensembles")


def _foreign(store: Store) -> Iterator[Finding]:
    """Whatever lies there that no study writes. What a killed process left half-written goes at the next run."""
    known = {store.folder / name for name in (*OWN_FILES, PAGE)}
    known |= {path for ensemble in store.plan for path in (store.path(ensemble), *store.superseded(ensemble))}
    for path in [*store.folder.iterdir(), *store.folder.glob("ensembles/*")]:
        if path not in known and not atomic.is_temporary(path):
            yield Finding(path, "foreign", "bnstudy did not write it; move it away")
