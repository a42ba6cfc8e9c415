"""How a study's values may be written, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from bnstudy.study import registry
from bnstudy.study.levels import LARGEST, SMALLEST

MAX_RUNS = 1_000_000
MAX_SEED = 2**62
# In single precision, in which networks are trained, what is smaller changes no weight and no average.
LEAST_EFFECT = 1e-20
BELOW_ONE = 0.9999999  # the largest number below 1 there, rounded


def number(value: Any) -> Any:
    """A number as it is written: text without spaces around it; no truth value."""
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")
    return value.strip() if isinstance(value, str) else value


def items(value: Any) -> Any:
    """A value, or text with commas, as a list; ValueError where it is empty."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")] if value.strip() else []
        if "" in value:
            end = "after its last comma" if not value[-1] else "before its comma"
            where = "between two commas" if value[0] and value[-1] else end
            raise ValueError(f"has nothing {where}; a list is written with commas and no spaces, as in 1,2,3")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        value = [value]
    if isinstance(value, (list, tuple)) and not value:
        raise ValueError("is empty; give at least one")
    return value


def widths(value: Any) -> Any:
    """A list of widths; ``"64x8"`` stands for 64 eight times."""
    listed = items(value)
    if not isinstance(listed, (list, tuple)):
        return listed
    spelled = [registry.read_widths(item) or (item,) if isinstance(item, str) else (item,) for item in listed]
    return [width for equal in spelled for width in equal]


def flag(value: Any) -> Any:
    """True or false alone: no text or number that could mean one."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def as_list(value: Any) -> list[Any]:
    """What :func:`items` makes of a value; ValueError if that is no list."""
    listed = items(value)
    if not isinstance(listed, (list, tuple)):
        raise ValueError("must be a value or a list of values")
    return list(listed)


def seeds(value: Any) -> Any:
    """A count, or a list of seeds; ``"5,"`` is the list of the one seed 5."""
    value = number(value)
    if isinstance(value, str) and "," not in value:
        try:
            value = int(value)
        except ValueError:
            raise ValueError(f"must be a count or a list of whole numbers, not {value[:60]!r}") from None
    if isinstance(value, int):
        if not 1 <= value <= MAX_RUNS:
            raise ValueError(f"a count of seeds must be from 1 to {MAX_RUNS}, not {value}")
        return tuple(range(value))
    return items(value.strip().removesuffix(",") if isinstance(value, str) else value)


def effective(value: float) -> float:
    """A number by which weights or averages change, if it does that in single precision; ValueError if not."""
    if 0 < value < LEAST_EFFECT:
        raise ValueError(f"must be {LEAST_EFFECT:g} or more, not {value:g}, which in single precision changes nothing")
    if value > LARGEST:
        raise ValueError(f"must be {LARGEST:g} or less, not {value:g}, which is infinite in single precision")
    return value


def representable(value: float) -> float:
    """A number above 0, if it is that in single precision too; ValueError if not."""
    if value < SMALLEST:
        raise ValueError(f"must be {SMALLEST:g} or more, not {value:g}, which is 0 in single precision")
    return value


def below_one(value: float) -> float:
    """A number below 1, if it is that in single precision too; ValueError if not."""
    if value > BELOW_ONE:
        raise ValueError(f"must be {BELOW_ONE} or less, not {value!r}, which is 1 in single precision")
    return value


Count = Annotated[int, BeforeValidator(number)]
Number = Annotated[float, BeforeValidator(number)]
Names = Annotated[tuple[str, ...], BeforeValidator(items)]
Flag = Annotated[bool, BeforeValidator(flag)]
Counts = Annotated[tuple[Annotated[Count, Field(ge=1, le=100_000)], ...], BeforeValidator(widths)]
Rates = Annotated[
    tuple[Annotated[Number, Field(gt=0, allow_inf_nan=False), AfterValidator(effective)], ...],
    BeforeValidator(items),
]
Sizes = Annotated[tuple[Annotated[Count, Field(ge=2)], ...], BeforeValidator(items)]
Decays = Annotated[
    tuple[Annotated[Number, Field(ge=0, allow_inf_nan=False), AfterValidator(effective)], ...],
    BeforeValidator(items),
]
Seeds = Annotated[
    tuple[Annotated[Count, Field(ge=0, le=MAX_SEED)], ...],
    BeforeValidator(seeds),
]


def once(values: Iterable[Any]) -> tuple[Any, ...]:
    """Each value once, where it stands first."""
    return tuple(dict.fromkeys(values))


def distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Values of which none is there twice, since fewer seeds than were meant would show less; ValueError names one."""
    seen = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{value!r} is given twice")
        seen.add(value)
    return values
