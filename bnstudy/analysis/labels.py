"""What readers call treatments, arms and conditions: the treatment's own words."""

from __future__ import annotations

import math

from bnstudy.study import registry

ARMS = {"none": "without BN", "batch": "with BN"}  # of norms

TRUTHS = ("True", "False")


def arm_label(arm: str, treatment: str = "norm") -> str:
    """The name of an arm in tables and figures: a number goes with its factor, another level by its label."""
    return ARMS.get(arm, arm) if treatment == "norm" else condition_label(arm, treatment)


def treatment_name(arm: str, treatment: str) -> str:
    """What an arm is called in a sentence: ``Batch Normalization``; one that is not registered goes by its label."""
    family = arm.partition(":")[0]
    if treatment == "norm" and family in registry.norms:
        return registry.norms[family].label
    return arm_label(arm, treatment)


def condition_label(level: str, factor: str) -> str:
    """The name of a level: ``lr 0.1`` of a number or a truth, which says nothing alone; else the level."""
    return level if math.isnan(number(level)) and level not in TRUTHS else f"{factor.replace('_', ' ')} {level}"


def number(level: str) -> float:
    """The number that a level is; NaN where it is none, and where it is infinite."""
    try:
        value = float(level)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def amiss(level: str, condition: str, exactly: bool = False) -> str:
    """What is amiss at a level of the condition, as a clause such as ``weights are too small``; empty if nobody says.

    An initializer's entry says it under ``amiss``, and of this very level under ``exactly``: a text, or a function of
    the level's value that gives one.
    """
    family = level.partition(":")[0]
    if condition != "init" or family not in registry.initializers:
        return ""
    says = registry.initializers[family].about.get("exactly" if exactly else "amiss", "")
    return str(says(registry.initializers.value(registry.initializers.level(level))) if callable(says) else says)
