"""Predictions that check themselves: what was expected, what was found, and whether it held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import xarray as xr

from bnstudy.analysis.assessment import cells
from bnstudy.study.predictions import Expectation, Prediction

HELD, FAILED, UNKNOWN = "yes", "no", "cannot tell"
LEVEL = 0.025  # of a sign at a level that is not poor, which no verdict is given for


@dataclass(frozen=True)
class Checked:
    """One expectation of one comparison.

    Attributes
    ----------
    prediction : str
        The prediction, in words.
    model, setting, arm, condition : str
        The comparison.
    expected, found, held : str
        In a word each; held is ``yes``, ``no`` or ``cannot tell``.
    """

    prediction: str
    model: str
    setting: str
    arm: str
    condition: str
    expected: str
    found: str
    held: str


def checked(result: xr.Dataset, declared: Mapping[str, Any]) -> list[Checked]:
    """Every expectation of a study's predictions, against its assessment.

    Parameters
    ----------
    result : Dataset
        The assessment.
    declared : mapping
        The study's own settings.
    """
    listed = cells(result)
    told = []
    for said in declared.get("predictions", []):
        if isinstance(said, Mapping):
            prediction = Prediction.model_validate(said)
            for expectation in prediction.expect:
                about = list(_about(expectation, listed))
                told += [_check(prediction.text, expectation, cell) for cell in about]
                if not about:
                    told.append(_unmet(prediction.text, expectation))
    return told


def _about(expectation: Expectation, listed: list[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for cell in listed:
        wanted = {"model": expectation.model, "setting": expectation.setting, "arm": expectation.treatment}
        if cell["condition"] in expectation.condition and all(
            not level or cell[name] == level for name, level in wanted.items()
        ):
            yield cell


def _unmet(text: str, expectation: Expectation) -> Checked:
    """Of an expectation that no comparison is about."""
    return Checked(text, expectation.model, expectation.setting, expectation.treatment,
                   ", ".join(expectation.condition), expectation.text, "not there", UNKNOWN)  # fmt: skip


def _check(text: str, expectation: Expectation, cell: Mapping[str, Any]) -> Checked:
    found = cell["word"] if expectation.verdict else _sign(cell)
    wanted = expectation.verdict or (expectation.sign,)
    held = HELD if found in wanted else UNKNOWN if found in ("unclear", "") else FAILED
    return Checked(text, cell["model"], cell["setting"], cell["arm"], cell["condition"], expectation.text,
                   found or "not judged", held)  # fmt: skip


def _sign(cell: Mapping[str, Any]) -> str:
    """``gain`` or ``loss`` where the interval says so; ``none`` where it is shown to be smaller than the margin."""
    if cell["word"] == "none" or (not cell["word"] and cell["p_none"] <= LEVEL):
        return "none"
    return "gain" if cell["gain_low"] > 0 else "loss" if cell["gain_high"] < 0 else "unclear"
