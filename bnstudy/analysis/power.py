"""What a design can and cannot show, before anything runs."""

from __future__ import annotations

from collections.abc import Mapping


def smallest_p(seeds: int, poor_levels: int) -> float:
    """The smallest p a one-sided sign-flip test can give after Holm: 2^-seeds times the number of poor levels."""
    return min(1.0, 2.0**-seeds * max(poor_levels, 1))


def seeds_needed(poor_levels: int, alpha: float) -> int:
    """Seeds from which on a design can reach significance at `alpha`."""
    seeds = 1
    while smallest_p(seeds, poor_levels) >= alpha:
        seeds += 1
    return seeds


def warnings(roles: Mapping[str, str], norms: int, seeds: int, alpha: float) -> list[str]:
    """What is amiss with a design, one sentence each.

    Parameters
    ----------
    roles : mapping of str to str
        Each init's role, ``well`` or ``poor``.
    norms, seeds : int
        Levels of the norm, and seeds.
    alpha : float
        The study's level of significance.
    """
    poor = sum(role == "poor" for role in roles.values())
    if norms < 2 or poor == 0:
        return []  # nothing is compared across initializations
    found = []
    if poor == len(roles):
        found.append("no init is declared well, so there is nothing to compare the poor ones with")
    needed = seeds_needed(poor, alpha)
    if seeds < needed:
        found.append(
            f"with {seeds} seeds and {poor} poor inits the smallest adjusted p is {smallest_p(seeds, poor):.2g}: "
            f"significance at {alpha:g} is out of reach; it takes {needed} seeds"
        )
    return found
