"""The answer in words: one or two sentences a model, for somebody who has never seen a gain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

from bnstudy.analysis.assessment import NEITHER, TOO_FEW, cells
from bnstudy.analysis.labels import arm_label, condition_label, group_of, treatment_name

Cell = Mapping[str, Any]


def sentences(result: xr.Dataset) -> dict[str, str]:
    """What is found of each model; several where there are several treated arms or settings."""
    families: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells(result):
        families.setdefault((cell["model"], cell["setting"], cell["arm"]), []).append(cell)
    told: dict[str, list[str]] = {}
    for (model, setting, arm), family in families.items():
        told.setdefault(model, []).append(_sentence(setting, arm, family, result.attrs))
    return {model: " ".join(texts) for model, texts in told.items()}


def _sentence(setting: str, arm: str, family: Sequence[Cell], attributes: Mapping[str, Any]) -> str:
    name = treatment_name(arm, attributes["treatment"])
    where = f"With {setting}, " if setting else ""
    poor = [cell for cell in family if cell["role"] == "poor" and cell["n"]]
    reference = next((cell for cell in family if cell["condition"] == attributes["reference"]), None)
    if not poor:
        return f"{where}{name}: there is nothing to judge yet."
    by_word = {word: [cell for cell in poor if cell["word"] == word] for word in
               ("mainly", "more", "alike", "less", "harms", "none", "unclear")}  # fmt: skip
    parts = [text for text in (
        _matters(name, by_word["mainly"], reference, attributes),
        _more(name, by_word["more"], reference, attributes, bool(by_word["mainly"])),
        _said("makes the same difference as at {reference}", by_word["alike"], attributes),
        _said("helps less than at {reference}", by_word["less"], attributes),
        _said("does harm", by_word["harms"], attributes),
        _none(by_word["none"], attributes),
    ) if text]  # fmt: skip
    unclear = _unclear(by_word["unclear"], attributes)
    if not parts:
        return f"{where}{name}: {unclear}." if where else f"{name}: {unclear}."
    subject = parts[0] if parts[0].startswith(name) else f"{name} {parts[0]}"
    rest = [text.removeprefix(f"{name} ") for text in parts[1:]]
    first = f"{where}{subject}."
    second = "; it ".join(rest)
    more = f" It {second}." if second else ""
    return first + more + (f" {unclear[0].upper()}{unclear[1:]}." if unclear else "")


def _matters(name: str, found: Sequence[Cell], reference: Cell | None, attributes: Mapping[str, Any]) -> str:
    if not found:
        return ""
    return f"{name} matters mainly {_where(found, attributes)}: {_factors(found, reference, attributes)}"


def _more(name: str, found: Sequence[Cell], reference: Cell | None, attributes: Mapping[str, Any], told: bool) -> str:
    if not found:
        return ""
    helps = f"{name} helps more than at {_reference(attributes)} {_where(found, attributes)}"
    return helps if told else f"{helps}: {_factors(found, reference, attributes)}"


def _factors(found: Sequence[Cell], reference: Cell | None, attributes: Mapping[str, Any]) -> str:
    """How many times smaller the error is, averaged over the training, there and at the reference."""
    control = arm_label(attributes["control"], attributes["treatment"])
    low, high = (_times(end(cell["gain"] for cell in found)) for end in (min, max))
    there = low if low == high else f"{low} to {high}"
    at = "" if reference is None or math.isnan(reference["gain"]) else (
        f", and {_times(reference['gain'])} times at {_reference(attributes)}"
    )  # fmt: skip
    return f"there the error is {there} times smaller over the training than {_against(control)}{at}"


def _against(control: str) -> str:
    return "without it" if control.startswith("without") else f"with {control}"


def _times(gain: float) -> str:
    factor = 2.0**gain
    return f"{factor:.0f}" if factor >= 10 else f"{factor:.1f}"


def _said(what: str, found: Sequence[Cell], attributes: Mapping[str, Any]) -> str:
    return f"{what.format(reference=_reference(attributes))} {_where(found, attributes)}" if found else ""


def _none(found: Sequence[Cell], attributes: Mapping[str, Any]) -> str:
    if not found:
        return ""
    dead = [cell for cell in found if cell["remark"] == NEITHER]
    others = [cell for cell in found if cell["remark"] != NEITHER]
    texts = []
    if others:
        texts.append(f"makes no difference {_where(others, attributes)}")
    if dead:
        texts.append(f"cannot help {_where(dead, attributes)}, where {_neither(attributes)}")
    return ", and ".join(texts)


def _neither(attributes: Mapping[str, Any]) -> str:
    control = arm_label(attributes["control"], attributes["treatment"])
    return f"nothing learns with it or {control if not control.startswith('without') else 'without'}"


def _unclear(found: Sequence[Cell], attributes: Mapping[str, Any]) -> str:
    if not found:
        return ""
    few = all(cell["remark"] == TOO_FEW for cell in found)
    why = f"{max(cell['n'] for cell in found)} seeds are too few to tell" if few else "the data cannot tell"
    return f"{why} {_where(found, attributes)}"


def _reference(attributes: Mapping[str, Any]) -> str:
    return condition_label(attributes["reference"], attributes["condition"]) or "the reference"


def _where(found: Sequence[Cell], attributes: Mapping[str, Any]) -> str:
    """Where something holds: ``where weights are too small (scaled-normal:0.01) or too large (large-variance)``."""
    groups: dict[str, list[str]] = {}
    for cell in found:
        group = group_of(cell["condition"], attributes["condition"])
        groups.setdefault(group, []).append(condition_label(cell["condition"], attributes["condition"]))
    texts, said = [], ""
    for group, levels in sorted(groups.items(), key=lambda item: item[0] == ""):
        if not group:
            texts.append(f"at {_listed(_once(levels, attributes['condition']))}")
            continue
        subject, _, predicate = group.partition(" are ")
        shown = predicate if said == subject else f"where {group}"
        said = subject
        texts.append(f"{shown} ({', '.join(levels)})")
    return " and ".join(texts) if len(texts) < 3 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _once(levels: list[str], condition: str) -> list[str]:
    """Numbers of one factor, which is named with the first alone: ``lr 0.1``, ``1``."""
    name = f"{condition.replace('_', ' ')} "
    return [levels[0], *(level.removeprefix(name) for level in levels[1:])]
