"""The answer: gains, tests and a word for every treated arm at every condition, from the scores of runs alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bnstudy.analysis import failures, power, verdict
from bnstudy.analysis.criteria import Criteria
from bnstudy.analysis.effects import TESTS, Effects, paired_effects, unpaired_effects
from bnstudy.study.errors import InputError

DIMS = ("model", "setting", "arm", "condition")  # of an assessment
NEITHER, AS_AT_REFERENCE, TOO_FEW = "neither arm learns", "as at the reference", "too few seeds to tell"


@dataclass(frozen=True)
class Scores:
    """What is judged: one number a run, the lower the better.

    Attributes
    ----------
    values : DataArray
        Over model, setting, condition, arm and seed; NaN where a run is missing.
    failed : DataArray
        bool over the same: runs that diverged or learnt next to nothing.
    notes : tuple of str
        What a reader should know of them before any verdict.
    """

    values: xr.DataArray
    failed: xr.DataArray
    notes: tuple[str, ...] = ()


def judge(scores: Scores, criteria: Criteria, margin: float | None = None) -> xr.Dataset:
    """Gains, tests and words.

    Parameters
    ----------
    scores : Scores
        Of the runs.
    criteria : Criteria
        What is compared with what, and the levels.
    margin : float, optional
        In the scores' unit, within which a gain counts as none; that of the criteria by default.

    Returns
    -------
    Dataset
        Over model, setting, arm (all but the control) and condition: ``n``, ``gain``, ``gain_low``, ``gain_high``,
        ``reference_gain``, ``difference``, ``difference_low``, ``difference_high``, ``times_at_least`` (NaN where the
        word claims no more than at the reference), ``p_helps`` and the other tests, ``p_adjusted`` of the ``word``, and
        ``remark``; the last three are empty or NaN at conditions that are not poor. Over ``every_arm`` in place of arm:
        ``failures`` and ``runs``; and ``p_failures`` of an arm against the control. Attribute ``warnings`` lists what a
        reader should know.

    Raises
    ------
    InputError
        There is no control, no other arm, or no reference.
    """
    values = scores.values.transpose("model", "setting", "condition", "arm", "seed")
    arms, conditions = (list(map(str, values[name].values)) for name in ("arm", "condition"))
    treated = [arm for arm in arms if arm != criteria.control]
    if criteria.control not in arms or not treated:
        raise InputError(
            f"nothing to compare: it takes the {criteria.treatment} {criteria.control or 'none'!r} and another, and "
            f"there are: {', '.join(arms)}"
        )
    if not criteria.roles:
        raise InputError(
            f"nobody declared which levels of {criteria.condition} are well and which poor; add the coordinate "
            f"{criteria.condition}_role"
        )
    poor = np.array([criteria.roles.get(label) == "poor" for label in conditions])
    failed = scores.failed.transpose(*values.dims).where(values.notnull())
    measure = paired_effects if criteria.paired else unpaired_effects
    share = criteria.alpha / max(len(criteria.looks), 1)
    c0 = conditions.index(criteria.reference) if criteria.reference in conditions else None
    parts = []
    for arm in treated:
        control, of = (values.sel(arm=name).values for name in (criteria.control, arm))
        if c0 is None:  # nothing is known of a reference: what needs one is not shown
            control, of = (np.concatenate([v, np.full_like(v[..., :1, :], np.nan)], -2) for v in (control, of))
        reference = len(conditions) if c0 is None else c0
        effects = measure(control, of, reference, criteria.mainly_times, margin or criteria.margin, share / 2)
        parts.append(_of_arm(effects, failed, arm, poor, reference, share, criteria))
    result = xr.Dataset(
        {name: (DIMS, np.stack([part[name] for part in parts], 2)) for name in parts[0]},
        {"model": values.model.values, "setting": values.setting.values, "arm": treated, "condition": conditions},
    )
    counts = failed.rename(arm="every_arm")
    result["failures"], result["runs"] = counts.sum("seed").astype(int), counts.notnull().sum("seed")
    for name in ("model", "setting"):
        extra = {key: coord for key, coord in values.coords.items() if coord.dims == (name,) and key != name}
        result = result.assign_coords(extra)
    result = result.assign_coords(role=("condition", [criteria.roles.get(label, "") for label in conditions]))
    few = power.warnings(criteria, values.sizes["seed"])
    result.attrs = {**criteria.attributes(), "warnings": [*few, *scores.notes, *_roles(criteria)]}
    return result


def _of_arm(
    effects: Effects, failed: xr.DataArray, arm: str, poor: NDArray[np.bool_], reference: int, alpha: float,
    criteria: Criteria,
) -> dict[str, Any]:  # fmt: skip
    """Everything told of one treated arm: arrays (model, setting, condition)."""
    there = poor if len(poor) == effects.gain.shape[-1] else np.append(poor, False)
    p = verdict.adjusted(effects, there)
    words = verdict.words(p, there, alpha)
    told = np.select(
        [words == word for word in p], list(p.values()), np.fmin.reduce([p[w] for w in verdict.OF_DIFFERENCE])
    )
    bound = np.where(np.isin(words, ("mainly", "more")), effects.times_at_least, np.nan)
    of = {name: failed.sel(arm=name).values for name in (criteria.control, arm)}
    pair = [of[criteria.control], of[arm]]
    cut = slice(len(poor))
    few = power.least_p(effects.n, int(poor.sum()), criteria.paired) > alpha / 2
    everywhere = np.all([np.nanmin(np.where(np.isnan(one), 1.0, one), -1) == 1 for one in pair], 0) & (
        effects.n[..., cut] > 0
    )
    remarks = np.select(
        [(words[..., cut] == "none") & everywhere, (words == "harms")[..., cut] & (p["alike"] <= alpha / 2)[..., cut],
         (words == verdict.UNCLEAR)[..., cut] & few[..., cut], (words != "")[..., cut] & np.isinf(bound)[..., cut]],
        [NEITHER, AS_AT_REFERENCE, TOO_FEW, "no bound"], "",
    )  # fmt: skip
    test = failures.mcnemar if criteria.paired else failures.fisher
    own = {
        name: getattr(effects, name)[..., cut]
        for name in ("n", "gain", "gain_low", "gain_high", "difference", "difference_low", "difference_high")
    }
    return {
        **own, "reference_gain": np.broadcast_to(effects.gain[..., [reference]], own["gain"].shape),
        "times_at_least": bound[..., cut], "word": words[..., cut], "remark": remarks,
        "p_adjusted": np.where(words[..., cut] == "", np.nan, told[..., cut]), "p_failures": test(*pair),
        **{f"p_{name}": effects.p[name][..., cut] for name in TESTS},
    }  # fmt: skip


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
