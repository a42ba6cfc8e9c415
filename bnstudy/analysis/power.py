"""What a design can and cannot show, before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bnstudy.analysis import verdict
from bnstudy.analysis.criteria import Criteria
from bnstudy.analysis.effects import effects
from bnstudy.study.factors import BY_NAME
from bnstudy.study.question import CONTROLS

if TYPE_CHECKING:
    from bnstudy.analysis.assessment import Scores

OTHER = {"norm": "batch"}  # what to compare a usual control with
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


def needed_on_one_side(seeds: int, poor: int, alpha: float) -> int | None:
    """Of so many pairs, how many have to lie on one side for a word of difference, whatever the other conditions show.

    None where not even all of them would do.
    """
    counts = np.arange(1, seeds + 1)
    enough = special.bdtrc(counts - 1, seeds, 0.5) * max(poor, 1) <= alpha / 2
    return int(counts[np.argmax(enough)]) if enough.any() else None


def chance(seeds: int, poor: int, alpha: float, share: float) -> float:
    """The chance of a word that takes one test, where so large a share of all seeds lies on its side: exact.

    Under the worst of Holm's adjustments, in which no other condition shows anything.
    """
    needed = needed_on_one_side(seeds, poor, alpha)
    return 0.0 if needed is None else float(special.bdtrc(needed - 1, seeds, share))


def resampled(
    scores: Scores, criteria: Criteria, seeds: int, studies: int, generator: np.random.Generator
) -> list[dict[str, Any]]:
    """What studies of so many seeds would say if a pilot's were all there are: drawn from it, with replacement.

    Parameters
    ----------
    scores : Scores
        Of the pilot; the n-th runs of both arms are pairs.
    criteria : Criteria
        Of the study that is planned.
    seeds, studies : int
        Seeds of a study, and how many are drawn.
    generator : numpy Generator
        Of the draws.

    Returns
    -------
    list of dict
        A row a (model, setting, treated arm, poor condition): its labels, and the share of each word.
    """
    values = scores.values.transpose("model", "setting", "condition", "arm", "seed")
    conditions = values.condition.values.tolist()
    poor = np.array([criteria.roles.get(label) == "poor" for label in conditions])
    reference = conditions.index(criteria.reference) if criteria.reference in conditions else None
    drawn = values.values[..., generator.integers(values.sizes["seed"], size=(studies, seeds))]
    drawn = np.moveaxis(drawn, -2, 0)  # study, model, setting, condition, arm, seed
    arms = values.arm.values.tolist()
    control = drawn[..., arms.index(criteria.control), :]
    rows = []
    for arm in (one for one in arms if one != criteria.control):
        found = effects(control, drawn[..., arms.index(arm), :], reference, criteria.mainly_times, criteria.margin)
        words = verdict.words(verdict.adjusted(found, poor), poor, criteria.level)
        for m, model in enumerate(values.model.values.tolist()):
            for s, setting in enumerate(values.setting.values.tolist()):
                for c in np.flatnonzero(poor):
                    shares = {word: float((words[:, m, s, c] == word).mean()) for word in verdict.WORDS}
                    rows.append({"model": model, "setting": setting, "arm": arm, "condition": conditions[c], **shares})
    return rows


def nothing_to_compare(criteria: Criteria, arms: Sequence[str], ran: bool = False) -> str:
    """Why these arms give no comparison, and what to add, before the study runs or once it `ran`; empty if they do.

    Parameters
    ----------
    criteria : Criteria
        With the treatment and its control.
    arms : sequence of str
        The treatment's levels that there are.
    ran : bool
        Whether what is lacking has to be added to results.
    """
    if criteria.control in arms and len(arms) > 1:
        return ""
    usual = criteria.control or CONTROLS.get(criteria.treatment, "")
    why = f"nothing to compare: it takes the {criteria.treatment} {usual or 'named as control'} and another, and there "
    why += f"{'are' if len(arms) > 1 else 'is'} {', '.join(arms)}"
    if criteria.treatment not in BY_NAME or not usual:
        return why
    lacking = OTHER.get(criteria.treatment, "LEVEL") if usual in arms else usual
    option = f"--{BY_NAME[criteria.treatment].key.replace('_', '-')}"
    if ran:
        return f"{why}; `bnstudy extend DIR {option} {lacking}` adds it"
    levels = ",".join([*arms, lacking] if usual in arms else [lacking, *arms])
    named = f", or name the one that is: `--control {arms[0]}`" if len(arms) > 1 else ""
    return f"{why}; add {lacking}: `{option} {levels}`{named}"


def warnings(criteria: Criteria, seeds: int, arms: Sequence[str] | None = None) -> list[str]:
    """What is amiss with a design, one sentence each: that nothing is compared, or too few seeds first.

    Parameters
    ----------
    criteria : Criteria
        With the roles of the condition's levels.
    seeds : int
        Of each arm.
    arms : sequence of str, optional
        The treatment's levels, where they may give no comparison.
    """
    if arms is not None and (text := nothing_to_compare(criteria, arms)):
        return [text]
    poor, told = len(criteria.poor), []
    if poor == 0:
        return []  # nothing is compared across conditions
    share = criteria.level
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
