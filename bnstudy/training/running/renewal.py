"""The datasets of a study's folder, renewed while it trains, so that one can look at what is there."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from bnstudy.storage.consolidation import consolidate
from bnstudy.study.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bnstudy.storage.store import Store

FIRST, EVERY = 15.0, 60.0  # seconds until the first renewal, and from the end of one to the next, at least
SHARE = 0.03  # of the time that renewals may take: where one takes long they are rarer


class Renewal:
    """Renews a study's datasets as ensembles are stored; the holder of the folder's lock does.

    Parameters
    ----------
    store : Store
        The study.
    told : callable
        Called without arguments after each renewal; its time counts.
    """

    def __init__(self, store: Store, told: Callable[[], None]) -> None:
        self.store = store
        self.told = told
        self.is_behind = False
        self.due = time.monotonic() + FIRST

    def stored(self) -> None:
        """An ensemble was stored, which the datasets do not hold."""
        self.is_behind = True

    def look(self) -> None:
        """Renew the datasets if they lack something and it is time."""
        if not self.is_behind or (begun := time.monotonic()) < self.due:
            return
        with suppress(InputError):  # what is wrong is told at the end; training need not stop for it
            consolidate(self.store)
            self.is_behind = False
            self.told()
        ended = time.monotonic()
        self.due = ended + max(EVERY, (ended - begun) / SHARE)
