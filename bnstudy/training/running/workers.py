"""What every worker needs, be it this process, one of several or a cluster's: the setup and the trainer; and this
process as a source of events."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bnstudy.study import plugin_modules, registry, required_plugins
from bnstudy.study.errors import InputError, reason_of
from bnstudy.study.study import Study
from bnstudy.training.running import arithmetic
from bnstudy.training.running.events import Done, EpochDone, Event, Failed, News, events

if TYPE_CHECKING:
    from bnstudy.study.curves import Curves, Progress
    from bnstudy.study.plan import Ensemble
    from bnstudy.training.datasets.data import Data
    from bnstudy.training.running.shared_data import Shared

    Trainer = Callable[[Ensemble], Generator[Progress, None, Curves]]

# Of each model and norm, the names of the forms that its replicas may take.
Forms = tuple[tuple[tuple[str, str], tuple[str, ...]], ...]

RESTART = "restart them, or this program if it is the older"


class UnfitError(InputError):
    """A worker can train no ensemble of the study, since it has not what the others have."""


@dataclass(frozen=True)
class Setup:
    """What a worker needs to train any ensemble of a study. Settings travel as text, so that nothing else is shared.

    It says too what the worker has to find: :meth:`study` and :func:`load` refuse other plugins and other data.
    """

    study_toml: str
    data_dir: str | None
    device: str
    compiled: bool = True
    data: Shared | None = None  # where the data lie in memory; else they are read from `data_dir`
    modules: tuple[str, ...] = ()  # of plugins, to be imported
    code: str = ""  # digests of the plugins that the study uses
    registered_data: str = ""  # digest of arrays that were registered as the data set, where they were
    data_sha256: str = ""  # digest of the data as loaded, once it is known
    forms: Forms = ()  # where they are known
    switches: str | None = None  # settings that change sums, where they have to be those of this process

    @classmethod
    def of(
        cls, study: Study, data_dir: str | Path | None, device: str, compiled: bool = True, data_sha256: str = ""
    ) -> Setup:
        """What workers need for a study as this process knows it, and `data_sha256` as it was loaded."""
        modules = tuple(dict.fromkeys([*plugin_modules.loaded(), *required_plugins.modules(study)]))
        place = str(data_dir) if data_dir else None
        return cls(
            study.to_toml(), place, device, compiled, None, modules, required_plugins.digests(study),
            _registered(study), data_sha256,
        )  # fmt: skip

    def refuse_other_switches(self) -> None:
        """UnfitError if this process would add up otherwise than the one that made the setup."""
        here = arithmetic.switches(self.device)
        if self.switches is not None and here != self.switches:
            raise UnfitError(
                f"worker processes add up otherwise than this one ({here or 'as usual'} there, "
                f"{self.switches or 'as usual'} here); set that at the top of the script, or use jobs=1"
            )

    def study(self) -> Study:
        """The study itself.

        Raises
        ------
        UnfitError
            A plugin cannot be imported here, or another version of it is loaded.
        """
        import tomllib

        try:
            for name in self.modules:
                registry.load_plugin(name)
            study = Study.make(tomllib.loads(self.study_toml))
        except InputError as error:
            raise UnfitError(f"workers cannot train this study: {error}") from error
        if others := set(self.code.split(required_plugins.SEPARATOR)) ^ set(
            required_plugins.digests(study).split(required_plugins.SEPARATOR)
        ):
            names = " and ".join(sorted({item.rpartition(" ")[0] for item in others if item}))
            raise UnfitError(f"the workers loaded another version of plugin {names}; {RESTART}")
        if self.data is None and _registered(study) != self.registered_data:
            raise UnfitError(f"the workers loaded another version of the data set {study.dataset}; {RESTART}")
        return study


def _registered(study: Study) -> str:
    return str(registry.datasets[study.dataset].about.get("digest", ""))


class InProcess:
    """A source of events that trains in this process, on one thread, one ensemble after the other."""

    def __init__(self, train: Trainer) -> None:
        self.train = train
        self.taken: Ensemble | None = None

    def submit(self, ensemble: Ensemble) -> bool:
        """Take an ensemble, if there is none."""
        if self.taken:
            return False
        self.taken = ensemble
        return True

    def news(self) -> Iterator[News]:
        """Train the ensemble taken."""
        ensemble, self.taken = self.taken, None
        assert ensemble
        trained = self.train(ensemble)
        while True:
            try:
                progress = next(trained)
            except StopIteration as end:
                yield Done(ensemble, end.value)
                return
            except Exception as error:  # whatever a model raises must not end the study
                yield Failed(ensemble, reason_of(error))
                return
            yield EpochDone(ensemble, progress)


def train_here(setup: Setup, ensembles: Sequence[Ensemble], loaded: Data | None = None) -> Generator[Event]:
    """Train ensembles in this process; `loaded` spares reading the data again."""
    if not ensembles:
        return
    from bnstudy.training.one_thread import one_thread

    with one_thread():
        yield from events(InProcess(trainer_of(setup, loaded)), ensembles)


def load(setup: Setup) -> Data:
    """The study's data, from memory or from disk; UnfitError if they are not those of the setup."""
    from bnstudy.training.datasets import data

    loaded = setup.data.open() if setup.data else data.load(setup.study(), setup.data_dir)
    if setup.data_sha256 and loaded.digest != setup.data_sha256:
        raise UnfitError(f"a worker read other data than there were at the start, of {setup.data_dir or 'its folder'}")
    return loaded


def trainer_of(setup: Setup, loaded: Data | None = None) -> Trainer:
    """Read the study, and its data unless they are `loaded`; the result trains one ensemble, epoch by epoch."""
    import torch

    from bnstudy.training import ensembles

    setup.refuse_other_switches()
    study = setup.study()
    device = torch.device(setup.device)
    ready = (loaded or load(setup)).to(device)

    forms = dict(setup.forms)

    def train(ensemble: Ensemble) -> Generator[Progress, None, Curves]:
        first = ensemble.runs[0]
        try:
            return (
                yield from ensembles.training(
                    study, ensemble, ready, device, compiled=setup.compiled, forms=forms.get((first.model, first.norm))
                )
            )
        except SystemExit as error:  # of a network, say: it would end the worker
            raise RuntimeError(reason_of(error)) from error

    return train
