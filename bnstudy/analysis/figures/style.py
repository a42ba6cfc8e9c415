"""How figures look, and how they are saved: the same data give the same bytes."""

from __future__ import annotations

import re
import textwrap
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.image import AxesImage

from bnstudy.analysis import labels
from bnstudy.analysis.results import Judged, Results
from bnstudy.storage import atomic
from bnstudy.study.errors import told_as
from bnstudy.study.registry import figures
from bnstudy.study.schema import so_far

# Each stands out 3:1 from a white page, and inverted from a dark one; none is another to whoever sees no red, green or
# blue, and the first three differ in grey. The line and marker tell the same.
COLOURS = ("#BD5A00", "#0158AF", "#1BA584", "#8D63FF", "#5A2F5A", "#B673B4", "#000000", "#003E03")
LINES: tuple[Any, ...] = ("--", "-", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 3)), (0, (3, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")

METADATA: dict[str, Any] = {"svg": {"Date": None, "Creator": "bnstudy"}, "png": {"Software": None}}
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


def marks(count: int) -> list[int]:
    """Which of a line's `count` points carry its marker: six, evenly."""
    return sorted({round(place) for place in np.linspace(0, count - 1, min(count, 6))})


def arm_label(arm: str, results: Judged | None = None) -> str:
    """The name of an arm, cut to fit a panel; of a norm where there are no results that say what the treatment is."""
    return shorten(labels.arm_label(arm, results.criteria.treatment if results else "norm"))


def luminance(colour: Sequence[float]) -> float:
    """How bright a colour is, from 0 to 1, as WCAG counts it."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour[:3]]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def ink_on(image: AxesImage, value: float) -> str:
    """Black or white, whichever stands out more from a cell of a map; both do from none by less than 4.5:1."""
    return "white" if luminance(image.to_rgba(np.array([value]))[0].tolist()) < 0.179 else "black"


def shorten(text: str, most: int = 28) -> str:
    """`text` cut to fit a panel; the value at its end stays, as in ``signed-co…:0.01``."""
    if len(text) <= most:
        return text
    value = re.search(r":[^\s:]+$", text)
    kept = value[0] if value and len(value[0]) <= most // 2 else ""
    return text[: most - 1 - len(kept)] + "…" + kept


def shorten_all(texts: Iterable[str], most: int = 28) -> list[str]:
    """Texts cut to fit beside each other; different ones that would read alike are not cut."""
    texts = list(texts)
    alike = Counter(shorten(text, most) for text in set(texts))
    return [text if alike[shorten(text, most)] > 1 else shorten(text, most) for text in texts]


def grid(
    rows: int, columns: int, ax: Axes | None = None, width: float = 2.9, height: float = 2.5, **options: Any
) -> tuple[Figure, Any]:
    """Equal panels, as an array (rows, columns) of axes: in a figure of their own, or in the place of `ax`."""
    if ax is None:
        size = (max(4.2, width * columns + 0.6), height * rows + 1.0)
        figure = Figure(figsize=size, layout="constrained")
        return figure, figure.subplots(rows, columns, squeeze=False, **options)
    figure = cast(Figure, ax.get_figure(root=True))
    if rows == columns == 1:
        return figure, np.array([[ax]])
    ax.set_axis_off()
    place = ax.get_subplotspec()
    if place is None:
        left, bottom, right, top = ax.get_position().extents
        place = GridSpec(1, 1, figure, left=left, bottom=bottom, right=right, top=top)[0]
    inner = place.subgridspec(rows, columns, wspace=0.3, hspace=0.5)
    return figure, inner.subplots(squeeze=False, **options)


def finish(figure: Figure, ax: Axes | None, title: str, note: str) -> Figure:
    """A title over a figure of its own, and a note under it that says n and what the spread is."""
    if ax is None:
        figure.suptitle(
            "\n".join(textwrap.wrap(title, int(figure.get_figwidth() * 10.5))), fontsize=11, fontweight="bold"
        )
        figure.supxlabel("\n".join(textwrap.wrap(note, int(figure.get_figwidth() * 16))), fontsize=8, color="#444444")
    return figure


def legend(figure: Figure, ax: Axes | None, first: Axes) -> None:
    """The legend of all panels, from the first of them: beside a figure of its own, which it widens, else inside it."""
    handles, labels = first.get_legend_handles_labels()
    if ax is None:
        figure.set_figwidth(figure.get_figwidth() + 0.6 + 0.085 * max(map(len, labels), default=0))
        figure.legend(handles, labels, loc="outside right center")
    else:
        first.legend()


def source(dataset: xr.Dataset) -> str:
    """What the data are, for a title: their title and data set, and how many runs there are while it trains."""
    title = shorten(str(dataset.attrs.get("title", "study")), 70)
    named = f"{title} ({shorten(str(dataset.attrs['dataset']))})" if "dataset" in dataset.attrs else title
    return ", ".join(filter(None, (named, so_far(dataset.attrs))))


def drawn(name: str, results: Judged) -> Figure | None:
    """The figure registered as `name`; None where it does not apply. InputError if its function fails.

    Of runs that are no study's only those figures apply that say they are drawn `of_scores`.
    """
    entry = figures[name]
    if not isinstance(results, Results) and not entry.about.get("of_scores"):
        return None
    with told_as(f"figure {name!r} cannot be drawn"):
        if not entry.about["applies"](results):
            return None
        found = entry.function(results)
        if not isinstance(found, Figure):
            raise TypeError(f"it gives a {type(found).__name__}, not a matplotlib Figure")
        if entry.origin:
            found.draw_without_rendering()  # a formatter of ticks, say, is called only now
    return found


def write_to(figure: Figure, path: Path) -> None:
    """Write a figure as the ending of `path` says, in place only when it is whole."""

    def fill(temporary: Path) -> None:
        write(figure, temporary, path.suffix[1:])

    atomic.write_atomically(path, fill)


def save(figure: Figure, path: Path) -> list[Path]:
    """Write ``path.svg`` and ``path.png``, each in place only when it is whole; no dates, no versions inside."""
    written = [path.with_name(f"{path.name}.{ending}") for ending in METADATA]
    for target in written:
        write_to(figure, target)
    return written


def write(figure: Figure, target: Path | BinaryIO, ending: str) -> None:
    """Write a figure as ``svg`` or ``png``: the same figure gives the same bytes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a box stands for it
        figure.savefig(target, format=ending, metadata=METADATA[ending])
