"""Made-up studies whose truth is known: what the verdict must survive, and what it may never say of them.

A setting draws ``studies`` studies at once, scores L of shape (studies, arm, condition, seed): arms control and
treated, conditions the reference first and then the poor ones. ``truth`` gives the medians over all seeds that there
could be: of the gain, of its difference from the reference, and of its excess over k times that, at every poor
condition. ``false_words`` says which words would then be false.

A learning run scores about -5 (an error of 3 %), a stuck one exactly what guessing among ten classes does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Draw = Callable[[np.random.Generator, int, int, int], Array]

CONTROL, TREATED = 0, 1
REFERENCE = 0
LEARNED, GUESSING = -5.0, math.log2(0.9)
NOISE = 0.05  # of one run: with ten seeds a gain of 0.15 is plain, as in the stored studies
WIDE = 1.0  # so much noise that no sameness can be shown
K, MARGIN = 2.0, 0.15
SEEDS = (7, 10, 15, 20, 30)
CONDITIONS = (1, 3, 9)
LARGE = 400_001  # seeds of the draw that stands for all seeds; odd, so that a median is a value
NEAR = 1e-9


@dataclass(frozen=True)
class Truth:
    """Medians over all seeds, one a poor condition."""

    gain: Array
    difference: Array
    excess: Array


def false_words(truth: Truth, margin: float = MARGIN) -> dict[str, Flags]:
    """Where each word would be false. A median on the edge (0, or the margin) makes its word false."""
    helps, more, mainly = truth.gain > NEAR, truth.difference > NEAR, truth.excess > NEAR
    return {
        "none": np.abs(truth.gain) >= margin - NEAR,
        "mainly": ~(helps & more & mainly),
        "more": ~(helps & more),
        "harms": truth.gain >= -NEAR,
        "less": truth.difference >= -NEAR,
        "alike": np.abs(truth.difference) >= margin - NEAR,
    }


@dataclass(frozen=True)
class Setting:
    """A kind of made-up study. ``exact`` is its truth by the number of poor conditions, where it is known on paper."""

    name: str
    about: str
    draw: Draw
    exact: Callable[[int], Truth] | None = None

    def truth(self, conditions: int) -> Truth:
        """The medians: on paper, or from a large draw."""
        return self.exact(conditions) if self.exact is not None else drawn_truth(self.name, conditions)


@cache
def drawn_truth(name: str, conditions: int) -> Truth:
    """Medians of one study of very many seeds; what lies within its error of an edge is put on the edge."""
    gains = gains_of(SETTINGS[name].draw(np.random.default_rng(20), 1, LARGE, conditions))[0]
    poor, reference = gains[1:], gains[REFERENCE]

    def middle(values: Array) -> Array:
        """The median of each row; 0 where 0 lies within four standard errors of it."""
        ordered = np.sort(values, axis=-1)
        half, reach = LARGE // 2, int(2 * math.sqrt(LARGE))
        low, high = ordered[:, half - reach], ordered[:, half + reach]
        return np.where((low <= 0) & (high >= 0), 0.0, ordered[:, half])

    return Truth(middle(poor), middle(poor - reference), middle(poor - K * reference))


def gains_of(scores: Array) -> Array:
    """Gains by study, condition and seed."""
    return scores[:, CONTROL] - scores[:, TREATED]


# --- Parts of settings ------------------------------------------------------------------------------------------------


def learning(rng: np.random.Generator, shape: tuple[int, ...], noise: float = NOISE) -> Array:
    """Scores of runs that learn alike: what a seed brings to both arms (it cancels in a gain), and each run's noise."""
    studies, _, conditions, seeds = shape
    common = rng.normal(0, 2 * noise, (studies, 1, conditions, seeds))
    return LEARNED + common + rng.normal(0, noise, shape)


def with_gains(rng: np.random.Generator, studies: int, seeds: int, gains: Array, noise: float = NOISE) -> Array:
    """Scores with a mean gain at each condition, the reference first, and normal noise."""
    scores = learning(rng, (studies, 2, len(gains), seeds), noise)
    scores[:, TREATED] -= gains[:, np.newaxis]
    return scores


def stick(rng: np.random.Generator, scores: Array, arm: int, condition: int | slice, share: float) -> None:
    """Lets a share of the runs of an arm stick at guessing, each for itself, in place."""
    runs = scores[:, arm, condition]
    runs[rng.random(runs.shape) < share] = GUESSING


def levels(reference: float, *poor: float) -> Callable[[int], Array]:
    """Gains at the reference and the poor conditions; the last one is that of all further conditions."""

    def by_condition(conditions: int) -> Array:
        filled = (*poor, *[poor[-1]] * conditions)[:conditions]
        return np.array([reference, *filled])

    return by_condition


def normal(name: str, about: str, gains: Callable[[int], Array], noise: float = NOISE) -> Setting:
    """A setting of given gains and normal noise: symmetric, so that every median is the mean."""

    def draw(rng: np.random.Generator, studies: int, seeds: int, conditions: int) -> Array:
        return with_gains(rng, studies, seeds, gains(conditions), noise)

    def exact(conditions: int) -> Truth:
        at = gains(conditions)
        return Truth(at[1:], at[1:] - at[0], at[1:] - K * at[0])

    return Setting(name, about, draw, exact)


def shift_against(share: float, spread: float) -> float:
    """How far normal values must lie above 0 for their median, with this share of them sent far below, to be 0."""
    return spread * NormalDist().inv_cdf(0.5 / (1 - share))


# --- Settings that are not plain normal ones --------------------------------------------------------------------------


def skewed(rng: np.random.Generator, studies: int, seeds: int, conditions: int) -> Array:
    """Treated runs with exponential noise to the good: the median gain is 0 everywhere, the mean is not."""
    scores = learning(rng, (studies, 2, conditions + 1, seeds), 0.0)
    scores[:, TREATED] -= 4 * NOISE * (rng.exponential(1, scores[:, TREATED].shape) - math.log(2))
    return scores


def skewed_exact(conditions: int) -> Truth:
    """With X and Y exponential, X - Y has the median 0 and X - 2Y the median 2 ln(3/4)."""
    excess = 4 * NOISE * (2 * math.log(3 / 4) + math.log(2))
    return Truth(np.zeros(conditions), np.zeros(conditions), np.full(conditions, excess))


def skewed_edge(rng: np.random.Generator, studies: int, seeds: int, conditions: int) -> Array:
    """Skewed noise, with the poor gains where the median of g(c) - k g(c0) is 0: the edge of mainly."""
    scores = skewed(rng, studies, seeds, conditions)
    scores[:, TREATED, REFERENCE] -= 1.0
    scores[:, TREATED, 1:] -= K * 1.0 - skewed_exact(1).excess[0]
    return scores


def skewed_edge_exact(conditions: int) -> Truth:
    """As drawn: the gain of 1 at the reference, and what makes the excess 0."""
    gain = K * 1.0 - skewed_exact(1).excess[0]
    return Truth(np.full(conditions, gain), np.full(conditions, gain - 1.0), np.zeros(conditions))


def heavy(rng: np.random.Generator, studies: int, seeds: int, conditions: int) -> Array:
    """No gain anywhere, and noise without a mean (Cauchy)."""
    return LEARNED + NOISE * rng.standard_cauchy((studies, 2, conditions + 1, seeds))


def stuck(share: float) -> Draw:
    """Treated runs stick everywhere, and nothing else differs."""

    def draw(rng: np.random.Generator, studies: int, seeds: int, conditions: int) -> Array:
        scores = learning(rng, (studies, 2, conditions + 1, seeds))
        stick(rng, scores, TREATED, slice(None), share)
        return scores

    return draw


def stuck_even(share: float) -> Draw:
    """Treated runs stick at the poor conditions alone; the rest gain so much that the median gain is 0."""

    def draw(rng: np.random.Generator, studies: int, seeds: int, conditions: int) -> Array:
        gain = shift_against(share, math.sqrt(2) * NOISE)
        scores = with_gains(rng, studies, seeds, levels(0.0, gain)(conditions))
        stick(rng, scores, TREATED, slice(1, None), share)
        return scores

    return draw


def stuck_no_mean(share: float) -> Draw:
    """Treated runs stick at the poor conditions alone; the rest gain so much that the mean gain is 0."""

    def draw(rng: np.random.Generator, studies: int, seeds: int, conditions: int) -> Array:
        gain = share / (1 - share) * (GUESSING - LEARNED)
        scores = with_gains(rng, studies, seeds, levels(0.0, gain)(conditions))
        stick(rng, scores, TREATED, slice(1, None), share)
        return scores

    return draw


def stuck_equal(share: float) -> Draw:
    """A gain of 1 at the reference; treated runs stick at the poor conditions, where the median difference is 0."""

    def draw(rng: np.random.Generator, studies: int, seeds: int, conditions: int) -> Array:
        gain = 1.0 + shift_against(share, 2 * NOISE)
        scores = with_gains(rng, studies, seeds, levels(1.0, gain)(conditions))
        stick(rng, scores, TREATED, slice(1, None), share)
        return scores

    return draw


def plain_stuck(share: float) -> Draw:
    """Plain runs stick at the reference; the poor gains lie where the median of g(c) - k g(c0) is 0."""

    def draw(rng: np.random.Generator, studies: int, seeds: int, conditions: int) -> Array:
        reference = 0.5
        gain = K * reference + shift_against(share, math.sqrt(2 + 2 * K**2) * NOISE)
        scores = with_gains(rng, studies, seeds, levels(reference, gain)(conditions))
        stick(rng, scores, CONTROL, REFERENCE, share)
        return scores

    return draw


def tied(rng: np.random.Generator, studies: int, seeds: int, conditions: int) -> Array:
    """Both arms stick in six of ten seeds at the poor conditions, and the treated run alone learns in the others.

    The median gain is 0 exactly. At the reference the treatment costs a little.
    """
    scores = with_gains(rng, studies, seeds, levels(-0.1, 0.0)(conditions))
    scores[:, CONTROL, 1:] = GUESSING
    both = rng.random(scores[:, TREATED, 1:].shape) < 0.6
    scores[:, TREATED, 1:][both] = GUESSING
    return scores


def tied_to_harm(rng: np.random.Generator, studies: int, seeds: int, conditions: int) -> Array:
    """Both arms stick in six of ten seeds at the poor conditions, and the plain run alone learns in the others."""
    scores = with_gains(rng, studies, seeds, levels(0.1, 0.0)(conditions))
    scores[:, TREATED, 1:] = GUESSING
    both = rng.random(scores[:, CONTROL, 1:].shape) < 0.6
    scores[:, CONTROL, 1:][both] = GUESSING
    return scores


def tied_half(rng: np.random.Generator, studies: int, seeds: int, conditions: int) -> Array:
    """Both arms stick in half of the seeds; in the others the gain is 1 or -1 by a fair coin. No gain anywhere."""
    scores = np.full((studies, 2, conditions + 1, seeds), GUESSING)
    learns = rng.random((studies, conditions + 1, seeds)) < 0.5
    first = rng.random(learns.shape) < 0.5
    scores[:, CONTROL][learns & first] = GUESSING - 1.0
    scores[:, TREATED][learns & ~first] = GUESSING - 1.0
    return scores


def two_samenesses(rng: np.random.Generator, studies: int, seeds: int, conditions: int) -> Array:
    """*none* and *alike* on their edge at once, by different runs.

    The poor gains are the margin with hardly any noise. At the reference the plain runs' luck makes the gain a quarter,
    minus a quarter or, in one seed of 25, about 0: its median is 0, and *more* is hard to show.
    """
    scores = with_gains(rng, studies, seeds, levels(0.0, MARGIN)(conditions), NOISE / 10)
    runs = scores[:, CONTROL, REFERENCE]
    chance = rng.random(runs.shape)
    runs += np.select([chance < 0.48, chance < 0.96], [-0.25, 0.25], rng.uniform(-0.05, 0.05, runs.shape))
    return scores


def two_samenesses_exact(conditions: int) -> Truth:
    """All noise is symmetric."""
    margin = np.full(conditions, MARGIN)
    return Truth(margin, margin, margin)


def noisy_reference(rng: np.random.Generator, studies: int, seeds: int, conditions: int) -> Array:
    """No gain anywhere, wide noise at the poor conditions, wider at the reference: two signs that hardly agree."""
    scores = with_gains(rng, studies, seeds, np.zeros(conditions + 1), WIDE)
    scores[:, :, REFERENCE] += rng.normal(0, 4 * WIDE, scores[:, :, REFERENCE].shape)
    return scores


def no_gain(conditions: int) -> Truth:
    """Nothing anywhere."""
    zero = np.zeros(conditions)
    return Truth(zero, zero, zero)


def crossed(rng: np.random.Generator, studies: int, seeds: int, conditions: int) -> Array:
    """*more* false by its two parts in turn. A coin makes the gain at the reference -1 or 1.

    At the first poor condition the gain lies above that always, and above 0 by the coin; at the second above 0 always,
    and above that of the reference by the coin; further ones gain 10.
    """
    scores = learning(rng, (studies, 2, conditions + 1, seeds))
    heads = rng.random((studies, seeds)) < 0.5
    scores[:, TREATED, REFERENCE] -= np.where(heads, 1.0, -1.0)
    poor = (np.where(heads, 2.0, -0.5), np.full(heads.shape, 0.5), np.full(heads.shape, 10.0))
    for condition in range(1, conditions + 1):
        scores[:, TREATED, condition] -= poor[min(condition, 3) - 1]
    return scores


def _stuck_settings() -> list[Setting]:
    found = []
    for percent in (5, 10, 20):
        share = percent / 100
        found += [
            Setting(f"bn-stuck-{percent}", "treated runs stick everywhere, and nothing else differs", stuck(share)),
            Setting(f"bn-stuck-even-{percent}", "treated runs stick; the median gain is 0", stuck_even(share)),
            Setting(f"bn-stuck-no-mean-{percent}", "treated runs stick; the mean gain is 0", stuck_no_mean(share)),
            Setting(f"bn-stuck-equal-{percent}", "treated runs stick; the median difference is 0", stuck_equal(share)),
            Setting(f"plain-stuck-{percent}", "plain runs stick at the reference; edge of mainly", plain_stuck(share)),
        ]
    return found


_ALL = (
    normal("null", "no gain anywhere, little noise", levels(0, 0)),
    normal("null-wide", "no gain anywhere, wide noise", levels(0, 0), WIDE),
    normal("equal", "a gain of 1 everywhere", levels(1, 1)),
    normal("equal-wide", "a gain of 5 everywhere, wide noise", levels(5, 5), WIDE),
    normal("margin", "the margin at the poor conditions, nothing at the reference", levels(0, MARGIN)),
    normal("margin-loss", "a loss of the margin at the poor conditions, nothing at the reference", levels(0, -MARGIN)),
    normal("margin-everywhere", "the margin everywhere: none is false, alike true", levels(MARGIN, MARGIN)),
    normal("margin-above", "1 at the reference and the margin more elsewhere", levels(1, 1 + MARGIN)),
    normal("edge-of-mainly", "0.5 at the reference and k times that elsewhere", levels(0.5, 0.5 * K)),
    normal("edge-of-mainly-wide", "5 at the reference and k times that elsewhere, wide noise", levels(5, 5 * K), WIDE),
    normal("reference-alone", "1 at the reference and nothing elsewhere", levels(1, 0)),
    normal("reference-alone-wide", "5 at the reference and nothing elsewhere, wide noise", levels(5, 0), WIDE),
    normal("reference-loses", "a loss of 5 at the reference and nothing elsewhere, wide noise", levels(-5, 0), WIDE),
    normal("margins-mixed", "the margin at the reference, twice that at the first poor one, the margin elsewhere",
           levels(MARGIN, 2 * MARGIN, MARGIN), NOISE / 5),
    normal("edges-mixed", "5 at the reference and all but the first poor one, k times that there, wide noise",
           levels(5, 5 * K, 5), WIDE),
    normal("edges-three", "5 at the reference and most others, k times that at one, nothing at another, wide noise",
           levels(5, 5 * K, 0, 5), WIDE),
    normal("one-equal", "5 at the reference and the first poor one, much more elsewhere, wide noise",
           levels(5, 5, 50), WIDE),
    Setting("skewed", "skewed noise, the median gain 0 everywhere", skewed, skewed_exact),
    Setting("skewed-edge", "skewed noise at the edge of mainly", skewed_edge, skewed_edge_exact),
    Setting("heavy", "Cauchy noise, no gain", heavy, no_gain),
    Setting("noisy-reference", "wide noise, wider at the reference, no gain", noisy_reference, no_gain),
    Setting("tied", "both arms stick in six of ten seeds, the treated learns in the others", tied),
    Setting("tied-to-harm", "both arms stick in six of ten seeds, the plain learns in the others", tied_to_harm),
    Setting("tied-half", "both arms stick in half of the seeds, a fair coin decides the others", tied_half, no_gain),
    Setting("two-samenesses", "none and alike on their edge by different runs", two_samenesses, two_samenesses_exact),
    Setting("crossed", "more is false by its two parts in turn", crossed),
    *_stuck_settings(),
)  # fmt: skip
SETTINGS = {setting.name: setting for setting in _ALL}
