"""Designs that hold every pair of levels of any two factors: faults of one factor or of two show in far fewer cases
than a full product has (Dalal and others, "Model-based testing in practice", 1999)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any


def pairs(*factors: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Rows with a level of each factor, so that every pair of levels of two factors stands in one of them."""
    sizes = [len(levels) for levels in factors]
    left = {
        ((i, a), (j, b)): None
        for i, j in combinations(range(len(sizes)), 2)
        for a in range(sizes[i])
        for b in range(sizes[j])
    }
    rows = []
    while left:
        row = dict(next(iter(left)))
        for i, size in enumerate(sizes):
            if i not in row:
                row[i] = max(range(size), key=lambda level, i=i: sum(pair in left for pair in _with(row, i, level)))
        for pair in combinations(sorted(row.items()), 2):
            left.pop(pair, None)
        rows.append(tuple(levels[row[i]] for i, levels in enumerate(factors)))
    return rows


def _with(row: dict[int, int], i: int, level: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    return [((j, other), (i, level)) if j < i else ((i, level), (j, other)) for j, other in row.items()]
