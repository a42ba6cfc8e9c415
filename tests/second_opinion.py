"""A second implementation of the verdict, written from its specification alone: plain, slow, and obviously right.

It shares no code with ``bnstudy.analysis``, so that a test may hold one against the other. Where the specification can
be read in two ways, the reading taken is told at the function that takes it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from scipy.stats import binomtest

Run = tuple[str, str, int]  # arm, condition, seed

DIFFERENCES = ("helps", "harms", "more", "less", "mainly")
SAMENESSES = ("none", "alike")
TESTS = DIFFERENCES + SAMENESSES
# A word is said where all of these tests reject.
NEEDS = {"mainly": ("helps", "more", "mainly"), "more": ("helps", "more")}
# The first word that holds is the verdict.
ORDER = ("none", "mainly", "more", "harms", "less", "alike")
CONFIDENCE = Fraction(95, 100)


# --- Scores -----------------------------------------------------------------------------------------------------------


def errors(
    correct: Sequence[float], n_test: int, classes: int, diverged_epoch: int | None = None, first_epoch: int = 1
) -> list[float]:
    """The error at every epoch: (wrong + 1/2) / (N + 1), at most that of guessing, and that from divergence on.

    A ``diverged_epoch`` of -1 or None says that the run did not diverge; a count that is not finite counts as guessing
    from there on.
    """
    guess = 1 - 1 / classes
    found: list[float] = []
    has_diverged = False
    for epoch, count in enumerate(correct, start=first_epoch):
        if (diverged_epoch is not None and 0 <= diverged_epoch <= epoch) or not math.isfinite(count):
            has_diverged = True
        if has_diverged:
            found.append(guess)
        else:
            found.append(min(guess, (n_test - count + 0.5) / (n_test + 1)))
    return found


def score(
    correct_counts_by_epoch: Sequence[float], n_test: int, classes: int, diverged_epoch: int | None = None
) -> float:
    """L: the mean over the epochs of log2 of the error. The first count is that of epoch 1."""
    logs = [math.log2(error) for error in errors(correct_counts_by_epoch, n_test, classes, diverged_epoch)]
    return math.fsum(logs) / len(logs)


def failed(
    correct_counts_by_epoch: Sequence[float], n_test: int, classes: int, diverged_epoch: int | None = None
) -> bool:
    """Whether a run diverged, or never got below half the error of guessing."""
    found = errors(correct_counts_by_epoch, n_test, classes, diverged_epoch)
    if diverged_epoch is not None and diverged_epoch >= 0:
        return True
    return min(found) >= (1 - 1 / classes) / 2


# --- Exact tests ------------------------------------------------------------------------------------------------------


def at_least(successes: int, trials: int) -> Fraction:
    """The chance of so many heads or more in so many throws of a fair coin."""
    return Fraction(sum(math.comb(trials, i) for i in range(successes, trials + 1)), 2**trials)


def sign_test(values: Iterable[float]) -> Fraction:
    """One-sided exact p-value for a median above 0: a value of 0 is not above it. 1 where there is nothing."""
    listed = list(values)
    return at_least(sum(value > 0 for value in listed), len(listed))


def sameness_test(values: Sequence[float], margin: float) -> Fraction:
    """P-value for a median between -margin and margin: the larger of two one-sided sign tests."""
    return max(sign_test([value + margin for value in values]), sign_test([margin - value for value in values]))


def holm(raw: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """Holm's adjusted p-values."""
    adjusted: dict[str, Fraction] = {}
    largest = Fraction(0)
    for rank, name in enumerate(sorted(raw, key=lambda name: raw[name])):
        largest = max(largest, min(Fraction(1), (len(raw) - rank) * raw[name]))
        adjusted[name] = largest
    return adjusted


def median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the middle two; NaN of nothing."""
    ordered = sorted(values)
    if not ordered:
        return math.nan
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """The narrowest symmetric interval of order statistics that covers the median with 95 %; NaN where there is none.

    From the i-th smallest to the i-th largest it fails with twice the chance of fewer than i heads in n throws.
    """
    ordered, n = sorted(values), len(values)
    interval = (math.nan, math.nan)
    for i in range(1, n // 2 + 1):
        if 2 * at_least(n - i + 1, n) <= 1 - CONFIDENCE:
            interval = (ordered[i - 1], ordered[n - i])
    return interval


def ratio_at_least(pairs: Sequence[tuple[float, float]], level: Fraction) -> float:
    """The largest k >= 1 below which g(c) - k g(c0) > 0 is shown for every ratio from 1 on, by tests of this level.

    The pairs are (g(c), g(c0)). Infinity where no ratio is too large; NaN where even 1 is not shown. Signs change only
    where k is the ratio of a pair, so it is enough to look between those ratios.
    """

    def shown(k: float) -> bool:
        return sign_test([gain - k * reference for gain, reference in pairs]) <= level

    if not shown(1.0):
        return math.nan
    ratios = sorted({gain / reference for gain, reference in pairs if reference != 0 and gain / reference > 1})
    bounds = [1.0, *ratios]
    for low, high in zip(bounds, [*ratios, bounds[-1] * 2 + 1], strict=True):
        if not shown((low + high) / 2):  # between two ratios, or beyond the last
            return low
    return math.inf


def mcnemar(failures: Sequence[tuple[bool, bool]]) -> float:
    """Exact two-sided p-value of McNemar's test, of pairs (control failed, treated failed)."""
    control = sum(first and not second for first, second in failures)
    treated = sum(second and not first for first, second in failures)
    return float(min(Fraction(1), 2 * at_least(max(control, treated), control + treated)))


def failure_counts(failures: Sequence[tuple[bool, bool]]) -> dict[str, tuple[int, int, float, float]]:
    """By arm: how many failed, of how many, and the exact (Clopper and Pearson) 95 % interval of the share."""
    found = {}
    for arm, runs in (("control", [first for first, _ in failures]), ("treated", [second for _, second in failures])):
        share = binomtest(sum(runs), len(runs)).proportion_ci(float(CONFIDENCE), method="exact")
        found[arm] = (sum(runs), len(runs), float(share.low), float(share.high))
    return found


def selected_rates(validation: Mapping[tuple[float, int], float]) -> dict[int, float]:
    """The rate of every seed: the one of the least mean validation score over the other seeds; of two, the smaller.

    The scores are those of ``score``, by rate and seed. A rate must have run at every other seed to be chosen.
    """
    rates = sorted({rate for rate, _ in validation})
    seeds = sorted({seed for _, seed in validation})

    def mean_of_others(rate: float, seed: int) -> float:
        others = [validation.get((rate, other), math.inf) for other in seeds if other != seed]
        return math.fsum(others) / len(others)

    return {seed: min(rates, key=lambda rate: mean_of_others(rate, seed)) for seed in seeds}


# --- The verdict ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Opinion:
    """What is said of one poor condition. Intervals are NaN where there is none.

    ``p`` are the raw p-values of the single tests; ``p_word`` those of the words before Holm; ``p_holm`` after it.
    """

    n: int  # pairs at the condition
    n_both: int  # seeds that have a pair there and one at the reference
    gain: float
    gain_low: float
    gain_high: float
    reference_gain: float
    difference: float
    difference_low: float
    difference_high: float
    ratio_at_least: float
    p: dict[str, float]
    p_word: dict[str, float]
    p_holm: dict[str, float]
    holds: dict[str, bool]
    too_few: bool
    word: str


def gains(runs: Mapping[Run, float], control: str, treated: str, condition: str) -> dict[int, float]:
    """g = L(control) - L(treated) of every seed that has both."""
    seeds = sorted({seed for _, _, seed in runs})
    return {
        seed: runs[control, condition, seed] - runs[treated, condition, seed]
        for seed in seeds
        if (control, condition, seed) in runs and (treated, condition, seed) in runs
    }


def raw_tests(
    gain: Mapping[int, float], reference: Mapping[int, float], k: float, margin: float
) -> dict[str, Fraction]:
    """The p-values of the single tests at one condition: over its pairs, or over the seeds that have both pairs."""
    values = list(gain.values())
    both = [(gain[seed], reference[seed]) for seed in gain if seed in reference]
    differences = [here - there for here, there in both]
    return {
        "helps": sign_test(values),
        "harms": sign_test([-value for value in values]),
        "more": sign_test(differences),
        "less": sign_test([-difference for difference in differences]),
        "mainly": sign_test([here - k * there for here, there in both]),
        "none": sameness_test(values, margin),
        "alike": sameness_test(differences, margin),
    }


def opinions(
    runs: Mapping[Run, float],
    control: str,
    treated: str,
    reference: str,
    poor: Sequence[str],
    k: float = 2.0,
    margin: float = 0.15,
    alpha: float = 0.05,
) -> dict[str, Opinion]:
    """The opinion on every poor condition.

    A word that needs several tests takes the largest of their raw p-values, and these are adjusted over the poor
    conditions. That largest p-value is a valid one for "the word is false" (whichever part of it is false, its own
    p-value is small no more often than it says), so Holm over the words holds the chance of any false one at its level.
    Adjusting every test in its own family first and asking for all of them rejects more (Holm is monotone), but a word
    may then be false by one part here and by another part there, and the chances of the two add up.

    The gain is over all pairs of a condition; what compares it with the reference, over the seeds that have both pairs.
    Every poor condition counts in Holm's families, those without runs too.
    """
    there = gains(runs, control, treated, reference)
    here = {condition: gains(runs, control, treated, condition) for condition in poor}
    raw = {condition: raw_tests(here[condition], there, k, margin) for condition in poor}
    of_word = {
        condition: {test: max(raw[condition][part] for part in NEEDS.get(test, (test,))) for test in TESTS}
        for condition in poor
    }
    adjusted = {test: holm({condition: of_word[condition][test] for condition in poor}) for test in TESTS}
    exact_alpha = Fraction(str(alpha))
    level = dict.fromkeys(TESTS, exact_alpha / 2)

    found = {}
    for condition in poor:
        gain = here[condition]
        both = [(gain[seed], there[seed]) for seed in gain if seed in there]
        differences = [first - second for first, second in both]
        holds = {test: adjusted[test][condition] <= level[test] for test in TESTS}
        # Where all conditions are as clear as they can be, Holm multiplies the least p-value by their number.
        too_few = len(poor) * Fraction(1, 2 ** len(both)) > exact_alpha / 2
        # The level at which Holm decides this condition's own test, so that bound and word agree.
        used = exact_alpha / 2 * of_word[condition]["mainly"] / adjusted["mainly"][condition]
        bound = ratio_at_least(both, used)
        bound = 1.0 if math.isnan(bound) else bound
        found[condition] = Opinion(
            len(gain),
            len(both),
            median(list(gain.values())),
            *median_interval(list(gain.values())),
            median(list(there.values())),
            median(differences),
            *median_interval(differences),
            bound if holds["more"] else math.nan,
            {test: float(p) for test, p in raw[condition].items()},
            {test: float(p) for test, p in of_word[condition].items()},
            {test: float(adjusted[test][condition]) for test in TESTS},
            holds,
            too_few,
            next((word for word in ORDER if holds[word]), "unclear"),
        )
    return found


def notes(opinion: Opinion, learns: bool) -> list[str]:
    """What completes a word that misleads. ``learns``: whether any run of either arm got below half of guessing."""
    said = []
    if opinion.too_few:
        said.append("too few seeds to tell")
    if opinion.word == "none" and not learns:
        said.append("neither arm learns")
    if opinion.word == "harms" and opinion.holds["alike"]:
        said.append("as at the reference")
    if opinion.ratio_at_least == math.inf:
        said.append("no bound")
    if math.isnan(opinion.gain_low):
        said.append("no 95 % interval")
    return said
