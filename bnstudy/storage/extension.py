"""A study in its folder made larger, with the amendment on record."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bnstudy.storage import atomic
from bnstudy.storage.store import Store
from bnstudy.study.enlarging import other_than_more
from bnstudy.study.errors import InputError
from bnstudy.study.plan import Ensemble, make_plan
from bnstudy.study.study import Run, Study


def extend(folder: str | Path, study: Study, *, wait: bool = False) -> Store:
    """Make a study folder hold the larger `study`; what is new is pending afterwards, what is stored stays.

    New runs get ensembles of their own. With more epochs every run trains anew from its first one, as its curves alone
    are stored; its ensemble stays as it was until then.

    Raises
    ------
    InputError
        The folder holds no study, or one that `study` does not contain.
    LockedError
        A process is at work on it.
    """
    with atomic.disk_errors(Path(folder)), Store.open(folder).locked(wait) as store:
        return amended(store, study)


def amended(store: Store, study: Study) -> Store:
    """The same for whoever holds the lock."""
    refuse_less(store, study)
    store.clean()
    if store.study == study:
        return store
    return store.amend(study, larger_plan(store.plan, study, store.device))


def larger_plan(plan: Iterable[Ensemble], study: Study, device: str) -> tuple[Ensemble, ...]:
    """The ensembles there are, and others for the runs that are new."""
    there = tuple(plan)
    known: set[Run] = {run for ensemble in there for run in ensemble.runs}
    most = max(len(ensemble.runs) for ensemble in there)
    new = make_plan(study, device, most, leave_out=known)
    return (*there, *(Ensemble(len(there) + i, ensemble.runs) for i, ensemble in enumerate(new)))


def refuse_less(store: Store, after: Study) -> None:
    """InputError if a study is not the stored one and more; that may have grown since it was looked at."""
    if key := other_than_more(store.study, after):
        raise InputError(f"differs from the study in {store.folder} other than by more of it", key)
