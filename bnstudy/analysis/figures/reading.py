"""The numbers of a figure, read back from what was drawn, so that no text of a figure can differ from it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import Collection, PathCollection, PolyCollection, QuadMesh
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.lines import Line2D

from bnstudy.analysis.figures.ticks import digits_of, is_fixed, places_of, texts_of

STATIONS = 5  # at which a curve is read
MOST_POINTS = 40  # of one series, told one by one
MOST_CELLS = 600  # of a map


@dataclass(frozen=True)
class Mark:
    """One number of a figure: in which row and column of a table it stands, how it is told, and its values."""

    row: str
    column: str
    text: str
    values: tuple[float, ...]


def marks_of(panel: Axes, along: str, unnamed: bool = False) -> list[Mark]:
    """Every number drawn in a panel: points with their bars, curves with their bands, bars, maps.

    Curves are read at five places `along` the x axis, which are called so; lines without a name, such as those that
    join pairs, are only read if they are all there is.
    """
    bars = [one for one in panel.containers if isinstance(one, ErrorbarContainer)]
    owned = {id(part) for one in bars for part in (one.lines[0], *one.lines[1])}
    lines = [line for line in panel.lines if id(line) not in owned and _is_data(line, panel)]
    named = [line for line in lines if _name(line)]
    drawn: list[Mark] = []
    for one in bars:
        drawn += _points(panel, *_ends(one), _series(panel, one))
    for container in panel.containers:
        if isinstance(container, BarContainer):
            drawn += _bars(panel, container)
    for image in panel.images:
        drawn += _map(panel, np.ma.filled(np.ma.asarray(image.get_array(), dtype=float), np.nan))
    for found in panel.collections:
        if isinstance(found, QuadMesh):
            drawn += _map(panel, np.ma.filled(np.ma.asarray(found.get_array(), dtype=float), np.nan))
        elif isinstance(found, PathCollection):
            places = _numbers(found.get_offsets()).reshape(-1, 2)
            drawn += _points(panel, places[:, 0], places[:, 1], None, None, False, _name(found) or "points")
    if panel.images or any(isinstance(one, QuadMesh) for one in panel.collections):
        named = []  # over a map a line is a mark, in places of cells
    elif unnamed and not named and not drawn:
        named = lines
    for number, line in enumerate(named, 1):
        drawn += _line(panel, line, _name(line) or f"line {number}", along)
    return drawn


def rules_of(panel: Axes) -> Iterator[str]:
    """Named lines across a whole panel, but for maps, each with where it lies."""
    for line in [] if panel.images else panel.lines:
        if _name(line) and not _is_data(line, panel):
            upright = line.get_transform() == panel.get_xaxis_transform(which="grid")
            at = np.asarray(line.get_xdata() if upright else line.get_ydata(), float)
            if len(at) and at[0] == at[-1]:
                yield f"{_name(line)}: at {at[0]:.4g}"


def _is_data(line: Line2D, panel: Axes) -> bool:
    return bool(line.get_transform() == panel.transData)


def _name(artist: Any) -> str:
    label = str(artist.get_label() or "")
    return "" if label.startswith("_") else label


def _hex(colour: Any) -> str:
    return to_hex(colour)  # a band's opacity is left out


# ------------------------------------------------------------------ points


def _ends(bars: ErrorbarContainer) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None, bool]:
    """Places and values of points with error bars, the bars' ends, and whether the bars lie flat."""
    data, _, stems = bars.lines
    x, y = (np.asarray(values, float) for values in (data.get_xdata(), data.get_ydata()))
    flat = bool(bars.has_xerr and not bars.has_yerr)
    if not stems:
        return x, y, None, None, flat
    low, high = np.full(len(x), np.nan), np.full(len(x), np.nan)
    for segment in stems[-1].get_segments():
        if len(segment) == 2:
            along = segment[:, 0] if flat else segment[:, 1]
            at = (y == segment[0, 1]) if flat else (x == segment[0, 0])
            low[at], high[at] = along.min(), along.max()
    return x, y, low, high, flat


def _series(panel: Axes, bars: ErrorbarContainer) -> str:
    """The name of points with bars; of unnamed ones that of others of their colour and marker."""
    if _name(bars):
        return _name(bars)
    look = _look(bars)
    return next((_name(one) for one in panel.containers
                 if isinstance(one, ErrorbarContainer) and _name(one) and _look(one) == look), "")  # fmt: skip


def _look(bars: ErrorbarContainer) -> tuple[str, Any]:
    return _hex(bars.lines[0].get_color()), bars.lines[0].get_marker()


def _points(
    panel: Axes, x: np.ndarray, y: np.ndarray, low: np.ndarray | None, high: np.ndarray | None, flat: bool, name: str
) -> list[Mark]:
    """A row a place, the values in the column of their series; many points as their median and range."""
    values, places, axis, along = (x, y, panel.yaxis, panel.xaxis) if flat else (y, x, panel.xaxis, panel.yaxis)
    series = name or along.get_label_text() or "value"
    seen = np.isfinite(values)
    tell = digits_of(along)
    if seen.sum() > MOST_POINTS:
        three = [float(part) for part in np.quantile(values[seen], (0.5, 0, 1))]
        told = f"{int(seen.sum())} points, median {tell(three[0])}, {tell(three[1])} to {tell(three[2])}"
        return [Mark("all points", series, told, tuple(three))]
    at = places_of(axis)
    drawn = []
    for i in np.flatnonzero(seen):
        text = tell(values[i])
        if low is not None and high is not None and high[i] > low[i]:
            text += f" [{tell(low[i])}, {tell(high[i])}]"
        drawn.append(Mark(at(float(places[i])), series, text, (float(values[i]),)))
    return drawn


def _bars(panel: Axes, bars: BarContainer) -> list[Mark]:
    flat = bars.orientation == "horizontal"
    at, tell = places_of(panel.yaxis if flat else panel.xaxis), digits_of(panel.xaxis if flat else panel.yaxis)
    along = panel.xaxis if flat else panel.yaxis
    texts = texts_of(panel.yaxis if flat else panel.xaxis)
    named = len(texts) == len(bars.patches) and is_fixed(panel.yaxis if flat else panel.xaxis)
    drawn = []
    for number, one in enumerate(bars.patches):
        middle = one.get_y() + one.get_height() / 2 if flat else one.get_x() + one.get_width() / 2
        value = float(one.get_width() if flat else one.get_height())
        place = texts[number] if named else at(middle)  # bars of a group stand beside their tick
        drawn.append(Mark(place, _name(bars) or along.get_label_text() or "value", tell(value), (value,)))
    return drawn


def _map(panel: Axes, values: np.ndarray) -> list[Mark]:
    """A cell a number, as it is written in the map if it is; of large maps their median and range."""
    if values.ndim != 2 or not np.isfinite(values).any():
        return []
    if values.size > MOST_CELLS:
        three = [float(part) for part in np.nanquantile(values, (0.5, 0, 1))]
        return [Mark(f"{values.size} cells", name, f"{value:.4g}", (value,))
                for name, value in zip(("median", "lowest", "highest"), three, strict=True)]  # fmt: skip
    written = {(round(y), round(x)): text.get_text() for text in panel.texts for x, y in [text.get_position()]
               if isinstance(x, int | float | np.number) and isinstance(y, int | float | np.number)}  # fmt: skip
    rows, columns = places_of(panel.yaxis), places_of(panel.xaxis)
    return [Mark(rows(row), columns(column), written.get((row, column), f"{value:.4g}").replace("\n", " "),
                 (float(value),) if math.isfinite(value) else ())
            for (row, column), value in np.ndenumerate(values)]  # fmt: skip


# ------------------------------------------------------------------ curves


def _line(panel: Axes, line: Line2D, name: str, along: str) -> list[Mark]:
    x, y = _numbers(line.get_xdata()), _numbers(line.get_ydata())
    if line.get_linestyle() in ("None", "none", "", " "):
        return _points(panel, x, y, None, None, False, name)
    seen = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if not len(seen):
        return []
    tell = digits_of(panel.yaxis)
    shown = sorted({int(seen[round(i)]) for i in np.linspace(0, len(seen) - 1, STATIONS)})
    drawn = []
    for i in shown:
        text = tell(y[i])
        ends = _band(panel, line, float(x[i]), float(x[seen[0]]), float(x[seen[-1]]))
        if ends and ends[1] > ends[0]:
            text += f" ({tell(ends[0])} to {tell(ends[1])})"
        drawn.append(Mark(name, f"{along} {x[i]:.4g}", text, (float(y[i]),)))
    return drawn


def _numbers(values: Any) -> np.ndarray:
    return np.asarray(np.ma.filled(np.ma.asarray(values, dtype=float), np.nan))


def _band(panel: Axes, line: Line2D, x: float, first: float, last: float) -> tuple[float, float] | None:
    """The ends, at `x`, of the band in the colour of a line: where an upright through its outline meets it."""
    colour = _hex(line.get_color())
    aside = 1e-6 * (last - first or 1.0)
    at = x - aside if x >= last else x + aside  # steps change their height at x itself
    for band in _of_kind(panel.collections, PolyCollection):
        faces = band.get_facecolor()
        if not len(faces) or _hex(faces[0]) != colour:
            continue
        met = [height for path in band.get_paths() for height in _crossings(np.asarray(path.vertices, float), at)]
        if met:
            return min(met), max(met)
    return None


def _crossings(outline: np.ndarray, at: float) -> Iterator[float]:
    for (x0, y0), (x1, y1) in pairwise(outline.tolist()):
        if min(x0, x1) <= at <= max(x0, x1) and x0 != x1:
            yield y0 + (y1 - y0) * (at - x0) / (x1 - x0)


def _of_kind(found: Iterable[Collection], kind: type[PolyCollection]) -> Iterator[PolyCollection]:
    return (one for one in found if isinstance(one, kind))


def columns_in_order(drawn: Iterable[Mark]) -> list[str]:
    """The columns of a table of marks: numbers behind the same word rise, others as they come."""
    found = list(dict.fromkeys(one.column for one in drawn))

    def parted(text: str) -> tuple[str, float]:
        word, _, end = text.rpartition(" ")
        try:
            return word, float(end)
        except ValueError:
            return text, 0.0

    return [text for _, group in groupby(found, key=lambda text: parted(text)[0]) for text in
            sorted(group, key=lambda text: parted(text)[1])]  # fmt: skip
