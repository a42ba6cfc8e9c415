"""What a study declared before it ran: what is compared with what, and by what the results are judged."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
import xarray as xr

from bnstudy.study.errors import InputError, first_line
from bnstudy.study.factors import BY_NAME
from bnstudy.study.study import Study, digest_of


@dataclass(frozen=True)
class Criteria:
    """A study's question and the settings of its analysis.

    Attributes
    ----------
    treatment, control : str
        The factor whose effect is asked about, and the level that its others are compared with.
    condition, reference : str
        The factor under which it may matter, and the level declared well that the poor ones are compared with; the
        reference is empty where there is none.
    roles : mapping of str to str
        What each level of the condition was declared: ``well`` or ``poor``.
    mainly_times : float
        How many times the reference's gain a gain has to be for the word *mainly*.
    margin : float
        The gain, in halvings of the error, below which it counts as none.
    alpha : float
        Share of studies that may hold a false word of difference, and likewise of sameness.
    looks : tuple of int
        Numbers of seeds at which the results were to be looked at; empty for once.
    target_accuracy : float
        Test accuracy whose first crossing is timed.
    equivalence_epochs, equivalence_accuracy : float
        Margins within which means count as equal, in the report's claims.
    paired : bool
        Whether the runs of one seed are pairs.
    """

    treatment: str = "norm"
    control: str = "none"
    condition: str = "init"
    reference: str = ""
    roles: Mapping[str, str] = field(default_factory=dict)
    mainly_times: float = 2.0
    margin: float = 0.15
    alpha: float = 0.05
    looks: tuple[int, ...] = ()
    target_accuracy: float = 0.98
    equivalence_epochs: float = 2.0
    equivalence_accuracy: float = 0.002
    paired: bool = True

    @property
    def poor(self) -> tuple[str, ...]:
        """The levels of the condition that were declared poor."""
        return tuple(level for level, role in self.roles.items() if role == "poor")

    @property
    def level(self) -> float:
        """Alpha at one look: it is shared out among those that were declared."""
        return self.alpha / max(len(self.looks), 1)

    @classmethod
    def of(cls, study: Study) -> Criteria:
        """Those that a study declares."""
        return cls(**{one.name: getattr(study, one.name) for one in fields(cls) if one.name != "paired"})

    def attributes(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {**asdict(self), "roles": dict(self.roles), "looks": list(self.looks)}


LIMITS = {
    "target_accuracy": 1.0, "alpha": 0.5, "equivalence_epochs": math.inf, "equivalence_accuracy": 1.0,
    "margin": 10.0, "mainly_times": 1e6,
}  # fmt: skip
TEXTS = ("treatment", "control", "condition", "reference")


def criteria_of(dataset: xr.Dataset) -> Criteria:
    """Each criterion as the dataset's study declared it; where that lacks it the dataset's attribute, else the default.

    The reference is the first level declared well where the dataset does not hold the one that was named.

    Parameters
    ----------
    dataset : Dataset
        With every factor as a dimension (:func:`~bnstudy.analysis.normal_form.factor_form`).

    Raises
    ------
    InputError
        One of them is no number within its range, an attribute or a role is not what the study declared, or the study
        is not the one that was hashed.
    """
    declared = study_of(dataset)
    _refuse_changes(dataset, declared)
    said = {**dataset.attrs, **declared}
    values: dict[str, Any] = {key: _number(said, key, most) for key, most in LIMITS.items() if key in said}
    usual = Criteria()
    texts = {key: str(said.get(key, getattr(usual, key)) or "") for key in TEXTS}
    for key in ("treatment", "condition"):
        if texts[key] not in BY_NAME:
            raise InputError(f"the dataset's {key} is {texts[key][:60]!r}, which is no factor ({', '.join(BY_NAME)})")
    if texts["treatment"] == texts["condition"]:
        raise InputError(f"the dataset's treatment and condition are both {texts['treatment']}; they must differ")
    roles = roles_of(dataset, texts["condition"], declared)
    if texts["reference"] not in roles:  # a part of a study may lack it
        texts["reference"] = next((level for level, role in roles.items() if role == "well"), "")
    return Criteria(**{**values, **texts}, roles=roles, looks=_looks(said.get("looks", ())))


def _refuse_changes(dataset: xr.Dataset, declared: Mapping[str, Any]) -> None:
    """InputError where a dataset would be judged by something else than was declared under its study's hash."""
    digest = dataset.attrs.get("study_hash")
    if declared and digest and digest_of(declared) != digest:
        raise InputError("the dataset's study is not the one of its study_hash; judge the file as it was written")
    for key in (*LIMITS, *TEXTS):
        if key in declared and key in dataset.attrs and dataset.attrs[key] != declared[key]:
            raise InputError(
                f"the dataset's {key} is {str(dataset.attrs[key])[:60]}, and its study declared {declared[key]}; "
                "leave the attribute away, or the study"
            )


def roles_of(dataset: xr.Dataset, condition: str, declared: Mapping[str, Any] | None = None) -> dict[str, str]:
    """The role of each level of the condition: as the study declared it, else as the dataset says (``init_role``).

    Empty where nobody declared any; InputError where the dataset has others than the study declared.
    """
    texts = [BY_NAME[condition].text(level) for level in np.atleast_1d(dataset[condition].values).tolist()]
    said = (declared or {}).get("roles")
    known: dict[str, str] = said if isinstance(said, dict) else {}
    name = f"{condition}_role"
    there = (
        dict(zip(texts, map(str, np.atleast_1d(dataset[name].values)), strict=True)) if name in dataset.coords else {}
    )
    for level, role in there.items():
        if known.get(level, role) != role:
            raise InputError(f"the dataset's {name} of {level} is {role}, and its study declared {known[level]}")
    if not known and not there:
        return {}
    return {level: known.get(level) or there.get(level, "") for level in texts}


def study_of(dataset: xr.Dataset) -> dict[str, Any]:
    """The study's own settings, as the dataset holds them; empty where it does not.

    Raises
    ------
    InputError
        They cannot be read.
    """
    try:
        return tomllib.loads(str(dataset.attrs.get("study", "")))
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"the dataset's study is not TOML ({first_line(error)[:80]}); judge the file as it was written"
        ) from None


def _looks(said: Any) -> tuple[int, ...]:
    try:
        listed = said.split(",") if isinstance(said, str) and said else said if said != "" else ()
        looks = tuple(int(look) for look in np.atleast_1d(listed))
    except (TypeError, ValueError):
        looks = (0,)
    if any(look < 1 for look in looks):
        raise InputError(f"the dataset's looks must be numbers of seeds, not {str(said)[:60]!r}")
    return looks


def _number(said: Mapping[str, Any], key: str, most: float) -> float:
    try:
        value = float(said[key])
    except (TypeError, ValueError):
        value = math.nan
    if not 0 < value < most:
        raise InputError(
            f"the dataset's {key} must be a number above 0 and below {most:g}, not {str(said[key])[:60]!r}"
        )
    return value
