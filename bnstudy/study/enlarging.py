"""A study made larger: more seeds, levels or epochs of the same question."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bnstudy.study.errors import InputError
from bnstudy.study.factors import FACTORS
from bnstudy.study.fields import once
from bnstudy.study.study import Study

# A question that any levels can answer.
UNASKED: dict[str, Any] = {
    "treatment": "norm", "control": "", "condition": "init", "reference": "", "roles": {}, "looks": (),
    "predictions": (),
}  # fmt: skip
LISTED = (*(factor.key for factor in FACTORS), "seeds")
TOLD = ("title", "question", "predictions")  # words about a study, which stay as they are when it grows


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
    more: dict[str, Any] = {name: once([*before[name], *levels]) for name, levels in named.items()}
    if "epochs" in settings:
        if asked.epochs <= study.epochs:
            raise InputError(f"the study has {study.epochs} epochs; give more, not {asked.epochs}", "epochs")
        more["epochs"] = asked.epochs
    larger = Study.make({**before, **more})
    if larger == study:
        raise InputError("nothing to add: the study has all of these; name new seeds, levels or more epochs")
    return larger


def other_than_more(before: Study, after: Study) -> str:
    """The first key in which a study differs from one before other than by more of it; empty if there is none."""
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
        return key
    return ""


def enlarging_command(folder: Path, before: Study, after: Study) -> str:
    """The command that makes the study in a folder the larger one; empty where it would not be that."""
    told = {key: getattr(before, key) for key in TOLD}
    if other_than_more(before, after.model_copy(update=told)):
        return ""
    options: list[str] = []
    for key in LISTED[:-1]:
        if new := [str(level) for level in getattr(after, key) if level not in getattr(before, key)]:
            options += [f"--{key.replace('_', '-')}", ",".join(new)]
    if len(after.seeds) > len(before.seeds):
        counted = after.seeds == tuple(range(len(after.seeds)))
        options += ["--seeds", str(len(after.seeds)) if counted else ",".join(map(str, after.seeds))]
    if after.epochs > before.epochs:
        options += ["--epochs", str(after.epochs)]
    return shlex.join(["bnstudy", "extend", str(folder), *options]) if options else ""
