"""What every worker needs, be it this process, one of several or a cluster's: the setup, the queue, the trainer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bnstudy.study import registry, required_plugins
from bnstudy.study.errors import BnstudyError, InputError, reason_of
from bnstudy.study.study import Study
from bnstudy.training.running import arithmetic

if TYPE_CHECKING:
    from bnstudy.study.curves import Curves, Progress
    from bnstudy.study.plan import Ensemble
    from bnstudy.training.datasets.data import Data
    from bnstudy.training.running.shared_data import Shared

ATTEMPTS = 2  # an ensemble that fails is tried once more
RESTART = "restart them, or this program if it is the older"


class StoppedError(BnstudyError):
    """Asked to stop; whatever is finished is stored."""


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
    switches: str | None = None  # settings that change sums, where they have to be those of this process

    @classmethod
    def of(
        cls, study: Study, data_dir: str | Path | None, device: str, compiled: bool = True, data_sha256: str = ""
    ) -> Setup:
        """What workers need for a study as this process knows it, and `data_sha256` as it was loaded."""
        modules = tuple(dict.fromkeys([*registry.loaded_plugins(), *required_plugins.modules(study)]))
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


@dataclass(frozen=True)
class Watch:
    """What the parent does as workers answer."""

    running: Callable[[Sequence[Ensemble]], None]  # all that are in training now
    progress: Callable[[Ensemble, Progress], None]
    done: Callable[[Ensemble, Curves, dict[str, str] | None], None]  # with what computed it, if not this machine
    failed: Callable[[Ensemble, str], None]
    stop: Callable[[], bool]


@dataclass
class Queue:
    """Ensembles still to be handed out, and how often each was tried."""

    waiting: list[Ensemble]
    attempts: dict[int, int] = field(default_factory=dict)

    def next(self) -> Ensemble | None:
        if not self.waiting:
            return None
        ensemble = self.waiting.pop(0)
        self.attempts[ensemble.index] = self.attempts.get(ensemble.index, 0) + 1
        return ensemble

    def again(self, ensemble: Ensemble) -> bool:
        """Put a failed ensemble back, unless it has been tried often enough."""
        if self.attempts[ensemble.index] >= ATTEMPTS:
            return False
        self.waiting.append(ensemble)
        return True


def train_here(setup: Setup, ensembles: Sequence[Ensemble], watch: Watch, loaded: Data | None = None) -> None:
    """Train ensembles one after the other in this process, on one thread; `loaded` spares reading the data again."""
    if not ensembles:
        return
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        train = trainer_of(setup, loaded)
        queue = Queue(list(ensembles))
        while (ensemble := queue.next()) is not None:
            watch.running([ensemble])
            try:
                curves = train(ensemble, _reporter(ensemble, watch))
            except StoppedError:
                raise
            except Exception as error:  # whatever a model raises must not end the study
                if not queue.again(ensemble):
                    watch.failed(ensemble, reason_of(error))
                continue
            watch.done(ensemble, curves, None)
    finally:
        torch.set_num_threads(threads)


def load(setup: Setup) -> Data:
    """The study's data, from memory or from disk; UnfitError if they are not those of the setup."""
    from bnstudy.training.datasets import data

    loaded = setup.data.open() if setup.data else data.load(setup.study(), setup.data_dir)
    if setup.data_sha256 and loaded.digest != setup.data_sha256:
        raise UnfitError(f"a worker read other data than there were at the start, of {setup.data_dir or 'its folder'}")
    return loaded


def trainer_of(setup: Setup, loaded: Data | None = None) -> Callable[[Ensemble, Callable[[Progress], None]], Curves]:
    """Read the study, and its data unless they are `loaded`; the result trains one ensemble."""
    import torch

    from bnstudy.training import ensembles

    setup.refuse_other_switches()
    study = setup.study()
    device = torch.device(setup.device)
    ready = (loaded or load(setup)).to(device)

    def train(ensemble: Ensemble, report: Callable[[Progress], None]) -> Curves:
        try:
            return ensembles.train_ensemble(study, ensemble, ready, device, report=report, compiled=setup.compiled)
        except SystemExit as error:  # of a network, say: it would end the worker
            raise RuntimeError(reason_of(error)) from error

    return train


def _reporter(ensemble: Ensemble, watch: Watch) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        watch.progress(ensemble, progress)
        if watch.stop():
            raise StoppedError("stopped")

    return report
