"""The answer in words: two or three short sentences a model, for somebody who has never seen a gain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

from bnstudy.analysis.assessment import NEITHER, TOO_FEW, cells
from bnstudy.analysis.labels import amiss, arm_label, condition_label, treatment_name

Cell = Mapping[str, Any]
MOST_HALVINGS = 20  # that are told as a number of times


def sentences(result: xr.Dataset) -> dict[str, str]:
    """What is found of each model, in one text."""
    told: dict[str, list[str]] = {}
    for model, text in answers(result):
        told.setdefault(model, []).append(text)
    return {model: " ".join(texts) for model, texts in told.items()}


def answers(result: xr.Dataset) -> list[tuple[str, str]]:
    """What is found, a text each of a model, setting and treated arm, with the model's label."""
    families: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells(result):
        families.setdefault((cell["model"], cell["setting"], cell["arm"]), []).append(cell)
    told = []
    for (model, setting, arm), family in families.items():
        levels = result.attrs["settings"][family[0]["setting_index"]]
        shown = ", ".join(f"init {part}" if part == levels.get("init") else part for part in setting.split(", "))
        given = [text for text in (result.attrs.get("so_far", ""), shown) if text]
        where = f"With {' and '.join(given)}, " if given else ""
        told.append((model, where + _Answer(arm, family, result.attrs).text()))
    return told


class _Answer:
    """What is found of one treated arm of one model and setting."""

    def __init__(self, arm: str, family: Sequence[Cell], attributes: Mapping[str, Any]) -> None:
        self.name = treatment_name(arm, attributes["treatment"])
        self.control = arm_label(attributes["control"], attributes["treatment"])
        self.condition = attributes["condition"]
        self.reference = condition_label(attributes["reference"], self.condition) or "the reference"
        self.at_reference = next((cell for cell in family if cell["condition"] == attributes["reference"]), None)
        self.poor = [cell for cell in family if cell["role"] == "poor" and cell["n"]]

    def text(self) -> str:
        """All of it: what matters, what else was found, what is not known."""
        if not self.poor:
            return f"{self.name} cannot be judged yet."
        mainly, more = self._said("mainly"), self._said("more")
        parts = []
        if mainly:
            parts.append(f"matters mainly {self._where(mainly)}: {self._times(mainly)}{self._though(mainly)}")
        if more:
            parts.append(f"helps more {self._where(more)} than at {self.reference}"
                         + ("" if mainly else f": {self._times(more)}") + self._though(more))  # fmt: skip
        if harms := self._said("harms"):
            parts.append(f"does harm {self._where(harms)}")
        if less := self._said("less"):
            parts.append(f"gains less {self._where(less)} than at {self.reference}")
        if alike := self._said("alike"):
            parts.append(f"does about the same {self._where(alike)} as at {self.reference}")
        nothing = [cell for cell in self._said("none") if cell["remark"] == NEITHER]
        if none := [cell for cell in self._said("none") if cell["remark"] != NEITHER]:
            parts.append(f"makes no difference {self._where(none)}")
        if nothing:
            parts.append(f"makes no difference {self._where(nothing)}: there every run{self._fails()}")
        unclear = self._unclear()
        if not parts:
            return f"{self.name}: {unclear}."
        texts = [f"{self.name} {parts[0]}."]
        if parts[1:]:
            texts.append(f"It {'; it '.join(parts[1:])}.")
        if unclear:
            texts.append(f"{unclear[0].upper()}{unclear[1:]}.")
        return " ".join(texts)

    def _though(self, found: Sequence[Cell]) -> str:
        """Where a gain is no more than a lower error of runs that learn next to nothing."""
        nothing = [cell for cell in found if cell["remark"] == NEITHER]
        return f", though every run {self._where(nothing)}{self._fails()}" if nothing else ""

    def _said(self, word: str) -> list[Cell]:
        return [cell for cell in self.poor if cell["word"] == word]

    def _times(self, found: Sequence[Cell]) -> str:
        """How many times smaller the error is, averaged over the training, there and at the reference."""
        low, high = (_factor(end(cell["gain"] for cell in found)) for end in (min, max))
        against = "without it" if self.control.startswith("without") else f"with {self.control}"
        there = f"there the error is {low if low == high else f'{low} to {high}'} times smaller than {against}"
        if self.at_reference is None or math.isnan(self.at_reference["gain"]):
            return there
        gain = self.at_reference["gain"]
        larger = " larger" if _factor(gain) != _factor(0) and gain < 0 else ""
        return f"{there}, and {_factor(abs(gain) if larger else gain)} times{larger} at {self.reference}"

    def _fails(self) -> str:
        """What was seen of runs that fail: that longer training would not help is not known."""
        either = "with it or without" if self.control.startswith("without") else f"with it or {self.control}"
        return f", {either}, diverges or never gets below half the error of guessing in the time trained"

    def _unclear(self) -> str:
        found = self._said("unclear")
        if not found:
            return ""
        if all(cell["remark"] == TOO_FEW for cell in found):
            n = max(cell["n"] for cell in found)
            return f"{n} seed{'s are' if n > 1 else ' is'} too few to tell {self._where(found)}"
        return f"it is not settled {self._where(found)}"

    def _where(self, found: Sequence[Cell]) -> str:
        """Where something holds, such as ``where weights are too large or 1,000 times too small, and at zero-hidden``.

        A group of levels is named where it holds of all of them that are poor.
        """
        labels = [cell["condition"] for cell in found]
        groups: dict[str, list[str]] = {}
        for cell in self.poor:
            groups.setdefault(amiss(cell["condition"], self.condition), []).append(cell["condition"])
        clauses, others = [], []
        for label in labels:
            group = amiss(label, self.condition)
            whole = group and all(level in labels for level in groups[group])
            clause = group if whole else amiss(label, self.condition, exactly=True)
            clauses += [clause] if clause else []
            others += [] if clause else [label]
        texts = []
        if clauses:
            texts.append(f"where {_alternatives(list(dict.fromkeys(clauses)))}")
        if others:
            texts.append(f"at {_listed(_once(others, self.condition), 'and')}")
        return " and ".join(texts)


def _factor(gain: float) -> str:
    if gain > MOST_HALVINGS:
        return f"2^{gain:.0f}"
    factor = 2.0**gain
    return f"{factor:.0f}" if factor >= 10 else f"{factor:.1f}"


def _alternatives(clauses: Sequence[str]) -> str:
    """Clauses, of which those of one subject share it: ``weights are too large or 10 times too small``."""
    subjects: dict[str, list[str]] = {}
    for clause in clauses:
        subject, verb, rest = clause.partition(" are ")
        subjects.setdefault(subject + verb, []).append(rest)
    return _listed([subject + _listed(rests, "or") for subject, rests in subjects.items()], "and where")


def _listed(names: Sequence[str], last: str) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}"


def _once(levels: Sequence[str], condition: str) -> list[str]:
    """Levels as they are told; of numbers the factor is named with the first alone: ``lr 0.1``, ``1``."""
    told = [condition_label(level, condition) for level in levels]
    return [told[0], *(text.removeprefix(f"{condition.replace('_', ' ')} ") for text in told[1:])]
