"""Study files, as commands are given them: by path, or by the name of a study that comes with the package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnstudy.cli.options import topic_of
from bnstudy.study.errors import InputError

if TYPE_CHECKING:
    from bnstudy.study.study import Study


OTHERS = "default,zero,large-variance"  # than those of --scales, unless --inits says
SHIPPED = {"baseline": "baseline", "init-sweep": "init_sweep"}


def study_named(name: str, settings: Mapping[str, Any]) -> Study:
    """A study by its file, or one that comes with the package by its command; with options laid over it."""
    if name == "init-sweep" and "scales" in settings:
        settings = {"inits": OTHERS, **settings}
    return load(_shipped(SHIPPED[name]) if name in SHIPPED else Path(name), settings)


def load(path: Path, settings: Mapping[str, Any]) -> Study:
    """A study file with options laid over it; a key that no option set is named with its file."""
    from bnstudy.study.study import Study

    try:
        return Study.load(path, **settings)
    except InputError as error:
        if error.key and error.key not in settings:
            raise InputError(f"{path}: {error}", topic=topic_of(error)) from None
        raise


def _shipped(name: str) -> Path:
    """A study file that comes with the package: beside it in a checkout, inside it when installed."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "studies" / f"{name}.toml"
    return inside if inside.exists() else package.parent / "studies" / f"{name}.toml"
