"""What a study declared before it ran, by which its results are judged."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr

from bnstudy.study.errors import InputError, first_line
from bnstudy.study.study import digest_of


@dataclass(frozen=True)
class Criteria:
    """The study's own settings of its analysis.

    Attributes
    ----------
    target : float
        Test accuracy a run is to exceed.
    alpha : float
        Level of significance.
    equivalence_epochs, equivalence_accuracy : float
        Margins within which an effect counts as none.
    reference : str
        The well init that the poor ones are compared with; empty where there is none.
    """

    target: float = 0.98
    alpha: float = 0.05
    equivalence_epochs: float = 2.0
    equivalence_accuracy: float = 0.002
    reference: str = ""

    def attributes(self) -> dict[str, Any]:
        """As attributes of a dataset."""
        return asdict(self)


def criteria_of(dataset: xr.Dataset) -> Criteria:
    """Each criterion as the dataset's study declared it; where that lacks it the dataset's attribute, else the default.

    The reference is the first init declared well where the dataset does not hold the one that was named.

    Raises
    ------
    InputError
        One of them is no number within its range, an attribute or a role is not what the study declared, or the study
        is not the one that was hashed.
    """
    declared = study_of(dataset)
    _refuse_changes(dataset, declared)
    said = {**dataset.attrs, **declared}
    limits = {"target_accuracy": 1.0, "alpha": 0.5, "equivalence_epochs": math.inf, "equivalence_accuracy": 1.0}
    names = {"target_accuracy": "target"}
    numbers = {names.get(key, key): _number(said, key, most) for key, most in limits.items() if key in said}
    roles = roles_of(dataset) if "init_role" in dataset.variables else {}
    well = [label for label, role in roles.items() if role == "well"]
    reference = str(said.get("reference", "") or "")
    if reference not in roles:  # a part of a study may lack it
        reference = well[0] if well else ""
    return Criteria(**numbers, reference=reference)


def _refuse_changes(dataset: xr.Dataset, declared: Mapping[str, Any]) -> None:
    """InputError where a dataset would be judged by something else than was declared under its study's hash."""
    digest = dataset.attrs.get("study_hash")
    if declared and digest and digest_of(declared) != digest:
        raise InputError("the dataset's study is not the one of its study_hash; judge the file as it was written")
    for key in ("target_accuracy", "alpha", "equivalence_epochs", "equivalence_accuracy", "reference"):
        if key in declared and key in dataset.attrs and dataset.attrs[key] != declared[key]:
            raise InputError(
                f"the dataset's {key} is {str(dataset.attrs[key])[:60]}, and its study declared {declared[key]}; "
                "leave the attribute away, or the study"
            )
    said = declared.get("roles")
    roles: dict[str, Any] = said if isinstance(said, dict) else {}
    for label, role in roles_of(dataset).items() if roles and "init_role" in dataset.variables else ():
        if roles.get(label, role) != role:
            raise InputError(f"the dataset's init_role of {label} is {role}, and its study declared {roles[label]}")


def roles_of(dataset: xr.Dataset) -> dict[str, str]:
    """Each init's declared role; InputError where the dataset has none."""
    if "init_role" not in dataset.variables:
        raise InputError("the dataset has no init_role, so nobody declared which inits are well and which poor; add it")
    inits, roles = (np.atleast_1d(dataset[name].values).tolist() for name in ("init", "init_role"))
    return dict(zip(inits, map(str, roles), strict=True))


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
