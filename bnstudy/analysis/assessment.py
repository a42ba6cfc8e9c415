"""The assessment of a study: effects, hypotheses and verdicts, from its dataset alone.

With Y a response of a run and s its seed, delta(c, s) is what the other norm gains over ``none`` at init c (epochs
saved, or accuracy won), and DiD(c, s) = delta(c, s) - delta(c0, s) for the well reference c0.

- H1: mean delta(c) > 0 at the poor init, by the sign-flip test.
- H2: abs(mean delta(c0)) below the study's margin, by TOST.
- H3: mean DiD(c) > 0, by the sign-flip test.

Holm's adjustment runs over max(p of H1, p of H3) of all poor inits of one model, norm, optimizer and lr. Where more
than half of a cell's runs never exceed the target, final accuracy decides; the epochs at the well init still have to be
equivalent for "supported".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from bnstudy.analysis import inference, responses
from bnstudy.analysis.criteria import Criteria, criteria_of, roles_of
from bnstudy.analysis.normal_form import normal_form
from bnstudy.analysis.responses import RESPONSES
from bnstudy.study.errors import InputError

PLAIN = "none"  # the arm without a normalization layer
FAMILY = ("model", "norm", "optimizer", "lr")
ENOUGH = 0.9  # of the well runs have to reach the target before H2 can hold
MOST_CENSORED = 0.5  # of a cell's runs; beyond it final accuracy decides
VERDICTS = (
    "both-fail",
    "supported",
    "helps-more-when-poor",
    "helps-everywhere",
    "contradicted",
    "no-effect",
    "inconclusive",
)


PRIMARY, SECONDARY = 0, 1  # positions above
MOST_NAMED = 6  # models in a warning


def assess(dataset: xr.Dataset, criteria: Criteria | None = None) -> xr.Dataset:
    """Effects, tests and verdicts of every comparison in a study's dataset.

    Parameters
    ----------
    dataset : Dataset
        At least ``test_accuracy`` over model, norm, init, seed and epoch, and ``init_role`` over ``init``; it is put
        into normal form first (:func:`~bnstudy.analysis.normal_form.normal_form`).
    criteria : Criteria, optional
        By which it is judged, to see what others would have said; by default those that the study declared.

    Returns
    -------
    Dataset
        Over ``response``, ``model``, ``norm`` (all but ``none``), ``optimizer``, ``lr`` and ``init``: ``effect`` (mean
        delta) with ``effect_low`` and ``effect_high`` (95 %), ``p_h1``, ``n`` (pairs); ``did`` with ``did_low``,
        ``did_high`` and ``p_h3``, and ``verdict`` with ``p_adjusted``: each response judged by itself. Over the same
        without ``init``: ``p_h2``. Over ``model`` to ``init`` without ``response``: the overall ``decided_by``,
        ``overall`` (a verdict) and ``overall_p_adjusted``. ``censored`` is the share of a cell's runs that never
        exceeded the target, over all norms. What holds of poor inits alone is NaN, or an empty text, at the others.
        Attribute ``warnings`` lists what a reader should know.

    Raises
    ------
    InputError
        There are no roles, no arm without a norm, or none with one.
    """
    dataset = normal_form(dataset)
    criteria, roles = criteria or criteria_of(dataset), roles_of(dataset)
    others = [str(norm) for norm in dataset.norm.values if norm != PLAIN]
    if PLAIN not in dataset.norm.values or not others:
        listed = ", ".join(map(str, dataset.norm.values))
        raise InputError(f"nothing to compare: it takes the norm {PLAIN!r} and another, and there are: {listed}")
    table = _responses(dataset, criteria)
    table = table.transpose("response", "model", "norm", "optimizer", "lr", "init", "seed")
    sign = np.array([1.0 if response.less_is_better else -1.0 for response in RESPONSES])
    gains = (table.sel(norm=[PLAIN]).values - table.sel(norm=others).values) * sign.reshape(-1, 1, 1, 1, 1, 1, 1)
    poor = np.array([roles[label] == "poor" for label in dataset.init.values.tolist()])
    reference = criteria.reference
    c0 = dataset.init.values.tolist().index(reference) if reference else None
    at_c0 = gains[..., [c0], :] if c0 is not None else np.full_like(gains[..., :1, :], np.nan)
    interactions = np.where(poor[:, None], gains - at_c0, np.nan)

    margins = np.array([response.margin(criteria) for response in RESPONSES])
    found = _measure(gains, interactions, at_c0, margins, poor)
    censored = responses.is_censored(dataset, criteria.target).where(responses.observed(dataset)).mean("seed")
    censored = censored.transpose("model", "norm", "optimizer", "lr", "init")
    overall = _judge(found, censored, others, c0, poor, criteria)
    return _dataset(dataset, others, found, overall, censored, criteria, roles)


def _responses(dataset: xr.Dataset, criteria: Criteria) -> xr.DataArray:
    """Every response of every run, over ``response`` and the run dimensions; NaN where nothing was observed."""
    # Accuracies are stored in single precision: rounded, equal ones have equal differences.
    columns = [one.of(dataset, criteria).astype(np.float64).round(7).rename(None) for one in RESPONSES]
    names = [response.name for response in RESPONSES]
    return xr.concat(
        columns, xr.DataArray(names, dims="response", name="response"), coords="minimal", compat="override"
    )


def _measure(
    gains: np.ndarray, interactions: np.ndarray, at_c0: np.ndarray, margins: np.ndarray, poor: np.ndarray
) -> dict[str, np.ndarray]:
    """Means, intervals and p-values: arrays (response, model, norm, optimizer, lr, init).

    What is known of the reference alone (``p_h2``, ``reference_low``) has an init axis of length 1.
    """
    low, high = inference.interval(gains)
    did_low, did_high = inference.interval(interactions)
    reference_low, _ = inference.interval(at_c0)
    h2 = [inference.equivalence(at_c0[i], margin) for i, margin in enumerate(margins)]
    same = [inference.equivalence(interactions[i], margin) for i, margin in enumerate(margins)]
    p_h1 = np.where(poor, inference.sign_flip(gains), np.nan)
    p_h3 = inference.sign_flip(interactions)
    return {
        "effect": inference.mean_difference(gains), "effect_low": low, "effect_high": high,
        "n": (~np.isnan(gains)).sum(-1), "did": inference.mean_difference(interactions), "did_low": did_low,
        "did_high": did_high, "n_did": (~np.isnan(interactions)).sum(-1), "p_h1": p_h1, "p_h3": p_h3,
        "p_both": np.maximum(p_h1, p_h3), "p_h2": np.stack(h2), "p_same": np.stack(same),
        "reference_low": reference_low,
    }  # fmt: skip


def _judge(
    found: dict[str, np.ndarray],
    censored: xr.DataArray,
    others: list[str],
    c0: int | None,
    poor: np.ndarray,
    criteria: Criteria,
) -> dict[str, np.ndarray]:
    """Verdicts by each response, added to `found`; and the overall ones, by the response that decides."""
    plain, other = censored.sel(norm=[PLAIN]).values, censored.sel(norm=others).values
    shape = found["p_both"].shape[1:]
    both_fail = np.broadcast_to((plain == 1) & (other == 1), shape)
    worst = np.maximum(plain, other)
    well = worst[..., c0] if c0 is not None else np.full(worst.shape[:-1], np.nan)
    enough = np.broadcast_to((well <= 1 - ENOUGH + 1e-9)[..., None], shape)
    by_accuracy = ~both_fail & ((worst > MOST_CENSORED) | (well > MOST_CENSORED)[..., None])

    adjusted, verdicts = [], []
    for i, response in enumerate(RESPONSES):
        one = {name: values[i] for name, values in found.items()}
        fails = both_fail if response.less_is_better else np.zeros(shape, bool)
        p = _holm(one["p_both"], poor)
        adjusted.append(p)
        verdicts.append(_verdict(one, p, fails, enough, poor, criteria))
    found["p_adjusted"], found["verdict"] = np.stack(adjusted), np.stack(verdicts)

    chosen = {}
    for name in ("p_both", "n_did", "did_high", "p_same", "p_h2", "reference_low"):
        chosen[name] = np.where(by_accuracy, found[name][SECONDARY], found[name][PRIMARY])
    # At the well init epochs can be told apart even where final accuracy decides, and have their say: else a norm that
    # saves as many epochs everywhere would be called one that matters where it is needed to arrive at all.
    chosen["p_h2"] = np.maximum(chosen["p_h2"], found["p_h2"][PRIMARY])
    chosen["reference_low"] = np.fmax(chosen["reference_low"], found["reference_low"][PRIMARY])
    p = _holm(chosen["p_both"], poor)
    names = np.where(by_accuracy, RESPONSES[SECONDARY].name, RESPONSES[PRIMARY].name)
    return {
        "overall": _verdict(chosen, p, both_fail, enough, poor, criteria),
        "overall_p_adjusted": p,
        "decided_by": np.where(poor, names, ""),
    }


def _holm(p: np.ndarray, poor: np.ndarray) -> np.ndarray:
    adjusted = np.full_like(p, np.nan)
    adjusted[..., poor] = inference.holm(p[..., poor])
    return adjusted


def _verdict(
    one: Mapping[str, np.ndarray],
    p_adjusted: np.ndarray,
    both_fail: np.ndarray,
    enough: np.ndarray,
    poor: np.ndarray,
    criteria: Criteria,
) -> np.ndarray:
    """The first that applies of :data:`VERDICTS`; arrays (model, norm, optimizer, lr, init)."""
    more = p_adjusted < criteria.alpha
    everywhere = np.broadcast_to(one["reference_low"] > 0, more.shape)
    rules: list[np.ndarray] = [
        np.broadcast_to(~poor, more.shape),
        both_fail,
        one["n_did"] < 2,
        more & (one["p_h2"] < criteria.alpha) & enough,
        more & everywhere,
        everywhere & ~(one["did_high"] < 0),
        one["did_high"] < 0,
        one["p_same"] < criteria.alpha,
    ]
    names = ["", "both-fail", "inconclusive", *VERDICTS[1:6]]
    return np.select(rules, names, "inconclusive")


def _dataset(
    dataset: xr.Dataset,
    others: list[str],
    found: dict[str, np.ndarray],
    overall: dict[str, np.ndarray],
    censored: xr.DataArray,
    criteria: Criteria,
    roles: Mapping[str, str],
) -> xr.Dataset:
    inner = ("model", "norm", "optimizer", "lr", "init")
    kept = ("effect", "effect_low", "effect_high", "n", "p_h1", "did", "did_low", "did_high", "p_h3", "p_adjusted",
            "verdict")  # fmt: skip
    variables: dict[str, Any] = {name: (("response", *inner), found[name]) for name in kept}
    variables["p_h2"] = (("response", *inner[:-1]), found["p_h2"][..., 0])
    variables |= {name: (inner, values) for name, values in overall.items()}
    variables["censored"] = (("model", "arm", "optimizer", "lr", "init"), censored.values)
    coords: dict[str, Any] = {name: dataset[name].values for name in ("model", "optimizer", "lr", "init")}
    coords |= {"norm": others, "arm": dataset.norm.values, "response": [response.name for response in RESPONSES]}
    result = xr.Dataset(variables, coords).assign_coords(init_role=("init", list(roles.values())))
    result.attrs = {
        **criteria.attributes(), "study_name": str(dataset.attrs.get("study_name", "")),
        "study_hash": str(dataset.attrs.get("study_hash", "")),
    }  # fmt: skip
    result.attrs["warnings"] = _warnings(dataset, result, criteria, roles)
    return result


def _warnings(dataset: xr.Dataset, result: xr.Dataset, criteria: Criteria, roles: Mapping[str, str]) -> list[str]:
    """What a reader of the verdicts should know, one sentence each."""
    from bnstudy.analysis.power import warnings

    told = [f"init {label} has no role of well or poor ({role!r}), and is left out" for label, role in roles.items()
            if role not in ("well", "poor")]  # fmt: skip
    known = {label: role for label, role in roles.items() if role in ("well", "poor")}
    told += warnings(known, dataset.sizes["norm"], dataset.sizes["seed"], criteria.alpha)
    observed = responses.observed(dataset)
    missing = int((~observed).sum())
    if missing:
        told.append(f"{missing} of {observed.size} runs are not there; their pairs are left out")
    died = int(responses.diverged(dataset).sum())
    if died and "status" not in dataset:
        told.append(f"{died} runs have no accuracy at their end; they are taken to have diverged")
    epochs = responses.epochs_to_target(dataset, criteria.target)
    at_once = (epochs.epochs == dataset.epoch.values[0]) & epochs.reached
    settings = ("optimizer", "lr")
    first = (at_once.where(observed, True).all("seed") & observed.any("seed")).any(settings)
    goal, last = f"{criteria.target:g}", int(dataset.epoch[-1])
    told += _where(
        (result.overall == "both-fail").any(settings),
        f"both arms sit at the ceiling: no run exceeds {goal} in {last} epochs; more epochs or a lower target may tell",
    )
    told += _where(
        first.sel(norm=[PLAIN]).isel(norm=0, drop=True) & first.sel(norm=result.norm.values),
        f"both arms exceed {goal} in the first epoch, so epochs cannot tell them apart; a higher target may",
    )
    told += _where(
        (result.decided_by == RESPONSES[SECONDARY].name).any(settings),
        f"there, or at the reference, more than half of a cell's runs never exceed {goal}: final accuracy decides",
    )
    return told


def _where(holds: xr.DataArray, what: str) -> list[str]:
    """A warning for each init at which something holds, naming the models, and the norms where there are several."""
    told = []
    several = holds.sizes["norm"] > 1
    for label in holds.init.values:
        here = holds.sel(init=label).transpose("model", "norm")
        arms = [(str(here.model.values[m]), str(here.norm.values[n])) for m, n in np.argwhere(here.values)]
        if arms:
            names = [f"{model} with {norm}" if several else model for model, norm in arms[:MOST_NAMED]]
            named = ", ".join(names) + (", …" if len(arms) > MOST_NAMED else "")
            told.append(f"{label} ({named}): {what}")
    return told
