"""The verdict under every reasonable choice: a specification curve (Simonsohn et al. 2020, Nat. Hum. Behav. 4:1208).

It shows how far a word hangs on what was chosen: the response, the budget of epochs, the reference, the learning rate.
It is a display, and no test: the choices are neither independent nor equally good.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from bnstudy.analysis import responses, scores, verdict
from bnstudy.analysis.criteria import Criteria
from bnstudy.analysis.effects import effects
from bnstudy.analysis.normal_form import setting_levels

if TYPE_CHECKING:
    from bnstudy.analysis.results import Results

BUDGETS = (1.0, 0.5, 0.25)  # of the epochs
DECLARED = "log error"  # the response by which a study is judged


@dataclass(frozen=True)
class Response:
    """One number a run by which a study could have been judged.

    Attributes
    ----------
    name, unit : str
        What it is called, and the unit of its values.
    of : function
        ``(runs, criteria)`` gives it for every run, over model, setting, condition, arm and seed: the lower, the
        better; NaN where it says nothing.
    margin : function
        The difference, in `unit`, that counts as none for ``criteria``.
    """

    name: str
    unit: str
    of: Callable[[xr.Dataset, Criteria], xr.DataArray]
    margin: Callable[[Criteria], float]


def _of_errors(name: str, best: bool, of: Callable[[xr.DataArray], xr.DataArray]) -> Response:
    return Response(name, "halvings", lambda runs, _: of(scores.error(runs, best=best)).round(scores.DIGITS),
                    lambda criteria: criteria.margin)  # fmt: skip


def _log_error(error: xr.DataArray) -> xr.DataArray:
    return error.copy(data=np.log2(error.values)).mean("epoch", skipna=False)


def _log_odds(error: xr.DataArray) -> xr.DataArray:
    return error.copy(data=np.log2(error.values / (1 - error.values))).mean("epoch", skipna=False)


def _final_log_error(error: xr.DataArray) -> xr.DataArray:
    return _log_error(error.isel(epoch=[-1]))


def _epochs(name: str, times: float) -> Response:
    """Epochs until the error falls below so many times what the study's target leaves."""

    def of(runs: xr.Dataset, criteria: Criteria) -> xr.DataArray:
        crossing = responses.epochs_to_target(runs, 1 - (1 - criteria.target_accuracy) * times)
        # Where no run of any arm gets there the epochs say nothing.
        return crossing.epochs.where(crossing.reached.any(["arm", "seed"]))

    return Response(name, "epochs", of, lambda criteria: criteria.equivalence_epochs)


RESPONSES = (
    _of_errors(DECLARED, False, _log_error),
    _of_errors("best log error", True, _log_error),
    _of_errors("log odds", False, _log_odds),
    _of_errors("best log odds", True, _log_odds),
    _of_errors("final log error", False, _final_log_error),
    _of_errors("best final log error", True, _final_log_error),
    Response("final accuracy", "1", lambda runs, _: -responses.final(runs, "test_accuracy").round(7),
             lambda criteria: criteria.equivalence_accuracy),
    _epochs("epochs to the target", 1.0),
    _epochs("epochs to half its error", 0.5),
    _epochs("epochs to twice its error", 2.0),
)  # fmt: skip


@dataclass(frozen=True)
class Specification:
    """One way to judge a comparison, and what it says.

    Attributes
    ----------
    model, setting, arm, condition : str
        The comparison; the setting without its learning rate.
    response, budget, reference, rate : str
        The choices.
    gain, gain_low, gain_high : float
        Median and 95 % interval, in units of the margin that counts as none.
    word : str
        The verdict.
    """

    model: str
    setting: str
    arm: str
    condition: str
    response: str
    budget: str
    reference: str
    rate: str
    gain: float
    gain_low: float
    gain_high: float
    word: str


CHOICES = ("response", "budget", "reference", "rate")


def multiverse(results: Results) -> list[Specification]:
    """Every specification of every comparison of a study that compares a treatment with its control."""
    criteria = results.criteria
    well = [level for level, role in criteria.roles.items() if role == "well"] or [criteria.reference]
    told = []
    for rate, setting, runs in _at_rates(results):
        for share in BUDGETS:
            epochs = max(1, round(share * runs.sizes["epoch"]))
            if share < 1 and epochs == runs.sizes["epoch"]:
                continue
            for response in RESPONSES:
                name, margin = response.name, response.margin(criteria)
                values = response.of(runs.isel(epoch=slice(epochs)), criteria)
                of = values.transpose("model", "setting", "condition", "arm", "seed").isel(setting=0)
                for reference in well:
                    told += _specified(of, criteria, reference, margin, (setting, name, f"{epochs} epochs", rate))
    return told


def _specified(
    values: xr.DataArray, criteria: Criteria, reference: str, margin: float, labels: tuple[str, str, str, str]
) -> list[Specification]:
    """Every comparison under one choice, whose labels are those of setting, response, budget and rate."""
    setting, name, budget, rate = labels
    models, conditions, arms = (list(map(str, values[dim].values)) for dim in ("model", "condition", "arm"))
    poor = np.array([criteria.roles.get(level) == "poor" for level in conditions])
    place = conditions.index(reference) if reference in conditions else None
    numbers = values.values
    control = numbers[..., arms.index(criteria.control), :]
    told = []
    for arm in (one for one in arms if one != criteria.control):
        treated = numbers[..., arms.index(arm), :]
        found = effects(control, treated, place, criteria.mainly_times, margin, criteria.paired)
        words = verdict.words(verdict.adjusted(found, poor), poor, criteria.level)
        ends = [values / margin for values in (found.gain, found.gain_low, found.gain_high)]
        told += [
            Specification(model, setting, arm, conditions[c], name, budget, reference, rate, float(ends[0][m, c]),
                          float(ends[1][m, c]), float(ends[2][m, c]), str(words[m, c]))
            for m, model in enumerate(models) for c in np.flatnonzero(poor)
        ]  # fmt: skip
    return told


def _at_rates(results: Results) -> Iterator[tuple[str, str, xr.Dataset]]:
    """Every setting as its learning rate, what else it is, and its runs; and what validation selects."""
    runs = results.runs
    for place, levels in enumerate(setting_levels(runs)):
        yield *_parted(str(runs.setting.values[place]), levels), runs.isel(setting=[place])
    if results.can_select:
        chosen = results.at_selected_rates.runs
        for place in range(chosen.sizes["setting"]):
            yield "selected", str(chosen.setting.values[place]), chosen.isel(setting=[place])


def _parted(label: str, levels: dict[str, Any]) -> tuple[str, str]:
    """A setting's learning rate, as ``lr 0.1``, and the rest of its label."""
    parts = label.split(", ") if label else []
    rate = [part for part in parts if part.startswith("lr ")]
    known = f"lr {levels['lr']:g}" if isinstance(levels.get("lr"), float) else ""
    return (rate or [known])[0], ", ".join(part for part in parts if part not in rate)


def shares(told: list[Specification]) -> list[dict[str, Any]]:
    """How often each word is said of a comparison, over all specifications: a row a comparison, as plain values."""
    grouped: dict[tuple[str, ...], Counter[str]] = {}
    for one in told:
        grouped.setdefault((one.model, one.setting, one.arm, one.condition), Counter())[one.word] += 1
    return [
        {"model": model, "setting": setting, "treatment": arm, "condition": condition,
         "specifications": sum(counts.values()), "words": dict(counts.most_common())}
        for (model, setting, arm, condition), counts in grouped.items()
    ]  # fmt: skip


def plain(told: list[Specification]) -> list[dict[str, Any]]:
    """Specifications as plain values; None for what is not there."""
    return [{key: None if isinstance(value, float) and not np.isfinite(value) else value
             for key, value in asdict(one).items()} for one in told]  # fmt: skip
