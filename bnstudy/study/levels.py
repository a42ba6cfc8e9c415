"""How a level of a factor is written: an entry's name and, after a colon, a value or a model's widths."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby

from bnstudy.study.errors import InputError

MOST_UNITS = 100_000  # of a layer
MOST_LAYERS = 1000
TOLD_TOGETHER = 4  # equal widths in a row, from which on their number is written
SMALLEST, LARGEST = 1.2e-38, 3.4e38  # of single precision, in which networks are trained; beyond is 0, or infinite


@dataclass(frozen=True)
class Parameter:
    """The value a level may carry after its name, as in ``scaled-normal:0.01``.

    Parameters
    ----------
    symbol : str
        How formulas and help call it.
    default : float, optional
        The value when the level is written without one; such a level keeps its bare name. None: it must be given.
    positive, whole : bool
        Whether only values above zero, or whole numbers, make sense.

    Examples
    --------
    >>> from bnstudy.plugins import Parameter
    >>> gain = Parameter("g", default=1.0)
    >>> gain.parse("0.5", "orthogonal:0.5")
    0.5
    """

    symbol: str
    default: float | None = None
    positive: bool = True
    whole: bool = False

    def parse(self, text: str, level: str) -> float:
        """The value written in `text`.

        Parameters
        ----------
        text : str
            What stands after the colon.
        level : str
            The whole level, for the message.

        Returns
        -------
        float
            The value.

        Raises
        ------
        InputError
            It is not a finite (if asked, positive or whole) number.
        """
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or (self.positive and value <= 0):
            wanted = "a finite number above 0" if self.positive else "a finite number"
            raise InputError(f"{level!r}: {self.symbol} must be {wanted}, not {text!r}")
        if value and not SMALLEST <= abs(value) <= LARGEST:
            raise InputError(
                f"{level!r}: in single precision {self.symbol} would be {0 if abs(value) < 1 else 'infinite'}; "
                f"write a value from {SMALLEST:g} to {LARGEST:g}"
            )
        if self.whole and value != int(value):
            raise InputError(f"{level!r}: {self.symbol} must be a whole number, not {text!r}")
        return value


@dataclass(frozen=True)
class Level:
    """One level of a factor: an entry's name and, where it takes one, its value; of a model, what it is built with."""

    family: str
    value: float | None = None
    widths: tuple[int, ...] = ()
    activation: str = ""

    @property
    def label(self) -> str:
        """The canonical spelling, e.g. ``scaled-normal:0.01`` or ``mlp:256-128:tanh``."""
        value = [] if self.value is None else [f"{self.value:g}"]
        widths = [write_widths(self.widths)] if self.widths else []
        return ":".join([self.family, *value, *widths, *([self.activation] if self.activation else [])])


def read_widths(text: str) -> tuple[int, ...]:
    """``256-128`` or ``100x20`` as widths; empty if it is neither."""
    widths: list[int] = []
    for part in text.split("-"):
        width, times, count = part.partition("x")
        numbers = [width, count] if times else [width]
        if not all(n.isdecimal() and n.isascii() and len(n) < 7 and int(n) > 0 for n in numbers):
            return ()
        if int(width) > MOST_UNITS or len(widths) + int(count or 1) > MOST_LAYERS:
            return ()
        widths += [int(width)] * int(count or 1)
    return tuple(widths)


def write_widths(widths: tuple[int, ...]) -> str:
    """Widths as :func:`read_widths` reads them; four or more that are equal as ``100x4``."""
    parts: list[str] = []
    for width, equal in groupby(widths):
        count = len(list(equal))
        parts += [f"{width}x{count}"] if count >= TOLD_TOGETHER else [str(width)] * count
    return "-".join(parts)
