"""Pages that are made when the documentation is built: from the commands, the public names, the study and the figures.

Each module has one function ``pages()``, which gives the text of every page by its path under ``docs/``. What is
written is ignored by git.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"
MADE = ("reference/commands", "reference/python", "gallery")  # folders that hold made pages alone


def write(pages: Mapping[str, str]) -> None:
    """Write pages that changed, and remove those of these folders that are made no more."""
    for name, text in pages.items():
        path = DOCS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_text() != text:
            path.write_text(text)
    for folder in MADE:
        for path in (DOCS / folder).glob("*.[mr][ds]*"):
            if path.relative_to(DOCS).as_posix() not in pages:
                path.unlink()


def heading(text: str, mark: str = "=") -> list[str]:
    """A heading of reStructuredText."""
    return [text, mark * len(text), ""]


def toctree(names: list[str], depth: int = 1) -> list[str]:
    """A hidden table of contents, in MyST."""
    return ["```{toctree}", ":hidden:", f":maxdepth: {depth}", "", *names, "```", ""]
