"""Ensembles sent to the workers of a ``dask.distributed`` cluster. Imported only when one is asked for.

Each worker reads the data set itself, from the folder the study names; what it sends back are curves, and what computed
them. This process alone writes to the study folder. Functions and results travel pickled, as Dask does it: use a
cluster whose members you trust.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import socket
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from bnstudy.study import required_plugins
from bnstudy.study.errors import BnstudyError, InputError, first_line, reason_of
from bnstudy.study.plan import Ensemble
from bnstudy.study.provenance import computed_by, differing
from bnstudy.study.study import Study
from bnstudy.training.running.cluster_workers import LOOK, Watch, unable
from bnstudy.training.running.events import POLL, Done, Event, Failed, News, events
from bnstudy.training.running.this_machine import check, describe, measure_arms, plan_for, resolve_device
from bnstudy.training.running.workers import Forms, Setup, UnfitError, load, trainer_of

if TYPE_CHECKING:
    from distributed import Future

    from bnstudy.storage.store import Arm
    from bnstudy.study.curves import Curves

CONNECT_TIMEOUT = 15.0  # seconds for the scheduler to answer, and for a first worker to come


class Cluster:
    """Trains ensembles on a cluster's workers.

    On GPUs a task asks for the resource ``GPU``: start such workers with ``--resources GPU=1``. A worker that dies has
    its ensemble sent to another; one that raises is tried once more.

    Parameters
    ----------
    scheduler : str
        Address such as ``tcp://host:8786``, or the path of a scheduler file.
    device : str
        ``auto`` is what the first workers have.
    data_dir : path, optional
        As the workers see it.
    compiled : bool
        Whether code of bnstudy's own may be built and used.

    Raises
    ------
    InputError
        ``distributed`` is not installed, nobody answers, or the workers differ from each other.
    """

    def __init__(self, scheduler: str, device: str, data_dir: str | Path | None, compiled: bool) -> None:
        self.client = _connect(scheduler)
        self.address = self.client.scheduler.address  # told when nobody is there any more to ask
        self.data_dir, self.compiled = str(data_dir) if data_dir else None, compiled
        try:
            self.described = self._describe(device)
        except BaseException:
            self.client.close()
            raise
        self.device = self.described["device"]
        self.resources = {"GPU": 1} if self.device.startswith("cuda") else {}
        offered = [worker["resources"] for worker in self.client.scheduler_info(n_workers=-1)["workers"].values()]
        if self.resources and not any("GPU" in some for some in offered):
            self.client.close()
            raise InputError("none of its workers offers a GPU; start them with --resources GPU=1", "scheduler")
        self.arms: dict[Arm, dict[str, Any]] = {}
        self.data_sha256 = ""

    def prepare(self, study: Study) -> None:
        """Have one worker read the data and measure the arms; InputError if it cannot."""
        self.data_sha256 = ""
        try:
            self.arms, self.data_sha256 = self._one(_measure, self._setup(study))
        except UnfitError:
            required_plugins.refuse_unsendable(study, "scheduler", "which every worker can import", scripts=True)
            raise

    def plan(self, study: Study) -> tuple[Ensemble, ...]:
        """Which runs train together, as a worker would plan it for itself."""
        return self._one(_plan, self._setup(study))

    def attributes(self, study: Study) -> dict[str, str]:
        """What computes a study on the workers."""
        if not self.data_sha256:
            self.prepare(study)
        return {**self.described, "data_sha256": self.data_sha256, "plugins": required_plugins.digests(study)}

    def measure_arms(self, study: Study) -> dict[Arm, dict[str, Any]]:
        """Facts of each arm's plain network, measured on a worker."""
        return self.arms

    def train(self, study: Study, ensembles: Sequence[Ensemble], forms: Forms) -> Generator[Event]:
        """Train ensembles, each in one of its arm's forms, and tell what happens."""
        with closing(_Tasks(self, replace(self._setup(study), forms=forms))) as tasks:
            yield from events(tasks, ensembles)

    def close(self) -> None:
        """Leave the cluster; it goes on."""
        self.client.close()

    def _setup(self, study: Study) -> Setup:
        return Setup.of(study, self.data_dir, self.device, self.compiled, self.data_sha256)

    def _submit(self, function: Any, *arguments: Any) -> Future:
        return self.client.submit(function, *arguments, pure=False, resources=self.resources or None)

    def _one(self, function: Any, *arguments: Any) -> Any:
        """What a function gives on one of the workers; what it raises is raised here, as an InputError."""
        future, watch = self._submit(function, *arguments), Watch(self.client, self.address)
        while True:
            try:
                return future.result(timeout=LOOK)
            except BnstudyError:
                raise
            except asyncio.CancelledError:
                _gone(self.address)
            except Exception as error:
                if not future.done():  # it is not there yet
                    watch.look()
                    continue
                raise unable("one of its workers", error) from error

    def _describe(self, device: str) -> dict[str, str]:
        """What computes on the workers, which has to be the same on all."""
        found: dict[str, Any] = self.client.run(_describe, device, self.compiled, on_error="return")
        for address, described in found.items():
            if isinstance(described, BnstudyError):
                raise described
            if isinstance(described, BaseException):
                raise unable(f"the worker {address}", described)
        first, *others = found.items()
        for address, described in others:
            if listed := differing(computed_by(first[1]), computed_by(described)):
                raise InputError(
                    f"its workers are not alike, and mixing changes last digits ({first[0]} and {address}: {listed}); "
                    "use workers of one kind",
                    "scheduler",
                )
        return first[1]


class _Tasks:
    """A source of events: the tasks of one study on a cluster, which queues them itself."""

    def __init__(self, cluster: Cluster, setup: Setup) -> None:
        self.cluster, self.setup = cluster, setup
        self.answers = queue.SimpleQueue[Any]()
        self.sent: dict[Any, Ensemble] = {}
        self.watch = Watch(cluster.client, cluster.address)

    def submit(self, ensemble: Ensemble) -> bool:
        """Send an ensemble."""
        future = self.cluster._submit(_train, self.setup, ensemble, self.cluster.described)
        self.sent[future] = ensemble
        future.add_done_callback(self.answers.put)
        return True

    def news(self) -> Iterator[News]:
        """Wait for a task to end."""
        try:
            future = self.answers.get(timeout=POLL)
        except queue.Empty:
            if self.cluster.client.status != "running" and not self.cluster.client.scheduler_comm_is_open():
                _gone(self.cluster.address)
            self.watch.look()
            return
        ensemble = self.sent.pop(future)
        if future.status == "finished":
            try:
                curves, computed_by = future.result()
            except (OSError, asyncio.CancelledError):  # the scheduler was to fetch them
                _gone(self.cluster.address)
            yield Done(ensemble, curves, computed_by)
        elif future.status == "error":
            error = future.exception()
            if isinstance(error, UnfitError):
                raise error
            yield Failed(ensemble, reason_of(error))
        else:  # cancelled or lost
            _gone(self.cluster.address)

    def close(self) -> None:
        """Take back what nobody waits for any more."""
        if self.sent:
            self.cluster.client.cancel(list(self.sent), force=True)


def _connect(scheduler: str) -> Any:
    try:
        import distributed
    except ImportError:
        raise InputError("needs dask.distributed: install bnstudy[dask]", "scheduler") from None
    if not scheduler.strip():  # Dask would start a cluster of its own
        raise InputError("must be a scheduler's address, such as tcp://host:8786, or its scheduler file", "scheduler")
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters is said by us, in one line
    where = {"scheduler_file": scheduler} if Path(scheduler).is_file() else {"address": scheduler}
    try:
        if "address" in where:
            _knock(scheduler)
        client = distributed.Client(**where, timeout=CONNECT_TIMEOUT, set_as_default=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"no scheduler answers at {scheduler[:100]!r} ({first_line(error)[:120]})", "scheduler"
        ) from None
    try:
        client.wait_for_workers(1, timeout=CONNECT_TIMEOUT)
    except TimeoutError:
        client.close()
        raise InputError(f"the scheduler at {scheduler[:100]!r} has no workers; start some", "scheduler") from None
    return client


def _knock(address: str) -> None:
    """OSError at once where nobody listens; Dask would go on trying."""
    from distributed.comm import get_address_host_port

    try:
        place = get_address_host_port(address, strict=True)
    except NotImplementedError:
        return  # not TCP
    socket.create_connection(place, CONNECT_TIMEOUT).close()


def _gone(address: str) -> NoReturn:
    raise InputError(
        f"the scheduler at {address} went away; what is finished is stored, the same command resumes", "scheduler"
    )


# ------------------------------------------------------------------ on a worker


def _describe(device: str, compiled: bool) -> dict[str, str]:
    return describe(resolve_device(device), compiled)


def _measure(setup: Setup) -> tuple[dict[Arm, dict[str, Any]], str]:
    """Facts of the arms, and the digest of the data."""
    study, loaded = setup.study(), load(setup)
    check(study, loaded)
    return measure_arms(study, loaded, setup.device, setup.compiled), loaded.digest


def _plan(setup: Setup) -> tuple[Ensemble, ...]:
    return plan_for(setup.study(), setup.device)


@lru_cache(maxsize=1)
def _trainer(setup: Setup) -> Any:
    return trainer_of(setup)


def _train(setup: Setup, ensemble: Ensemble, expected: dict[str, str]) -> tuple[Curves, dict[str, str]]:
    here = describe(setup.device, setup.compiled)
    if listed := differing(computed_by(expected), computed_by(here)):
        raise RuntimeError(f"this worker is not like the others: {listed}")
    from bnstudy.training.ensembles import end_of
    from bnstudy.training.one_thread import train_on_one_thread

    train_on_one_thread()
    curves = end_of(_trainer(setup)(ensemble))
    return curves, {**here, "data_sha256": setup.data_sha256, "plugins": setup.code}
