"""What readers call treatments, arms and conditions: the treatment's own words."""

from __future__ import annotations

from bnstudy.analysis.criteria import Criteria
from bnstudy.study import registry
from bnstudy.study.factors import BY_NAME

ARMS = {"none": "without BN", "batch": "with BN"}  # of norms


def arm_label(arm: str, treatment: str = "norm") -> str:
    """The name of an arm in tables and figures: a number goes with its factor, another level by its label."""
    if treatment == "norm":
        return ARMS.get(arm, arm)
    return f"{treatment.replace('_', ' ')} {arm}" if is_number(treatment) else arm


def treatment_name(arm: str, treatment: str) -> str:
    """What an arm is called in a sentence: ``Batch Normalization``; one that is not registered goes by its label."""
    factor = BY_NAME.get(treatment)
    family = arm.partition(":")[0]
    if treatment == "norm" and family in registry.norms:
        return registry.norms[family].label
    return arm_label(arm, treatment) if factor else arm


def condition_label(level: str, condition: str) -> str:
    """The name of a level of the condition: ``lr 0.1``, or the level alone where it says enough."""
    return f"{condition.replace('_', ' ')} {level}" if is_number(condition) else level


def is_number(factor: str) -> bool:
    """Whether a factor's levels are numbers, which say nothing without its name."""
    return factor in BY_NAME and BY_NAME[factor].dtype != "str"


def group_of(level: str, condition: str) -> str:
    """What is amiss at a level of the condition, as a clause such as ``weights are too small``; empty if nobody says.

    An initializer's entry says it under ``amiss``: a text, or a function of the level's value that gives one.
    """
    if condition != "init" or level.partition(":")[0] not in registry.initializers:
        return ""
    entry = registry.initializers[level.partition(":")[0]]
    says = entry.about.get("amiss", "")
    return str(says(registry.initializers.value(registry.initializers.level(level))) if callable(says) else says)


def criteria_words(criteria: Criteria) -> dict[str, str]:
    """The words of a question: ``treatment``, ``condition`` and ``control`` as they are told."""
    names = {"norm": "normalization layer", "init": "initialization", "lr": "learning rate"}
    return {
        "treatment": names.get(criteria.treatment, criteria.treatment.replace("_", " ")),
        "condition": names.get(criteria.condition, criteria.condition.replace("_", " ")),
        "control": arm_label(criteria.control, criteria.treatment),
    }
