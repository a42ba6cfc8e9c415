"""How figures look, and how they are saved: the same data give the same bytes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import xarray as xr
from matplotlib.figure import Figure

# Okabe & Ito's colours, in an order whose greys differ; the line and marker tell the same.
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
LINES: tuple[Any, ...] = ("--", "-", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 3)), (0, (3, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
ARM_LABELS = {"none": "without BN", "batch": "with BN"}

SETTINGS: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 4,
    "figure.dpi": 100,
    "savefig.dpi": 160,
    "text.parse_math": False,  # labels come from the data: a $ is a $
    "svg.hashsalt": "bnstudy",
    "svg.fonttype": "path",
}


@contextmanager
def house_style() -> Iterator[None]:
    """The settings every figure is made and saved under; nothing outside changes."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        yield


def arm_style(position: int) -> dict[str, Any]:
    """Colour, line and marker of the norm at `position`: each alone tells the arms apart."""
    return {
        "color": COLOURS[position % len(COLOURS)],
        "linestyle": LINES[position % len(LINES)],
        "marker": MARKERS[position % len(MARKERS)],
    }


def arm_label(norm: str) -> str:
    """How a norm is called in a legend."""
    return ARM_LABELS.get(norm, shorten(norm))


def shorten(text: str, most: int = 28) -> str:
    """`text` cut to fit a panel."""
    return text if len(text) <= most else text[: most - 1] + "…"


def grid(rows: int, columns: int, width: float = 2.9, height: float = 2.5, **options: Any) -> tuple[Figure, Any]:
    """A figure of equal panels; the axes come as an array (rows, columns)."""
    size = (max(4.2, width * columns + 0.6), height * rows + 1.0)
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def headline(figure: Figure, title: str, note: str) -> None:
    """A title over the figure and a note under it that says n and what the spread is."""
    figure.suptitle(title, fontsize=11, fontweight="bold")
    figure.supxlabel(note, fontsize=8, color="#444444")


def source(dataset: xr.Dataset) -> str:
    """What the data are, for a title: the study's title and data set."""
    title = shorten(str(dataset.attrs.get("title", "study")), 60)
    return f"{title} ({dataset.attrs['dataset']})" if "dataset" in dataset.attrs else title


def save(figure: Figure, path: Path) -> list[Path]:
    """Write ``path.svg`` and ``path.png``, each in place only when it is whole; no dates, no versions inside."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a box stands for it
        return _save(figure, path)


def _save(figure: Figure, path: Path) -> list[Path]:
    written = []
    for ending, metadata in (("svg", {"Date": None, "Creator": "bnstudy"}), ("png", {"Software": None})):
        target = path.with_name(f"{path.name}.{ending}")
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{ending}")
        try:
            figure.savefig(temporary, metadata=metadata)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
        written.append(target)
    return written
