"""Whose results an exported file holds, so that none of another study, or of another shard, is replaced."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path

import xarray as xr

from bnstudy.study.errors import InputError

HASH = "study_hash"


def studies_in(dataset: xr.Dataset) -> list[str]:
    """The hash of a dataset's study, and of those it was extended from; empty where it tells none."""
    found = [dataset.attrs[HASH]] if HASH in dataset.attrs else []
    with suppress(ValueError, TypeError, LookupError, RecursionError):
        found += [str(amendment[HASH]) for amendment in json.loads(dataset.attrs.get("amendments", "[]"))]
    return [digest for digest in found if digest]


def more_runs(path: Path) -> InputError:
    return InputError(
        f"{path} holds runs of this study that are not here; `bnstudy merge` joins shards, or choose another folder "
        "with --out", "out",
    )  # fmt: skip


def other_results(path: Path) -> InputError:
    return InputError(f"{path} holds other results; choose another folder with --out, or move them away", "out")


def safe_name(text: str) -> str:
    """A label as the name of a file or folder: letters, digits and a few signs; never hidden, never a path."""
    return re.sub(r"[^\w.=:-]", "-", text)[:80].lstrip(".") or "study"
