"""The wheel and the sdist of this checkout, built once for all tests that look at them."""

from __future__ import annotations

import tarfile
import tempfile
import tomllib
import zipfile
from functools import cache
from pathlib import Path

from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@cache
def folder() -> Path:
    """Holds the sdist of this checkout, and the wheel that was built of that."""
    from hatchling.builders.sdist import SdistBuilder
    from hatchling.builders.wheel import WheelBuilder

    place = Path(_kept.name)
    (sdist,) = SdistBuilder(str(ROOT)).build(directory=str(place), versions=["standard"])
    with tarfile.open(sdist) as file:
        file.extractall(place / "unpacked", filter="data")
    (root,) = (place / "unpacked").iterdir()
    list(WheelBuilder(str(root)).build(directory=str(place), versions=["standard"]))
    return place


def wheel() -> Path:
    """The wheel that is built of the sdist."""
    return next(folder().glob("*.whl"))


def sdist() -> Path:
    """The source distribution."""
    return next(folder().glob("*.tar.gz"))


def contents(path: Path) -> dict[str, bytes]:
    """What the files of a wheel hold, by their names."""
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


_kept = tempfile.TemporaryDirectory(prefix="bnstudy-distributions-")
