"""What differs between the study that is there and the one that is asked, in a few words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

MOST = 60  # characters of a value
COMMON = 12  # of what two texts begin with, where they differ further on


def told(changes: Mapping[str, tuple[Any, Any]]) -> str:
    """Keys with what each holds there and what is asked (plain values); of lists and tables what only one has."""
    return "; ".join(f"{key}: {_told(there, asked)}" for key, (there, asked) in changes.items())


def _told(there: Any, asked: Any) -> str:
    if isinstance(there, list) and isinstance(asked, list) and _are_edited(there, asked):
        there, asked = ({f"number {i}": one for i, one in enumerate(some, 1)} for some in (there, asked))
    if isinstance(there, Mapping) and isinstance(asked, Mapping):
        keys = [key for key in {**there, **asked} if there.get(key) != asked.get(key)]
        if len(keys) == 1 and keys[0] in there and keys[0] in asked:
            return f"{keys[0]}: {_told(there[keys[0]], asked[keys[0]])}"
        there, asked = ([f"{key} = {one[key]}" for key in keys if key in one] for one in (there, asked))
    if isinstance(there, list) and isinstance(asked, list):
        only_there, only_asked = _without(there, asked), _without(asked, there)
        parts = [f"{_listed(only_there)} there, not asked"] * bool(only_there)
        parts += [f"{_listed(only_asked)} asked, not there"] * bool(only_asked)
        return ", ".join(parts) or "the same in another order"
    texts = json.dumps(there), json.dumps(asked)
    same = next((i for i, (one, other) in enumerate(zip(*texts, strict=False)) if one != other), min(map(len, texts)))
    start = max(0, same - COMMON) if max(map(len, texts)) > MOST else 0
    one, other = (("..." if start else "") + _cut(text[start:]) for text in texts)
    return f"{one} there, {other} asked"


def _are_edited(there: list[Any], asked: list[Any]) -> bool:
    """Whether both hold as many tables: one by one they may be the same, edited."""
    return len(there) == len(asked) and all(isinstance(value, Mapping) for value in (*there, *asked))


def _without(some: list[Any], others: list[Any]) -> list[Any]:
    return [one for one in some if one not in others]


def _listed(values: Iterable[Any]) -> str:
    return _cut(", ".join(value if isinstance(value, str) else json.dumps(value) for value in values))


def _cut(text: str) -> str:
    return text if len(text) <= MOST else f"{text[: MOST - 3]}..."
