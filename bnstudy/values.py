"""How a study's values may be written, and what becomes of them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from bnstudy import registry

MAX_RUNS = 1_000_000
MAX_SEED = 2**62


def number(value: Any) -> Any:
    """A number as it is written: text without spaces around it; no truth value."""
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")
    return value.strip() if isinstance(value, str) else value


def items(value: Any) -> Any:
    """A value, or text with commas, as a list; ValueError where it is empty."""
    if isinstance(value, str):
        value = [part.strip() for part in value.strip().removesuffix(",").split(",")] if value.strip() else []
        if "" in value:
            raise ValueError("has nothing between two commas")
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
    return items(value)


Count = Annotated[int, BeforeValidator(number)]
Number = Annotated[float, BeforeValidator(number)]
Names = Annotated[tuple[str, ...], BeforeValidator(items)]
Flag = Annotated[bool, BeforeValidator(flag)]
Counts = Annotated[tuple[Annotated[Count, Field(ge=1, le=100_000)], ...], BeforeValidator(widths)]
Rates = Annotated[
    tuple[Annotated[Number, Field(gt=0, allow_inf_nan=False)], ...],
    BeforeValidator(items),
]
Sizes = Annotated[tuple[Annotated[Count, Field(ge=2)], ...], BeforeValidator(items)]
Decays = Annotated[tuple[Annotated[Number, Field(ge=0, allow_inf_nan=False)], ...], BeforeValidator(items)]
Seeds = Annotated[
    tuple[Annotated[Count, Field(ge=0, le=MAX_SEED)], ...],
    BeforeValidator(seeds),
]


def distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Values of which none is there twice; ValueError names one that is."""
    seen = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{value!r} is given twice")
        seen.add(value)
    return values
