"""The report's claims about its MLP and CNN, each with our estimate and what it says of the claim.

All are about the reference init. A claim of a difference holds where the 95 % interval lies on its side of 0; a claim
of no difference where TOST finds the difference within the margin. It does not hold where the interval lies on the
other side of 0, or wholly outside the margin. Else the data cannot tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from bnstudy.analysis import inference, responses
from bnstudy.analysis.assessment import cells
from bnstudy.analysis.criteria import Criteria
from bnstudy.analysis.labels import arm_label
from bnstudy.analysis.normal_form import FIRST
from bnstudy.analysis.results import Results
from bnstudy.study.errors import InputError
from bnstudy.study.schema import Status

HOLDS, FAILS, UNKNOWN = "holds", "does not hold", "cannot tell"
SECONDS_MARGIN = float(np.log(1.1))  # 10 % of run time
MLP, CNN, PLAIN, BN = "mlp", "cnn", "none", "batch"
ENOUGH = 0.9  # of the well runs have to reach the target before a difference in epochs can be called small
# What a verdict says of the claim that BN helps more there.
MORE = {"mainly": HOLDS, "more": HOLDS, "unclear": UNKNOWN, **dict.fromkeys(("harms", "less", "alike", "none"), FAILS)}


@dataclass(frozen=True)
class Claim:
    """One claim and what was found.

    Attributes
    ----------
    about, text : str
        Which of the report's five it is, and what it says, with the arm it was measured in.
    estimate, low, high : float
        Of the difference or ratio in `unit`, with its 95 % interval; NaN where there is none.
    unit : str
        Of the estimate.
    n : int
        Pairs.
    answer : str
        ``holds``, ``does not hold`` or ``cannot tell``.
    """

    about: str
    text: str
    estimate: float
    low: float
    high: float
    unit: str
    n: int
    answer: str


def claims(results: Results) -> list[Claim]:
    """The report's claims on results that hold its models; InputError if they lack one of them.

    The first optimizer and learning rate stand for the study.
    """
    dataset, criteria = results.dataset, results.criteria
    missing = [name for name in (MLP, CNN) if name not in dataset.model.values]
    missing += [name for name in (PLAIN, BN) if name not in dataset.norm.values]
    if missing:
        raise InputError(f"the report's claims are about mlp and cnn with none and batch; there is no {missing[0]}")
    if not criteria.reference:
        raise InputError("no init is declared well, and the report's claims are about one")
    well = dataset.sel(init=criteria.reference).isel(FIRST)
    grid = dataset.isel(FIRST)
    return [
        *_times(well, criteria),
        *_shares(grid, criteria),
        *_parameters(well),
        *_accuracy(well, criteria),
        *_overfitting(well, criteria),
        *_robustness(results),
    ]


def are_about(results: Results) -> bool:
    """Whether results have what the claims speak of: both models, with and without BN, and an init that is well."""
    dataset = results.dataset
    asked = (results.criteria.treatment, results.criteria.control, results.criteria.condition) == (
        "norm",
        PLAIN,
        "init",
    )
    there = all(name in dataset.model.values for name in (MLP, CNN))
    return (
        asked
        and there
        and all(name in dataset.norm.values for name in (PLAIN, BN))
        and bool(results.criteria.reference)
    )


def _times(well: xr.Dataset, criteria: Criteria) -> Iterator[Claim]:
    crossing = responses.epochs_to_target(well, criteria.target_accuracy)
    for norm in (PLAIN, BN):
        found = _values(crossing.epochs, CNN, norm) - _values(crossing.epochs, MLP, norm)
        sooner = _more("convergence", f"the MLP gets there sooner than the CNN ({arm_label(norm)})", found, "epochs")
        # Where no run of either gets there, none is seen to be sooner.
        yield sooner if crossing.reached.sel(norm=norm).any() else replace(sooner, answer=UNKNOWN)
    if "epoch_seconds_alone" in well:
        seconds = well.epoch_seconds_alone
        yield _ratio("run time", f"an epoch takes the same in both ({arm_label(PLAIN)})",
                     seconds.sel(model=CNN, norm=PLAIN), seconds.sel(model=MLP, norm=PLAIN), criteria)  # fmt: skip
        for model in (MLP, CNN):
            yield _ratio("run time", f"BN does not affect an epoch's time ({model})",
                         seconds.sel(model=model, norm=BN), seconds.sel(model=model, norm=PLAIN), criteria)  # fmt: skip


def _shares(dataset: xr.Dataset, criteria: Criteria) -> Iterator[Claim]:
    """BN's run time where the grid trained together: the runs' shares of their ensembles' times, paired."""
    if "train_seconds" not in dataset or "status" not in dataset:
        return
    seconds = dataset.train_seconds.where(dataset.status == Status.DONE)  # one that diverged stopped early
    for model in (MLP, CNN):
        ratio = np.log(seconds.sel(model=model, norm=BN) / seconds.sel(model=model, norm=PLAIN)).values
        # The runs of one ensemble have one time between them: each counts once.
        distinct = np.unique(ratio[np.isfinite(ratio)].round(6))
        if len(distinct):
            yield _times_as_many("run time", f"BN does not affect it where the grid trains together ({model})",
                                 distinct, criteria)  # fmt: skip


def _ratio(about: str, text: str, one: xr.DataArray, other: xr.DataArray, criteria: Criteria) -> Claim:
    """A ratio of times; one measurement gives no interval, and tells only what is far off."""
    return _times_as_many(about, text, np.atleast_1d(np.log(float(one) / float(other))), criteria)


def _times_as_many(about: str, text: str, logs: np.ndarray, criteria: Criteria) -> Claim:
    found = _same(about, text, logs, "times", criteria)
    estimate, low, high = (float(np.exp(end)) for end in (found.estimate, found.low, found.high))
    return Claim(about, text, estimate, low, high, "times", found.n, found.answer)


def _parameters(well: xr.Dataset) -> Iterator[Claim]:
    if "n_parameters" not in well:
        return
    count = well.n_parameters
    more = int(count.sel(model=MLP, norm=PLAIN)) - int(count.sel(model=CNN, norm=PLAIN))
    yield _exact("parameters", "the MLP has more than the CNN", more, more > 0)
    for model in (MLP, CNN):
        added = int(count.sel(model=model, norm=BN)) - int(count.sel(model=model, norm=PLAIN))
        yield _exact("parameters", f"BN does not affect their number ({model})", added, added == 0)


def _exact(about: str, text: str, found: int, holds: bool) -> Claim:
    return Claim(about, text, found, found, found, "parameters", 1, HOLDS if holds else FAILS)


def _accuracy(well: xr.Dataset, criteria: Criteria) -> Iterator[Claim]:
    accuracy = responses.final(well, "test_accuracy")
    for norm in (PLAIN, BN):
        found = _values(accuracy, CNN, norm) - _values(accuracy, MLP, norm)
        yield _more("accuracy", f"the CNN is better ({arm_label(norm)})", found, "1")
    for model in (MLP, CNN):
        found = _values(accuracy, model, BN) - _values(accuracy, model, PLAIN)
        yield _same("accuracy", f"BN does not affect it ({model})", found, "1", criteria)


def _overfitting(well: xr.Dataset, criteria: Criteria) -> Iterator[Claim]:
    if "train_accuracy" not in well:
        return
    for when, gap in (("last", responses.overfitting_gap(well)), ("best", responses.gap_at_best(well))):
        for norm in (PLAIN, BN):
            found = _values(gap, MLP, norm) - _values(gap, CNN, norm)
            yield _more("overfitting", f"the MLP overfits more, at the {when} epoch ({arm_label(norm)})", found, "1")
        for model in (MLP, CNN):
            found = _values(gap, model, BN) - _values(gap, model, PLAIN)
            yield _same("overfitting", f"BN does not affect it, at the {when} epoch ({model})", found, "1",
                        criteria)  # fmt: skip


def _robustness(results: Results) -> Iterator[Claim]:
    """BN at the reference, and at each poor init by its verdict."""
    dataset, criteria = results.dataset, results.criteria
    well = dataset.sel(init=criteria.reference).isel(FIRST)
    epochs = responses.epochs_to_target(well, criteria.target_accuracy).epochs
    never = responses.is_censored(well, criteria.target_accuracy).where(responses.observed(well)).mean("seed")
    judged = cells(results.assessment.isel(setting=[0]).sel(arm=[BN]), poor=True)
    for model in (MLP, CNN):
        saved = _values(epochs, model, PLAIN) - _values(epochs, model, BN)
        little = _same("effects of BN", f"little difference at the well init {criteria.reference} ({model})", saved,
                       "epochs", criteria)  # fmt: skip
        # Runs that never get there are all alike: that is no sign of a norm that changes nothing.
        unseen = little.answer == HOLDS and float(never.sel(model=model, norm=[PLAIN, BN]).max()) > 1 - ENOUGH + 1e-9
        yield replace(little, answer=UNKNOWN) if unseen else little
        for cell in judged:
            if cell["model"] == model:
                text = f"BN helps more at {cell['condition']} than at {criteria.reference} ({model})"
                ends = (cell["difference"], cell["difference_low"], cell["difference_high"])
                yield Claim("effects of BN", text, *ends, "halvings", cell["n"], MORE[cell["word"]])


def _values(response: xr.DataArray, model: str, norm: str) -> np.ndarray:
    return response.sel(model=model, norm=norm).values.astype(np.float64).round(7)


def _more(about: str, text: str, found: np.ndarray, unit: str) -> Claim:
    """A claim that a mean difference is above 0."""
    mean, low, high, n = _summary(found)
    answer = HOLDS if low > 0 else FAILS if high < 0 or (low == high == 0) else UNKNOWN
    return Claim(about, text, mean, low, high, unit, n, answer)


def _same(about: str, text: str, found: np.ndarray, unit: str, criteria: Criteria) -> Claim:
    """A claim that a mean difference is nothing to speak of."""
    margins = {"times": SECONDS_MARGIN, "epochs": criteria.equivalence_epochs, "1": criteria.equivalence_accuracy}
    margin = margins[unit]
    mean, low, high, n = _summary(found)
    within = inference.equivalence(found, margin) < criteria.alpha
    answer = HOLDS if within else FAILS if low > margin or high < -margin else UNKNOWN
    return Claim(about, text, mean, low, high, unit, n, answer)


def _summary(found: np.ndarray) -> tuple[float, float, float, int]:
    low, high = inference.interval(found)
    return float(inference.mean_difference(found)), float(low), float(high), int((~np.isnan(found)).sum())
