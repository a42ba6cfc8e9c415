"""What the user said about a table: which column is what, and what its values are."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from bnstudy.study.errors import InputError

Scale = Mapping[str, float] | float | None  # a number for each level of the condition, or one for all
Stopped = Literal["failed", "missing", "carry"]

FALLING = {"loss", "nll", "perplexity", "ppl", "err", "error", "mse", "rmse", "mae"}  # words in names of values
RISING = {"acc", "accuracy", "auc", "auroc", "reward", "return", "rewards", "returns"}
MOST_SAMPLES = 10**12  # of a test set


@dataclass(frozen=True)
class Asked:
    """What was said about a table; every field is named as its option.

    Attributes
    ----------
    treatment, control, condition, reference : str
        The column of the arms and its untreated level; the column of the conditions and its good level.
    seed, step, value : str
        The columns that pair the runs, order their rows, and were measured. With `unpaired` the seed only tells runs
        apart, and may be None where each file or each column of a wide table is a run.
    lower_is_better : bool
        The value is a loss or an error.
    well, by : tuple of str
        Further levels of the condition that are good; further columns whose levels are settings of their own.
    test_size, classes : int, optional
        Of the test set by which an accuracy, or with `lower_is_better` an error rate, was measured.
    guess : float, optional
        The loss of guessing.
    percent : bool
        Accuracies or error rates lie between 0 and 100.
    best, worst : number or mapping, optional
        The scale of values that are neither accuracies nor losses, for all or for each level of the condition.
    stopped : str, optional
        What runs that end early are: ``failed`` crashed, ``missing`` lost, ``carry`` were done.
    unpaired : bool
        Runs of the same seed have nothing in common.
    wide : bool
        A column a run, called ``NAME - METRIC``; `value` is then the metric.
    from_name : str, optional
        Pattern such as ``{model}_{init}_{seed}`` by which names or paths hold factors.
    columns : tuple of str
        The names of the columns of files that have no header.
    runs : path or DataFrame, optional
        A table of one row a run, whose columns are joined to the curves by the runs' names.
    """

    treatment: str
    control: str
    condition: str
    reference: str
    seed: str | None
    step: str
    value: str
    lower_is_better: bool = False
    well: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    test_size: int | None = None
    classes: int | None = None
    guess: float | None = None
    percent: bool = False
    best: Scale = None
    worst: Scale = None
    stopped: Stopped | None = None
    unpaired: bool = False
    wide: bool = False
    from_name: str | None = None
    columns: tuple[str, ...] = ()
    runs: Any = field(default=None, compare=False)

    @property
    def factors(self) -> dict[str, str]:
        """The columns that tell runs apart, each with the option that names it."""
        found = {self.treatment: "treatment", self.condition: "condition"}
        if self.seed is not None:
            found[self.seed] = "seed"
        return found | dict.fromkeys(self.by, "by")

    @property
    def is_rate(self) -> bool:
        """Whether the value is an accuracy or an error rate, not a loss, and not on a scale of its own."""
        return self.best is None and (not self.lower_is_better or bool(self.test_size or self.classes))

    def check(self) -> None:
        """InputError where options contradict one another, or hold what they cannot."""
        self._check_columns()
        for key, least in (("test_size", 1), ("classes", 2)):
            number = getattr(self, key)
            if number is not None and not (isinstance(number, int) and least <= number <= MOST_SAMPLES):
                raise InputError(f"must be a whole number from {least} to {MOST_SAMPLES:,}, not {number!r}", key)
        if self.guess is not None and not (math.isfinite(self.guess) and self.guess > 0):
            raise InputError(f"must be the loss of guessing, above 0, not {self.guess!r}", "guess")
        if self.stopped is not None and self.stopped not in get_args(Stopped):
            raise InputError(f"must be one of {', '.join(get_args(Stopped))}, not {self.stopped!r}", "stopped")
        self._check_scale()

    def _check_columns(self) -> None:
        roles = [("treatment", self.treatment), ("condition", self.condition), ("step", self.step)]
        roles += [("value", self.value), *(("by", name) for name in self.by)]
        roles += [("seed", self.seed)] if self.seed is not None else []
        before: dict[str, str] = {}
        for key, name in roles:
            if not isinstance(name, str) or not name:
                raise InputError(f"must name a column, not {name!r}", key)
            if name in before:
                raise InputError(f"{name!r} is named as {before[name]} too: a column is one of them", key)
            before[name] = key
        if len(set(self.columns)) < len(self.columns):
            raise InputError("names a column twice", "columns")
        if self.seed is None and not self.unpaired:
            raise InputError(
                "name the column that pairs the runs; a table of means over seeds cannot be judged, only its runs",
                "seed",
            )

    def _check_scale(self) -> None:
        words = set(re.split(r"[^a-z]+", self.value.lower()))
        if self.best is None and not self.lower_is_better and words & FALLING and not words & RISING:
            raise InputError(
                f"{self.value!r} sounds as if less is better: say --lower-is-better, or rename it", "value"
            )
        if self.best is None and self.lower_is_better and words & RISING and not words & FALLING:
            raise InputError(
                f"{self.value!r} sounds as if more is better: leave this out, or rename it", "lower_is_better"
            )
        if (self.best is None) != (self.worst is None):
            lacking, given = ("worst", "best") if self.worst is None else ("best", "worst")
            raise InputError(f"is needed as well, since --{given} is given", lacking)
        others = {"test_size": self.test_size, "classes": self.classes, "guess": self.guess, "percent": self.percent}
        if self.best is not None and (said := [key for key, one in others.items() if one]):
            raise InputError("is of accuracies and losses; --best and --worst are a scale of their own", said[0])
        if self.percent and self.best is None and not self.is_rate:
            raise InputError("is of accuracies, and of error rates with --classes: a loss may have any unit", "percent")
        if self.guess is not None and self.is_rate:
            raise InputError("is the loss of guessing, for --lower-is-better; of an accuracy say --classes", "guess")
