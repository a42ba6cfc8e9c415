"""What the tests allow to say of a treatment at a poor condition: one word, true in plain English.

The first that applies of

- ``none``: shown to be smaller than the margin here, whatever its sign
- ``mainly``: it helps, more than at the reference, and more than `mainly_times` as much
- ``more``: it helps, and more than at the reference
- ``harms``: it does harm
- ``less``: it gains less than at the reference
- ``alike``: shown to differ by less than the margin from what it does at the reference
- ``unclear``: the data cannot tell

A word that takes several tests has the largest of their p-values. Holm's adjustment runs over the poor conditions of a
model and setting, for each word in a family of its own, at half of alpha: a difference has two directions, and there
are two ways to be the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bnstudy.analysis.effects import Array, Effects
from bnstudy.analysis.inference import holm

# Each with the tests it takes.
OF_DIFFERENCE = {
    "mainly": ("helps", "more", "mainly"), "more": ("helps", "more"), "harms": ("harms",), "less": ("less",),
}  # fmt: skip
OF_SAMENESS = {"none": ("none",), "alike": ("alike",)}
UNCLEAR = "unclear"
# In the order in which the first that applies is taken; what is told first stands first in WORDS.
ORDER = ("none", "mainly", "more", "harms", "less", "alike")
WORDS = ("mainly", "more", "alike", "less", "none", "harms", UNCLEAR)


def adjusted(effects: Effects, poor: NDArray[np.bool_]) -> dict[str, Array]:
    """The adjusted p of every word: arrays (..., condition), NaN at conditions that are not poor."""
    result = {}
    for word, tests in {**OF_DIFFERENCE, **OF_SAMENESS}.items():
        p = np.max([effects.p[test] for test in tests], axis=0)
        result[word] = np.full_like(p, np.nan)
        result[word][..., poor] = holm(p[..., poor])
    return result


def level_of_bound(effects: Effects, p: dict[str, Array], alpha: float) -> Array:
    """The level at which each condition's own test of *mainly* is decided: array (..., condition).

    Tested at it, the gain is shown to be more than `mainly_times` that at the reference just where Holm's adjustment
    says so: a bound by it does not contradict the word.
    """
    raw = np.max([effects.p[test] for test in OF_DIFFERENCE["mainly"]], axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(alpha / 2 * raw / p["mainly"])


def words(p: dict[str, Array], poor: NDArray[np.bool_], alpha: float) -> NDArray[np.str_]:
    """The word of each poor condition, by its adjusted p-values: array (..., condition); empty at the others."""
    shown = [~poor & np.ones(p["none"].shape, bool), *(p[word] <= alpha / 2 for word in ORDER)]
    return np.select(shown, ["", *ORDER], UNCLEAR)
