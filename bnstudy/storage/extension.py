"""A study made larger: more seeds, levels or epochs, with the amendment on record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bnstudy.storage import atomic
from bnstudy.storage.store import Store
from bnstudy.study.errors import InputError
from bnstudy.study.factors import FACTORS
from bnstudy.study.plan import Ensemble, make_plan
from bnstudy.study.study import Run, Study

# A question that any levels can answer.
UNASKED: dict[str, Any] = {
    "treatment": "norm", "control": "", "condition": "init", "reference": "", "roles": {}, "looks": (),
    "predictions": (),
}  # fmt: skip
LISTED = (*(factor.key for factor in FACTORS), "seeds")


def extended(study: Study, settings: Mapping[str, Any]) -> Study:
    """A study with more seeds, levels or epochs.

    Parameters
    ----------
    study : Study
        What there is.
    settings : mapping
        For ``models``, ``norms``, ``inits`` (or ``scales``), ``optimizers``, ``lr``, ``batch_size``, ``weight_decay``
        and ``seeds``, levels to have besides those there are, written as in a study; for ``epochs``, how many in all.

    Raises
    ------
    InputError
        Nothing is new, or a value is wrong.
    """
    if stray := [key for key in settings if key not in (*LISTED, "scales", "epochs")]:
        raise InputError("cannot be changed by extending; run another study for it", stray[0])
    before = study.model_dump()
    # Scales come after inits, of which a study has one at least.
    stand_in = {} if "inits" in settings else {"inits": ("default",)}
    asked = Study.make({**before, **UNASKED, **stand_in, **settings})
    named = {name: getattr(asked, name) for name in LISTED if name in settings}
    if "scales" in settings:
        named["inits"] = asked.inits[len(stand_in) :]
    more: dict[str, Any] = {name: _union(before[name], levels) for name, levels in named.items()}
    if "epochs" in settings:
        if asked.epochs <= study.epochs:
            raise InputError(f"the study has {study.epochs} epochs; give more, not {asked.epochs}", "epochs")
        more["epochs"] = asked.epochs
    larger = Study.make({**before, **more})
    if larger == study:
        raise InputError("nothing to add: the study has all of these; name new seeds, levels or more epochs")
    return larger


def _union(there: Iterable[Any], asked: Iterable[Any]) -> tuple[Any, ...]:
    """What is there, in its order, then what is new."""
    return tuple(dict.fromkeys([*there, *asked]))


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
    before = store.study
    for key in before.differences(after):
        there, asked = getattr(before, key), getattr(after, key)
        if key in LISTED and set(there) <= set(asked):
            continue
        if key == "epochs" and asked > there:
            continue
        if key == "roles" and there.items() <= asked.items():
            continue
        # Where no level was well there was no reference; the first that is becomes it. So does the usual control.
        if (
            key == "reference"
            and not there
            and asked == next(one for one, role in after.roles.items() if role == "well")
        ):
            continue
        if key == "control" and not there:
            continue
        raise InputError(f"differs from the study in {store.folder} other than by more of it", key)
