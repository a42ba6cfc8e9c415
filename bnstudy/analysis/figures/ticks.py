"""What an axis says at a place, and to how many digits."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from matplotlib.axis import Axis
from matplotlib.category import StrCategoryLocator
from matplotlib.ticker import FixedLocator


def digits_of(axis: Axis) -> Callable[[float], str]:
    """How values along an axis are told: to a thousandth or so of what it spans."""
    low, high = sorted(axis.get_view_interval())
    span = high - low
    if axis.get_scale() != "linear" or not span > 0:
        return lambda value: f"{value:.3g}"
    decimals = 1 if span > 30 else max(2, 2 - math.floor(math.log10(span)))
    return lambda value: f"{round(float(value), decimals) + 0.0:.{decimals}f}"


def places_of(axis: Axis) -> Callable[[float], str]:
    """What stands at a place of an axis: the label of the next tick with those beside it, else the number."""
    if not is_fixed(axis):
        return lambda place: f"{place:.4g}"
    ticks = np.asarray(axis.get_majorticklocs(), float)
    texts = texts_of(axis)
    other = [
        dict(zip(np.asarray(found.get_majorticklocs(), float).tolist(), texts_of(found), strict=False))
        for child in axis.axes.child_axes
        for found in [child.xaxis if axis is axis.axes.xaxis else child.yaxis]
        if isinstance(found.get_major_locator(), FixedLocator)
    ]

    def told(place: float) -> str:
        if not len(ticks):
            return f"{place:.4g}"
        i = int(np.argmin(np.abs(ticks - place)))
        beside = [text for one in other if (text := one.get(ticks[i]))]
        return f"{texts[i]} ({', '.join(beside)})" if beside else texts[i] or f"{place:.4g}"

    return told


def is_fixed(axis: Axis) -> bool:
    """Whether ticks were set where something stands, with a label each."""
    return isinstance(axis.get_major_locator(), FixedLocator | StrCategoryLocator)


def texts_of(axis: Axis) -> list[str]:
    written = axis.get_major_formatter().format_ticks(list(axis.get_majorticklocs()))
    return [" ".join(str(text).split()) for text in written]
