"""What a study asks, and by what its answer is judged: declared before anything runs, and part of the study's hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from bnstudy.study import registry
from bnstudy.study.errors import InputError
from bnstudy.study.factors import BY_NAME, Factor
from bnstudy.study.fields import Count, Number, below_one, items

Role = Literal["well", "poor"]
ROLES = get_args(Role)
CONTROLS = {"norm": "none"}  # of treatments that have a natural one
Looks = tuple[Annotated[Count, Field(ge=1)], ...]


class Question(BaseModel):
    """Whether a treatment matters mainly under a condition.

    Attributes
    ----------
    treatment, control : str
        The factor whose effect is asked about, and its level that the others are compared with.
    condition, reference : str
        The factor under which it may matter, and its level declared well that the poor ones are compared with.
    roles : dict of str to str
        Each level of the condition: ``well`` or ``poor``.
    mainly_times : float
        How many times the reference's gain a gain has to be for the word *mainly*.
    margin : float
        The gain, in halvings of the error, below which it counts as none.
    alpha : float
        Share of studies that may hold a false word of difference, and likewise of sameness.
    looks : tuple of int
        Numbers of seeds at which the results are looked at; empty for once, at the end.
    target_accuracy : float
        Test accuracy whose first crossing is timed, for those who want to see epochs.
    equivalence_epochs, equivalence_accuracy : float
        Within which means count as equal where the report's claims are judged.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    question: str = ""
    treatment: str = "norm"
    control: str = ""
    condition: str = "init"
    reference: str = ""
    roles: dict[str, Role] = Field(default_factory=dict)
    mainly_times: Annotated[Number, Field(ge=1, le=1000)] = 2.0
    margin: Annotated[Number, Field(gt=0, lt=10)] = 0.15
    alpha: Annotated[Number, Field(gt=0, lt=0.5)] = 0.05
    looks: Looks = ()
    target_accuracy: Annotated[Number, Field(gt=0, lt=1), AfterValidator(below_one)] = 0.98
    equivalence_epochs: Annotated[Number, Field(gt=0, allow_inf_nan=False)] = 2.0
    equivalence_accuracy: Annotated[Number, Field(gt=0, lt=1)] = 0.002

    @field_validator("treatment", "condition")
    @classmethod
    def _is_factor(cls, name: str) -> str:
        if name not in BY_NAME:
            raise ValueError(f"must be one of {', '.join(BY_NAME)}, not {name[:60]!r}")
        return name

    @field_validator("control", "reference", mode="before")
    @classmethod
    def _as_text(cls, level: Any) -> Any:
        """A level that is a number may be written as one."""
        return str(level) if isinstance(level, (int, float)) and not isinstance(level, bool) else level

    @field_validator("looks", mode="before")
    @classmethod
    def _rising(cls, looks: Any) -> Any:
        listed = items(looks) if looks not in ((), []) else ()
        try:
            numbers = [int(look) for look in listed]
        except (TypeError, ValueError):
            return listed  # told by the field itself
        if any(later <= earlier for earlier, later in pairwise(numbers)):
            raise ValueError("must rise: numbers of seeds at which one looks, such as 10,20")
        return listed

    def declare(self, levels: Mapping[str, Sequence[Any]]) -> None:
        """Spell the question out over the levels of a study's factors, so that what is stored says what was declared.

        Parameters
        ----------
        levels : mapping
            The levels of each factor, by its name.

        Raises
        ------
        InputError
            A level that is named is not there, or one that is needed is not named.
        """
        if self.treatment == self.condition:
            raise InputError(f"must be another factor than the treatment, which is {self.treatment}", "condition")
        treatment, condition = BY_NAME[self.treatment], BY_NAME[self.condition]
        for factor in (treatment, condition):
            told = level_texts(factor, levels[factor.name])
            if len(set(told)) < len(told):
                raise InputError("has levels that are told alike, to six digits; leave one away", factor.key)
        put = object.__setattr__  # the model is frozen
        put(self, "control", self._control(treatment, level_texts(treatment, levels[treatment.name])))
        texts = level_texts(condition, levels[condition.name])
        roles: dict[str, Role] = {}
        for said, role in self.roles.items():
            level = _level(condition, said, "roles", texts)
            if roles.setdefault(level, role) != role:
                raise InputError(f"{level!r} is declared twice, well and poor", "roles")
        reference = _level(condition, self.reference, "reference", texts) if self.reference else ""
        if condition.name != "init" and len(texts) > 1 and not reference and "well" not in roles.values():
            raise InputError(
                f"name the level of {condition.key} that is good, which the others are compared with: "
                f"{', '.join(texts[:8])}", "reference",
            )  # fmt: skip
        usual = default_role if condition.name == "init" else lambda label: "poor"
        if reference:  # to name it is to declare it well
            roles.setdefault(reference, "well")
        put(self, "roles", {label: roles.get(label) or usual(label) for label in texts})
        if reference and self.roles[reference] != "well":
            raise InputError(f"{reference!r} is declared poor; the reference is a level declared well", "reference")
        well = [label for label in texts if self.roles[label] == "well"]
        put(self, "reference", reference or (well[0] if well else ""))

    def _control(self, treatment: Factor, texts: Sequence[str]) -> str:
        usual = CONTROLS.get(treatment.name, "")
        if not self.control:
            if usual in texts or len(texts) == 1 or treatment.name in CONTROLS:
                return usual if usual in texts else ""
            raise InputError(
                f"name the level of {treatment.key} that the others are compared with: {', '.join(texts[:8])}",
                "control",
            )
        return _level(treatment, self.control, "control", texts)


def level_texts(factor: Factor, levels: Sequence[Any]) -> list[str]:
    """Levels of a factor as they are told; numbers as ``%g`` writes them."""
    return [factor.text(level) for level in levels]


def _level(factor: Factor, label: str, key: str, texts: Sequence[str]) -> str:
    """The canonical spelling of one of a factor's levels; InputError names the key it stands under."""
    try:
        level = factor.text(factor.registry.level(label).label if factor.registry else float(label))
    except InputError as error:
        raise InputError(error.problem, key, error.topic) from None
    except ValueError:
        raise InputError(f"{label[:60]!r} is no number, as the levels of {factor.key} are", key) from None
    if level not in texts:
        raise InputError(f"{level!r} is not a level of {factor.key}, which are {', '.join(texts[:8])}", key)
    return level


def default_role(label: str) -> Role:
    """The role of an initializer level where a study declares none: what its entry says, poor where that is silent."""
    level = registry.initializers.level(label)
    role = registry.initializers[level.family].about.get("role", "poor")
    declared = role(registry.initializers.value(level)) if callable(role) else role
    if declared not in ROLES:
        raise InputError(f"{label!r} is registered with the role {str(declared)[:60]!r}, not well or poor", "inits")
    return declared
