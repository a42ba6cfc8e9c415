"""Where results lie that were looked for in another place, and what makes them where there are none."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from pathlib import Path

from bnstudy.storage import plan_file
from bnstudy.storage.manifest import DATASET
from bnstudy.study.study_files import shipped
from bnstudy.study.synonyms import meant

RESULTS = Path("results")  # where studies go unless one says otherwise
SHOWN = 4  # folders that are listed


def what_to_do(path: Path, otherwise: str, datasets: bool = False) -> str:
    """What to name, or to run, instead of a path that holds no study; `otherwise` where nothing comes to mind.

    With `datasets` a netCDF file, or a folder with one, will do.
    """
    if inside := _studies(path, datasets):
        return f"it holds {_listed(inside)}; name one of them"
    there = {_name(found): found for place in (path.parent, RESULTS) for found in _studies(place, datasets)}
    name = _name(path)
    file = path.parent / f"{name}.toml"
    if file.is_file() and name not in there:
        return f"`bnstudy run {shlex.quote(str(file))}` makes its results"
    if named := meant(name, there):
        return f"did you mean {there[named]}?"
    if named := meant(name, shipped()):
        return f"`bnstudy run {named}` makes {RESULTS / named}"
    return f"{otherwise}{'; there are ' * bool(there)}{_listed(there.values())}"


def there_are() -> str:
    """Which studies are where they go unless one says otherwise: to name one of, where none was named."""
    found = _listed(_studies(RESULTS, True))
    return f"there are {found}" if found else "`bnstudy run STUDY` makes one in results/"


def _studies(place: Path, datasets: bool) -> list[Path]:
    """The study folders in a folder, by name; netCDF files and folders with one too, if they will do."""
    try:
        entries = sorted(place.iterdir())
    except OSError:
        return []

    def will_do(entry: Path) -> bool:
        holds = os.path.isfile(entry / plan_file.NAME) or (datasets and os.path.isfile(entry / DATASET))
        return holds or (datasets and entry.suffix == ".nc")

    return [entry for entry in entries if will_do(entry)]


def _name(path: Path) -> str:
    return path.stem if path.suffix in (".nc", ".toml") else path.name


def _listed(paths: Iterable[Path]) -> str:
    texts = [str(path) for path in paths]
    more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return ", ".join(texts[:SHOWN]) + more
