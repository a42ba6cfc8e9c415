"""The answer: gains, tests and a word for every treated arm at every condition, from the scores of runs alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bnstudy.analysis import failures, power, verdict
from bnstudy.analysis.criteria import Criteria
from bnstudy.analysis.effects import TESTS, effects, times_at_least
from bnstudy.study.errors import InputError

DIMS = ("model", "setting", "arm", "condition")  # of an assessment
# What completes a word that would mislead alone.
NEITHER, AS_AT_REFERENCE, TOO_FEW = "neither arm learns", "as at the reference", "too few seeds to tell"
NO_BOUND, NOTHING = "no bound", "nothing to compare"


@dataclass(frozen=True)
class Scores:
    """What is judged: one number a run, the lower the better.

    Attributes
    ----------
    values : DataArray
        Over model, setting, condition, arm and seed; NaN where a run is missing.
    failed : DataArray
        bool over the same: runs that diverged or learnt next to nothing.
    settings : sequence of mappings
        What each setting is made of: factors and their levels.
    notes : tuple of str
        What a reader should know of them before any verdict.
    assumed : tuple of str
        What was assumed of them and could change the words, to stand by the verdicts.
    so_far : str
        How many of how many runs are there, where some are still to come.
    """

    values: xr.DataArray
    failed: xr.DataArray
    settings: Sequence[Mapping[str, Any]] = ()
    notes: tuple[str, ...] = ()
    so_far: str = ""
    assumed: tuple[str, ...] = ()


def assess_scores(scores: Scores, criteria: Criteria) -> xr.Dataset:
    """Gains, tests and words.

    Parameters
    ----------
    scores : Scores
        Of the runs.
    criteria : Criteria
        What is compared with what, and the levels.

    Returns
    -------
    Dataset
        Over model, setting, arm (all but the control) and condition: ``n``, ``gain``, ``gain_low``, ``gain_high``,
        ``reference_gain``, ``difference``, ``difference_low``, ``difference_high``, ``times_at_least`` (NaN where the
        word claims no more than at the reference), ``p_helps`` and the other tests, ``p_adjusted`` of the ``word``, and
        ``remark``; the last three are empty or NaN at conditions that are not poor. Over ``every_arm`` in place of arm:
        ``failures`` and ``runs``; and ``p_failures`` of an arm against the control. Attribute ``settings`` tells what
        each setting is made of, and ``warnings`` lists what a reader should know, first of all how many
        runs there are ``so_far``, where some are still to come; ``assumed`` what of other tools' runs was assumed.

    Raises
    ------
    InputError
        There is no control, no other arm, or nobody declared any roles.
    """
    values = scores.values.transpose("model", "setting", "condition", "arm", "seed")
    arms, conditions = (list(map(str, values[name].values)) for name in ("arm", "condition"))
    treated = [arm for arm in arms if arm != criteria.control]
    if lacking := power.nothing_to_compare(criteria, arms, ran=True):
        raise InputError(lacking)
    if not criteria.roles:
        raise InputError(
            f"nobody declared which levels of {criteria.condition} are well and which poor; add the coordinate "
            f"{criteria.condition}_role"
        )
    poor = np.array([criteria.roles.get(label) == "poor" for label in conditions])
    failed = scores.failed.transpose(*values.dims).where(values.notnull())
    reference = conditions.index(criteria.reference) if criteria.reference in conditions else None
    parts = [_of_arm(values, failed, arm, poor, reference, criteria) for arm in treated]
    result = xr.Dataset(
        {name: (DIMS, np.stack([part[name] for part in parts], 2)) for name in parts[0]},
        {"model": values.model.values, "setting": values.setting.values, "arm": treated, "condition": conditions},
    )
    counts = failed.rename(arm="every_arm")
    result["failures"], result["runs"] = counts.sum("seed").astype(int), counts.notnull().sum("seed")
    result = result.assign_coords(role=("condition", [criteria.roles.get(label, "") for label in conditions]))
    few = power.warnings(criteria, values.sizes["seed"])
    settings = [dict(setting) for setting in scores.settings] or [{}] * values.sizes["setting"]
    early = [f"{scores.so_far}: the words rest on the pairs that are complete, and may change"] * bool(scores.so_far)
    result.attrs = {**criteria.attributes(), "settings": settings, "so_far": scores.so_far,
                    "assumed": list(scores.assumed),
                    "warnings": [*early, *few, *scores.notes, *_roles(criteria), *_dead(result, criteria)]}  # fmt: skip
    return result


def _of_arm(
    values: xr.DataArray, failed: xr.DataArray, arm: str, poor: NDArray[np.bool_], reference: int | None,
    criteria: Criteria,
) -> dict[str, Any]:  # fmt: skip
    """Everything told of one treated arm: arrays (model, setting, condition)."""
    alpha = criteria.level
    control, treated = (values.sel(arm=name).values for name in (criteria.control, arm))
    found = effects(control, treated, reference, criteria.mainly_times, criteria.margin, criteria.paired)
    p = verdict.adjusted(found, poor)
    words = verdict.words(p, poor, alpha)
    of_difference = np.fmin.reduce([p[word] for word in verdict.OF_DIFFERENCE])
    bound = times_at_least(control, treated, reference, verdict.level_of_bound(found, p, alpha), criteria.paired)
    bound = np.where(np.isin(words, ("mainly", "more")), np.fmax(bound, 1.0), np.nan)
    pair = [failed.sel(arm=name).values for name in (criteria.control, arm)]
    nothing_learns = np.all([np.nansum(one, -1) == (~np.isnan(one)).sum(-1) for one in pair], 0) & (found.n > 0)
    too_few = power.least_p(found.n, int(poor.sum()), criteria.paired) > alpha / 2
    remarks = {
        NOTHING: (words == verdict.UNCLEAR) & (found.n == 0),
        NEITHER: (words != "") & nothing_learns, AS_AT_REFERENCE: (words == "harms") & (p["alike"] <= alpha / 2),
        TOO_FEW: (words == verdict.UNCLEAR) & too_few, NO_BOUND: np.isinf(bound),
    }  # fmt: skip
    at_reference = np.full((*found.gain.shape[:-1], 1), np.nan) if reference is None else found.gain[..., [reference]]
    return {
        **{field.name: getattr(found, field.name) for field in fields(found) if field.name != "p"},
        "reference_gain": np.broadcast_to(at_reference, found.gain.shape), "times_at_least": bound, "word": words,
        "remark": np.select(list(remarks.values()), list(remarks), ""),
        "p_adjusted": np.select([words == word for word in p], list(p.values()), of_difference),
        "p_failures": (failures.mcnemar if criteria.paired else failures.fisher)(*pair),
        **{f"p_{name}": found.p[name] for name in TESTS},
    }  # fmt: skip


def _dead(result: xr.Dataset, criteria: Criteria) -> list[str]:
    """Of which models and settings no run learns at the reference, so that no gain can be seen there."""
    if criteria.reference not in result.condition.values:
        return []
    there = result[["failures", "runs"]].sel(condition=criteria.reference).sum("every_arm")
    dead = (there.failures == there.runs) & (there.runs > 0)
    return [
        f"no run learns at the reference, {criteria.condition} {criteria.reference}"
        + "".join(f", {label}" for label in (str(cell.model.values), str(cell.setting.values)) if label)
        + ": what the treatment gains there cannot be seen, and more elsewhere says little"
        for cell in dead.stack(cell=("model", "setting")).transpose("cell")
        if cell
    ]


def _roles(criteria: Criteria) -> list[str]:
    strange = {level: role for level, role in criteria.roles.items() if role not in ("well", "poor")}
    return [f"{criteria.condition} {level} has no role of well or poor ({role!r}), and is left out"
            for level, role in strange.items()]  # fmt: skip


def cells(result: xr.Dataset, *, poor: bool = False) -> list[Mapping[str, Any]]:
    """An assessment cell by cell, in the order of its dimensions: labels and numbers by name, as plain values."""
    names = [str(name) for name, values in result.data_vars.items() if set(values.dims) == set(DIMS)]
    columns = {name: result[name].transpose(*DIMS).values.ravel().tolist() for name in names}
    arms = result.every_arm.values.tolist()
    labels = {name: result[name].values.tolist() for name in DIMS}
    roles = dict(zip(labels["condition"], result.role.values.tolist(), strict=True))
    counts = {name: result[name].transpose("model", "setting", "condition", "every_arm").values for name in
              ("failures", "runs")}  # fmt: skip
    listed: list[Mapping[str, Any]] = []
    for place, where in enumerate(np.ndindex(*(len(labels[name]) for name in DIMS))):
        at = {name: labels[name][i] for name, i in zip(DIMS, where, strict=True)}
        if poor and roles[at["condition"]] != "poor":
            continue
        both = {
            name: [int(counts[kind][where[0], where[1], where[3], arms.index(arm)]) for kind in ("failures", "runs")]
            for name, arm in (("control", result.attrs["control"]), ("treated", at["arm"]))
        }
        listed.append({**at, "role": roles[at["condition"]], "failed": both, "setting_index": where[1],
                       **{name: column[place] for name, column in columns.items()}})  # fmt: skip
    return listed
