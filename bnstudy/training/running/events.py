"""Training as a stream of events: one loop over ensembles, whoever trains them.

A source takes ensembles and tells what became of them: this process (:mod:`~bnstudy.training.running.workers`), several
of this machine (:mod:`~bnstudy.training.running.processes`) or a cluster (:mod:`~bnstudy.training.running.cluster`).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from bnstudy.study.curves import Curves, Progress
    from bnstudy.study.plan import Ensemble

ATTEMPTS = 2  # an ensemble that fails is tried once more
POLL = 0.2  # seconds a source waits for news, so that whoever listens can stop it


@dataclass(frozen=True)
class InTraining:
    """Ensembles were handed out: these are in training now."""

    ensembles: tuple[Ensemble, ...]


@dataclass(frozen=True)
class EpochDone:
    """An ensemble finished an epoch."""

    ensemble: Ensemble
    progress: Progress


@dataclass(frozen=True)
class Done:
    """An ensemble is trained; `computed_by` says by what, where that is not this machine."""

    ensemble: Ensemble
    curves: Curves
    computed_by: dict[str, str] | None = None


@dataclass(frozen=True)
class Failed:
    """An ensemble could not be trained; from :func:`events`, that it is given up for now."""

    ensemble: Ensemble
    reason: str


@dataclass(frozen=True)
class Waited:
    """Nothing came for a while."""


News = EpochDone | Done | Failed
Event = InTraining | News | Waited


class Source(Protocol):
    """What trains ensembles."""

    def submit(self, ensemble: Ensemble) -> bool:
        """Take an ensemble to train; False if there is no room for it now."""

    def news(self) -> Iterator[News]:
        """What became of those taken; ends after :data:`POLL` seconds without any, or once something came."""


def events(source: Source, ensembles: Sequence[Ensemble]) -> Iterator[Event]:
    """Have ensembles trained, each tried twice at most, and tell what happens as it does."""
    waiting, attempts = deque(ensembles), Counter[int]()
    sent: dict[int, Ensemble] = {}
    while waiting or sent:
        before = len(sent)
        while waiting and source.submit(waiting[0]):
            ensemble = waiting.popleft()
            attempts[ensemble.index] += 1
            sent[ensemble.index] = ensemble
        if len(sent) > before:
            yield InTraining(tuple(sent.values()))
        for news in source.news():
            if not isinstance(news, EpochDone):
                del sent[news.ensemble.index]
            if isinstance(news, Failed) and attempts[news.ensemble.index] < ATTEMPTS:
                waiting.append(news.ensemble)
            else:
                yield news
        yield Waited()
