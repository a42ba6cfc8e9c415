"""The machine at hand: its devices and cores, what it computes with, and the training of ensembles on it."""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnstudy.study import preferences, provenance, required_plugins
from bnstudy.study.errors import told_as
from bnstudy.study.plan import Ensemble, make_plan
from bnstudy.study.study import Study
from bnstudy.training.datasets import data
from bnstudy.training.running import arithmetic
from bnstudy.training.running.cores import usable_cores
from bnstudy.training.running.events import Event
from bnstudy.training.running.processes import train_in_processes
from bnstudy.training.running.workers import Forms, Setup, train_here

if TYPE_CHECKING:
    from bnstudy.storage.store import Arm


@dataclass
class Machine:
    """Trains ensembles here, in this process or in several.

    Parameters
    ----------
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; afterwards what :func:`resolve_device` makes of it.
    data_dir : path, optional
        Where data sets lie.
    jobs : int
        Worker processes, of one thread each; with 1, or on a GPU, the runs train in this process.
    compiled : bool
        Whether code of bnstudy's own may be built and used.
    quiet : bool
        Whether a download shows no progress.
    """

    device: str
    data_dir: str | Path | None = None
    jobs: int = 1
    compiled: bool = True
    quiet: bool = True
    loaded: data.Data | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.device = resolve_device(self.device)

    def prepare(self, study: Study) -> None:
        """Read the study's data; InputError if they are not to be had, or worker processes could not train it."""
        if self._has_workers:
            required_plugins.refuse_unsendable(study, "jobs", "or use jobs=1")
        self.loaded = data.load(study, self.data_dir, self.quiet)
        check(study, self.loaded)

    def plan(self, study: Study) -> tuple[Ensemble, ...]:
        """Which runs train together here."""
        return plan_for(study, self.device)

    def attributes(self, study: Study) -> dict[str, str]:
        """What computes a study here, as the attributes of what is stored."""
        if self.loaded is None:
            self.prepare(study)
        assert self.loaded
        return {
            **describe(self.device, self.compiled),
            "data_sha256": self.loaded.digest,
            "plugins": required_plugins.digests(study),
        }

    def measure_arms(self, study: Study) -> dict[Arm, dict[str, Any]]:
        """Facts of each arm's plain network: parameters, and its time alone; and the forms of its replicas."""
        assert self.loaded
        return measure_arms(study, self.loaded, self.device, self.compiled)

    def train(self, study: Study, ensembles: Sequence[Ensemble], forms: Forms) -> Generator[Event]:
        """Train ensembles, each in one of its arm's forms, and tell what happens."""
        digest = self.loaded.digest if self.loaded else ""
        setup = replace(Setup.of(study, self.data_dir, self.device, self.compiled, digest), forms=forms)
        if self._has_workers:
            setup = replace(setup, switches=arithmetic.switches(self.device))
            return train_in_processes(setup, ensembles, self.jobs, self.loaded)
        return train_here(setup, ensembles, self.loaded)

    @property
    def _has_workers(self) -> bool:
        return self.jobs > 1 and self.device == "cpu"

    def close(self) -> None:
        """Nothing is held."""


def describe(device: str, compiled: bool) -> dict[str, str]:
    """What computes on a device of this machine; compiled code is built now, so that no worker has to."""
    from bnstudy.training.replicas.lanes import kernel, lanes

    built = lanes.load() if compiled and device == "cpu" else None
    return {
        **provenance.attributes(device),
        "switches": arithmetic.switches(device),
        "kernel": f"lanes {kernel.source_digest()}, {built.compiler}" if built else "none",
    }


def plan_for(study: Study, device: str) -> tuple[Ensemble, ...]:
    """The plan of a study on this machine and one of its devices."""
    kind = device.split(":")[0]
    capacity = None
    if kind == "cuda":
        from bnstudy.training import ensembles

        capacity = ensembles.capacity(study, device)
    return make_plan(study, kind, capacity, usable_cores())


def check(study: Study, loaded: data.Data) -> None:
    """InputError if a network or initializer of a study cannot be trained and repeated, as
    :mod:`~bnstudy.training.assembly` finds out.
    """
    from bnstudy.training import assembly
    from bnstudy.training.one_thread import one_thread

    with one_thread():
        assembly.check(study, loaded)


def check_without_data(study: Study) -> None:
    """As :func:`check`, on noise in place of the study's data, which need not be there yet."""
    from bnstudy.training.datasets.noise import in_the_same_batches

    check(study, in_the_same_batches(study))


def measure_arms(study: Study, loaded: data.Data, device: str, compiled: bool = True) -> dict[Arm, dict[str, Any]]:
    """Facts of each arm's plain network; workers should not run yet.

    ``n_parameters`` that are trained, ``epoch_seconds_alone`` on one thread, the names of those that no initializer
    sets, ``not_initialized``, and those of the ``forms`` that its replicas may take.
    """
    import torch

    from bnstudy.training import assembly, ensembles, quickness
    from bnstudy.training.one_thread import one_thread

    with one_thread():
        loaded = loaded.to(torch.device(device))
        first = {(e.runs[0].model, e.runs[0].norm): e.runs for e in reversed(plan_for(study, device))}
        facts = {}
        for (model, norm), names in assembly.untouched(study, loaded).items():
            with told_as(f"{model!r} with norm {norm!r} fails in its first epoch", "models"):
                facts[model, norm] = {
                    "n_parameters": ensembles.count_parameters(study, model, norm, loaded.shape, loaded.classes),
                    "epoch_seconds_alone": ensembles.seconds_alone(study, model, norm, loaded),
                    "not_initialized": names,
                    "forms": quickness.forms_of(study, first[model, norm], loaded, compiled),
                }
        return facts


def resolve_device(name: str | None = None) -> str:
    """The device to train on: ``cpu``, ``cuda`` or ``cuda:N``; of the user's settings where none is named.

    InputError if it is not there.
    """
    asked = preferences.setting("device", name, "auto")
    name = str(asked.value)
    index = name.partition(":")[2]
    if name == "cpu":
        return name
    available = _cuda_is_available()
    if name == "auto":
        return "cuda" if available else "cpu"
    if not available:
        raise asked.error("this machine has no CUDA device that torch can use; use auto or cpu")
    if index and int(index) >= (count := _cuda_devices()):
        raise asked.error(f"there are {count} CUDA devices, counted from 0")
    return name


def _cuda_is_available() -> bool:
    """Whether torch can use a CUDA device; it is not loaded where NVIDIA's driver, which it needs, is missing."""
    torch_spec = importlib.util.find_spec("torch")
    places = torch_spec.submodule_search_locations if torch_spec else None
    for_nvidia = any(Path(place, "lib", "libtorch_cuda.so").exists() for place in places or [])
    if for_nvidia:
        try:
            ctypes.CDLL("libcuda.so.1")
        except OSError:
            return False
    import torch

    return torch.cuda.is_available()


def _cuda_devices() -> int:
    import torch

    return torch.cuda.device_count()
