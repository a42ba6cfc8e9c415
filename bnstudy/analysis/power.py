"""What a design can and cannot show, before anything runs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bnstudy.analysis.criteria import Criteria

MOST_SEEDS = 200  # beyond which no design is told of


def least_p(pairs: NDArray[np.int_] | int, poor: int, paired: bool = True) -> NDArray[np.float64]:
    """The smallest adjusted p that a test can give: of all pairs on one side, times the number of poor conditions.

    Parameters
    ----------
    pairs : array of int
        Pairs; where nothing is paired, runs of each arm.
    poor : int
        Conditions that Holm's adjustment runs over.
    paired : bool
        Sign tests, or else rank sums.
    """
    pairs = np.asarray(pairs)
    p = 0.5**pairs if paired else 1 / special.comb(2 * pairs, pairs)
    return np.minimum(p * max(poor, 1), 1.0)


def seeds_needed(poor: int, alpha: float, paired: bool = True) -> int:
    """Seeds from which on a word of difference is in reach at `alpha`."""
    enough = least_p(np.arange(1, MOST_SEEDS), poor, paired) <= alpha / 2
    return int(np.argmax(enough)) + 1


def warnings(criteria: Criteria, seeds: int) -> list[str]:
    """What is amiss with a design, one sentence each: too few seeds first.

    Parameters
    ----------
    criteria : Criteria
        With the roles of the condition's levels.
    seeds : int
        Of each arm.
    """
    poor, told = len(criteria.poor), []
    if poor == 0:
        return []  # nothing is compared across conditions
    share = criteria.alpha / max(len(criteria.looks), 1)
    needed = seeds_needed(poor, share, criteria.paired)
    if seeds < needed:
        least = float(least_p(seeds, poor, criteria.paired))
        told.append(
            f"too few seeds to tell: with {seeds} and {poor} poor level{'s' * (poor > 1)} of {criteria.condition} the "
            f"least adjusted p is {least:.2g}, and a word of difference takes {share / 2:g}; it takes {needed} seeds"
        )
    if not criteria.reference:
        told.append(f"no {criteria.condition} is declared well, so there is nothing to compare the poor ones with")
    return told
