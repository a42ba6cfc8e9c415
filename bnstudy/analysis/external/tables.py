"""A table as it was read, and how its columns and cells are told in messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

MOST_SHOWN = 8  # names listed in a message


@dataclass(frozen=True)
class Table:
    """A table that was read.

    Attributes
    ----------
    frame : DataFrame
        Unique column names, rows numbered from 0.
    tells_blanks : bool
        Whether NaN is a blank and nothing else: text files write a value that is not a number as ``nan``.
    name : str, optional
        The column that holds the name of each row's run: the path of its file, or of its column in a wide table.
    are_paths : bool
        Whether these names are paths.
    notes : tuple of str
        What was dropped, or assumed.
    about : DataFrame, optional
        Of each row, what a table of runs says besides of its run.
    """

    frame: Any
    tells_blanks: bool
    name: str | None = None
    are_paths: bool = False
    notes: tuple[str, ...] = field(default=())
    about: Any = field(default=None)


def listed(names: Iterable[Any], most: int = MOST_SHOWN) -> str:
    """The first few names, and how many more there are."""
    names = [shortened(name) for name in names]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def shortened(text: Any, most: int = 60) -> str:
    """A text of somebody else's for a message, cut where it is long."""
    text = str(text)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def nearest(name: str, names: Sequence[str]) -> str:
    """A hint at the name that was meant: `` (did you mean 'NAME'?)``, or nothing."""
    by_lower = {str(one).lower().strip(): str(one) for one in names}
    said = name.lower().strip()[:100]
    close = difflib.get_close_matches(said, list(by_lower), n=1)
    close = close or [one for one in by_lower if one and said and (said in one or one in said)]
    return f" (did you mean {shortened(by_lower[close[0]])!r}?)" if close else ""


def counted(number: int, noun: str) -> str:
    """``1 run``, ``1,234 runs``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def is_number(text: str) -> bool:
    """Whether a text is one number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
