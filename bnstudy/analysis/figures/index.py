"""The page that shows a folder of figures: a section a study, which says of what data its figures were drawn."""

from __future__ import annotations

import html
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from bnstudy.analysis import responses
from bnstudy.analysis.figures import style
from bnstudy.storage import atomic
from bnstudy.study.errors import InputError
from bnstudy.study.schema import so_far

if TYPE_CHECKING:
    from bnstudy.analysis.figures.gallery import Drawn

NAME = "README.md"
HEAD = "# Figures\n\nDrawn by `bnstudy figures` from the stored datasets; this page is generated.\n"
SECTION = re.compile(r"^## ", re.M)
FOLDER = re.compile(r"\]\(([^/()]+)/[^/()]+\.png\)")
HASH = re.compile(r"^data: .* · study hash: (\S+) · command: ", re.M)


def sections_of(folder: Path) -> dict[str, str]:
    """The section of each study whose figures lie in `folder`, by the name of its own folder there.

    InputError where there is a page that was not written here.
    """
    path = folder / NAME
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8", errors="replace")
    if not text.startswith(HEAD):
        raise InputError(f"{path} is there and was not written by `bnstudy figures`; choose another --out", "out")
    found = {}
    for section in SECTION.split(text)[1:]:
        shown = FOLDER.search(section)
        if shown and (folder / shown[1]).is_dir():
            found[shown[1]] = f"## {section.rstrip()}\n"
    return found


def refuse_another(folder: Path, section: str, dataset: xr.Dataset) -> None:
    """InputError where the figures in `folder`, which `section` shows, are not of this study, or what it grew from."""
    told = HASH.search(section)
    earlier = [str(one.get("study_hash")) for one in json.loads(dataset.attrs.get("amendments") or "[]")]
    if told and told[1] not in [_short_hash(text) for text in (_hash(dataset), *earlier)]:
        raise InputError(
            f"{folder} holds figures of another study ({section[3:].partition(chr(10))[0]}, study hash {told[1]}; "
            f"this one's is {_short_hash(_hash(dataset))}); draw elsewhere with --out DIR, or remove that folder first",
            "out",
        )


def write(folder: Path, sections: Mapping[str, str]) -> Path:
    """Write the page of these sections."""
    atomic.write_text(folder / NAME, "\n".join([HEAD, *(sections[name] for name in sorted(sections))]))
    return folder / NAME


def section(dataset: xr.Dataset, name: str, source: Path, drawn: Sequence[Drawn], only: Sequence[str]) -> str:
    """What the page says of a study: its data, and each figure with what it shows."""
    shown = f"results/{name}" if source.is_absolute() else source.as_posix().replace("`", "")
    n = int(responses.observed(dataset).sum("seed").max())
    facts = [
        f"data: {markdown(dataset.attrs.get('dataset', 'not stated'))}",
        f"n = {n} seeds",
        *filter(None, [so_far(dataset.attrs)]),
        f"epochs: {dataset.sizes['epoch']}",
        f"study hash: {_short_hash(_hash(dataset))}",
        f"command: `bnstudy figures {shlex.quote(shown)}{' --only ' + ','.join(only) if only else ''}`",
    ]
    lines = [f"## {markdown(dataset.attrs.get('title', name))}", "", " · ".join(facts), ""]
    for one in drawn:
        lines += [f"### {one.label}", "", f"![{markdown(one.alt, 400)}]({name}/{one.name}.png)", "",
                  f"{one.caption} ([its numbers]({name}/{one.name}.md))", ""]  # fmt: skip
    return "\n".join(lines)


def _hash(dataset: xr.Dataset) -> str:
    return str(dataset.attrs.get("study_hash", "none"))


def _short_hash(text: str) -> str:
    return markdown(text[:12]).replace(" ", "")


def markdown(text: object, most: int = 100) -> str:
    """Text from a file as Markdown that shows it and does nothing else."""
    shown = html.escape(style.shorten(" ".join(str(text).split()), most), quote=False)
    return re.sub(r"([\\`*_{}\[\]()#+!|~$-])", r"\\\1", shown)
