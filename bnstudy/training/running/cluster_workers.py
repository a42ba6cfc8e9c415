"""What is told of a cluster's workers: that none is left, and why one cannot train."""

from __future__ import annotations

import asyncio
import importlib.metadata
import re
import time
import warnings
from typing import TYPE_CHECKING

from bnstudy.study.errors import DataWarning, InputError, reason_of

if TYPE_CHECKING:
    from distributed.client import Client

LOOK = 2.0  # seconds between two looks at whether there are workers
MISSING = r"No module named '(bnstudy[\w.]*)'|cannot import name .* from 'bnstudy"
ALONE = 10.0  # seconds without any until that is told


class Watch:
    """Tells, once each time, that no worker is left to wait for: in a quiet run too, which would seem to hang."""

    def __init__(self, client: Client, address: str) -> None:
        self.client, self.address = client, address
        self.looked = self.seen = time.monotonic()
        self.told = False

    def look(self) -> None:
        """Look whether there are workers, if that was some seconds ago."""
        now = time.monotonic()
        if now - self.looked < LOOK:
            return
        self.looked = now
        if self.client.status != "running":
            return
        try:
            workers = self.client.scheduler_info(n_workers=-1)["workers"]
        except (OSError, RuntimeError, asyncio.CancelledError):  # the scheduler went away, which is told elsewhere
            return
        if workers:
            self.seen, self.told = now, False
        elif now - self.seen > ALONE and not self.told:
            self.told = True
            text = f"the scheduler at {self.address} has no workers any more; waiting for some to be started"
            warnings.warn(f"{text} (Ctrl-C ends; what is finished is stored)", DataWarning, stacklevel=2)


def unable(who: str, error: BaseException) -> InputError:
    """Why a worker cannot train, and what to do there."""
    # Dask hands on some errors as text.
    if missing := re.search(MISSING, str(error)):
        version = importlib.metadata.version("bnstudy")
        told = "has no bnstudy" if missing[1] == "bnstudy" else "has another bnstudy"
        return InputError(
            f"{who} {told}: install bnstudy[dask]=={version} there, in the environment that starts the workers, and "
            "start them again",
            "scheduler",
        )
    return InputError(f"{who} cannot train ({reason_of(error)})", "scheduler")
