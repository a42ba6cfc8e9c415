"""What a value says as an error: of accuracies, error rates, losses, and values on a scale of their own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bnstudy.analysis.external.asked import Asked, Scale
from bnstudy.analysis.external.columns import Levels
from bnstudy.analysis.external.runs import Runs
from bnstudy.analysis.external.tables import counted, nearest, shortened
from bnstudy.study.errors import InputError

WHOLE = 0.1  # of a sample: how far from a whole number of wrong ones a rounded accuracy leads
ROUNDING = 2e-7  # of a share that was computed with 32 bits: closer values are the same
STUCK = "runs that diverged alone count as failed (--{})"
MOST_BEYOND = 0.5  # of the values, better than the best or worse than the worst
CLEARLY = 1.1  # times the error of guessing: chance alone does not lead there
SLIP = 1e-6  # beyond 0 and 1, of means that were taken with 32 bits
LEAST = 0.01  # of a scale: the smallest error where there is no other measure

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Errors:
    """The error of every row; NaN where the value is no number.

    Attributes
    ----------
    error : array (rows)
        Above 0, and at most `guess`.
    guess : float, optional
        The error of guessing, where it is known.
    notes : tuple of str
        What was assumed.
    assumed : tuple of str
        The same in a few words, each with the option that says otherwise, to stand by the verdicts.
    """

    error: Array
    guess: float | None
    notes: tuple[str, ...]
    assumed: tuple[str, ...] = ()


def errors_of(runs: Runs, asked: Asked) -> Errors:
    """The error of every row.

    An accuracy of a test set of N samples is the error (wrong + 1/2)/(N + 1); without N it is 1 − accuracy, and no less
    than half the smallest step between values. A loss is an error as it is. On a scale the error is the share of the
    way from `best` to `worst`, between 0.01 and 1.

    Raises
    ------
    InputError
        The values are not what was said.
    """
    if not np.isfinite(runs.value).any():
        raise InputError(f"no run has a number in {asked.value!r}", "value")
    if asked.best is not None:
        return _on_scale(runs, asked)
    share = runs.value
    if asked.percent:
        low, high = float(np.nanmin(share)), float(np.nanmax(share))
        if asked.is_rate and (low < -100 * SLIP or high > 100 * (1 + SLIP)):
            raise InputError(f"{asked.value!r} goes from {low:g} to {high:g}: no percentages", "percent")
        if high <= 1:
            raise InputError(f"{asked.value!r} is at most {high:g}: shares already, leave this out", "percent")
        share = share / 100
    found = _of_rates(share, runs, asked) if asked.is_rate else _of_losses(share, asked)
    if found.guess is None:
        return found
    beyond, total = int((found.error > CLEARLY * found.guess).sum()), int(np.isfinite(found.error).sum())
    told = f"{beyond:,} of {counted(total, 'value')} are worse than guessing, and count as it"
    notes = (*found.notes, f"{told}: an error of {found.guess:g} (--{'classes' if asked.is_rate else 'guess'})")
    return replace(found, error=np.minimum(found.error, found.guess),
                   notes=notes if beyond > MOST_BEYOND * total else found.notes)  # fmt: skip


def _of_losses(loss: Array, asked: Asked) -> Errors:
    low = float(np.nanmin(loss))
    if low <= 0:
        raise InputError(
            f"{asked.value!r} goes down to {low:g}: a loss must be above 0; of an error rate say --test-size, of a "
            "value that can be 0 or below what is best and worst (--best, --worst)", "value",
        )  # fmt: skip
    unknown = "no loss of guessing is known (--guess): a loss counts however large it is"
    if asked.guess:
        return Errors(loss, asked.guess, ())
    return Errors(loss, None, (unknown,), (STUCK.format("guess"),))


def _of_rates(share: Array, runs: Runs, asked: Asked) -> Errors:
    low, high = float(np.nanmin(share)), float(np.nanmax(share))
    if low >= -SLIP and high <= 1 + SLIP:
        share = np.clip(share, 0.0, 1.0)
    else:
        hint = "of percentages say --percent, " if low >= 0 and 1 < high <= 100 else ""
        raise InputError(
            f"{asked.value!r} goes from {low:g} to {high:g}, no accuracy: {hint}of a loss --lower-is-better, of a "
            "reward or another value what is best and worst (--best, --worst)", "value",
        )  # fmt: skip
    wrong = share if asked.lower_is_better else 1 - share
    guess = 1 - 1 / asked.classes if asked.classes else None
    notes = [] if guess else ["the error of guessing is not known (--classes): no run is called stuck"]
    assumed = [] if guess else [STUCK.format("classes")]
    if asked.test_size:
        number = wrong * asked.test_size
        whole = np.rint(number)
        if np.nanmax(np.abs(number - whole)) <= WHOLE:
            number = whole
        else:
            notes.append(f"{asked.value} is no whole number of samples of {asked.test_size:,}: is the size right?")
        return Errors((number + 0.5) / (asked.test_size + 1), guess, tuple(notes), tuple(assumed))
    seen = np.unique(share[np.isfinite(share)])
    steps = np.diff(seen)
    steps = steps[steps > ROUNDING]
    least = float(steps.min()) / 2 if len(steps) else 0.0
    if np.nanmin(wrong) <= ROUNDING and (least < 10 * ROUNDING):
        perfect = 0 if asked.lower_is_better else 1
        raise InputError(f"{asked.value!r} reaches {perfect}, and its values do not tell how fine it is measured: "
                         "needed", "test_size")  # fmt: skip
    what = asked.value if asked.lower_is_better else f"1 − {asked.value}"
    notes.append(f"error = {what}, no less than {least:.3g}, half the smallest step between values (--test-size)")
    assumed = [f"no error is below {least:.3g} (--test-size)", *assumed]
    return Errors(np.maximum(wrong, least), guess, tuple(notes), tuple(assumed))


def _on_scale(runs: Runs, asked: Asked) -> Errors:
    """Errors as shares of the way from best to worst at each level of the condition."""
    labels = runs.labels["condition"]
    best, worst = (_per_level(scale, labels, key) for scale, key in ((asked.best, "best"), (asked.worst, "worst")))
    for label, good, bad in zip(labels, best, worst, strict=True):
        if (good >= bad) if asked.lower_is_better else (good <= bad):
            than = "below" if asked.lower_is_better else "above"
            raise InputError(f"must be {than} the worst at {shortened(label)!r}, not {good:g} with {bad:g}", "best")
    level = runs.table["condition"].to_numpy()[runs.run]
    share = (best[level] - runs.value) / (best - worst)[level]
    notes = [f"error = share of the way from best to worst, from {LEAST} to 1; the worst counts as guessing"]
    total = int(np.isfinite(share).sum())
    for key, beyond, counts_as in (("best", share < 0, f"an error of {LEAST}"), ("worst", share > 1, "guessing")):
        if not beyond.any():
            continue
        goes = f"{asked.value!r} goes from {np.nanmin(runs.value):g} to {np.nanmax(runs.value):g}"
        told = f"{beyond.sum():,} of {counted(total, 'value')} are {'better' if key == 'best' else 'worse'} than"
        if beyond.sum() > MOST_BEYOND * total:
            raise InputError(f"{told} this: all would count as the same; {goes}", key)
        notes.append(f"{told} --{key}, and count as {counts_as}: {goes}")
    return Errors(np.clip(share, LEAST, 1.0), 1.0, tuple(notes))


def _per_level(scale: Scale, labels: list[str], key: str) -> Array:
    given = scale if isinstance(scale, Mapping) else dict.fromkeys(labels, scale)
    are_numbers = all(_is_number(label) for label in labels)
    levels = Levels(np.zeros(0, np.intp), labels, are_numbers)
    found: dict[str, float] = {}
    for said, number in given.items():
        label = levels.label_of(said)
        if label not in labels:
            raise InputError(f"no level {shortened(said)!r}{nearest(label, labels)} of the condition", key)
        if label in found:
            raise InputError(f"has two numbers for the level {shortened(label)!r}", key)
        if not isinstance(number, int | float) or not math.isfinite(number):
            raise InputError(f"must be a number at {shortened(said)!r}, not {shortened(number)!r}", key)
        found[label] = float(number)
    lacking = [label for label in labels if label not in found]
    if lacking:
        raise InputError(f"has no number for {shortened(lacking[0])!r}: every level of the condition needs one", key)
    return np.array([found[label] for label in labels])


def _is_number(label: str) -> bool:
    try:
        return math.isfinite(float(label))
    except ValueError:
        return False
