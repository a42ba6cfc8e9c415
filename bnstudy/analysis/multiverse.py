"""The verdict under every reasonable choice: a specification curve (Simonsohn et al. 2020, Nat. Hum. Behav. 4:1208).

It shows how far a word hangs on what was chosen: the response, the budget of epochs, the reference, the learning rate.
It is a display, and no test: the choices are neither independent nor equally good.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from bnstudy.analysis import responses, scores
from bnstudy.analysis.assessment import Scores, assess_scores, cells
from bnstudy.analysis.criteria import Criteria
from bnstudy.analysis.normal_form import setting_levels

if TYPE_CHECKING:
    from bnstudy.analysis.results import Results

BUDGETS = (1.0, 0.5, 0.25)  # of the epochs
TARGETS = (0.5, 1.0, 2.0)  # times the error that the study's target leaves
DECLARED = "log error"  # the response by which a study is judged


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
    """Every specification of every comparison of a study; its InputErrors as those of an assessment."""
    criteria = results.criteria
    well = [level for level, role in criteria.roles.items() if role == "well"] or [criteria.reference]
    told = []
    for rate, setting, runs in _at_rates(results):
        for share in BUDGETS:
            epochs = max(1, round(share * runs.sizes["epoch"]))
            if share < 1 and epochs == runs.sizes["epoch"]:
                continue
            for name, values, margin in _responses(runs.isel(epoch=slice(epochs)), criteria):
                for reference in well:
                    asked = replace(criteria, reference=reference)
                    judged = assess_scores(_scored(values), asked, margin)
                    told += [
                        Specification(
                            cell["model"], setting, cell["arm"], cell["condition"], name, f"{epochs} epochs", reference,
                            rate, cell["gain"] / margin, cell["gain_low"] / margin, cell["gain_high"] / margin,
                            cell["word"],
                        ) for cell in cells(judged, poor=True)
                    ]  # fmt: skip
    return told


def _scored(values: xr.DataArray) -> Scores:
    return Scores(values, values.isnull() & False, [{}] * values.sizes["setting"])


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


def _responses(runs: xr.Dataset, criteria: Criteria) -> Iterator[tuple[str, xr.DataArray, float]]:
    """Each response as a number a run, the lower the better, with its margin."""
    for best, which in ((False, ""), (True, "best ")):
        error = scores.error(runs, best=best)
        logs = error.copy(data=np.log2(error.values))
        yield f"{which}{DECLARED}", _mean(logs), criteria.margin
        yield f"{which}log odds", _mean(error.copy(data=np.log2(error.values / (1 - error.values)))), criteria.margin
        yield f"{which}final log error", logs.isel(epoch=-1, drop=True).round(scores.DIGITS), criteria.margin
    yield "final accuracy", -responses.final(runs, "test_accuracy").round(7), criteria.equivalence_accuracy
    for times in TARGETS:
        target = 1 - (1 - criteria.target_accuracy) * times
        if 0 < target < 1:
            crossing = responses.epochs_to_target(runs, target)
            # Where no run of any arm gets there the epochs say nothing.
            told = crossing.epochs.where(crossing.reached.any(["arm", "seed"]))
            yield f"epochs to {100 * target:g} %", told, criteria.equivalence_epochs


def _mean(values: xr.DataArray) -> xr.DataArray:
    return values.mean("epoch", skipna=False).round(scores.DIGITS)


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
