"""How a running study is stopped: by SIGINT or SIGTERM, without losing what is finished."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from bnstudy.study.errors import BnstudyError
from bnstudy.training.running.processes import kill_workers


class StoppedError(BnstudyError):
    """Asked to stop; whatever is finished is stored."""


@dataclass
class Flag:
    """The signal that came, if any."""

    signal: int | None = None


@contextmanager
def stop_flag() -> Iterator[Flag]:
    """Turn SIGINT and SIGTERM into a flag; a second one ends the process at once."""
    flag = Flag()

    def note(number: int, frame: FrameType | None) -> None:
        if flag.signal is not None:
            kill_workers()
            os._exit(128 + number)
        flag.signal = number

    previous = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            previous[number] = signal.signal(number, note)
    except ValueError:  # not the main thread: the host program handles its signals
        pass
    try:
        yield flag
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
