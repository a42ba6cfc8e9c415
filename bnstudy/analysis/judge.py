"""Anyone's learning curves, judged by the words of a study."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from bnstudy.analysis.assessment import Scores
from bnstudy.analysis.criteria import Criteria
from bnstudy.analysis.external import Asked, Scored, read
from bnstudy.analysis.results import Judged
from bnstudy.study.schema import Status

if TYPE_CHECKING:
    import pandas as pd


class JudgedRuns(Judged):
    """Runs of a table: scored, and judged like a study's.

    Parameters
    ----------
    scored : Scored
        Every run's score.
    criteria : Criteria
        By which they are judged.
    title : str
        What they are.
    """

    def __init__(self, scored: Scored, criteria: Criteria, title: str) -> None:
        self._scored, self._criteria, self._title = scored, criteria, title

    @property
    def criteria(self) -> Criteria:
        """By what they are judged."""
        return self._criteria

    @cached_property
    def runs(self) -> xr.Dataset:
        """``log2_error`` over model, setting, condition, arm, seed and epoch, and the runs' ``status``."""
        there = self._scored.scores.notnull()
        status = xr.where(there, int(Status.DONE), int(Status.PENDING))
        return xr.Dataset({"log2_error": self.log_errors, "status": status}, attrs={"title": self.title})

    @property
    def scores(self) -> Scores:
        """The score of every run and which failed."""
        found = self._scored
        return Scores(found.scores, found.failed, found.settings, found.notes, assumed=found.assumed)

    @property
    def log_errors(self) -> xr.DataArray:
        """log2 of the error on a common grid of steps, called ``epoch``."""
        return self._scored.curves.rename(step="epoch")

    @property
    def title(self) -> str:
        """What they are called."""
        return self._title


def judge(
    table: pd.DataFrame | str | Path | Sequence[str | Path],
    treatment: str,
    control: str,
    condition: str,
    reference: str,
    seed: str | None,
    step: str,
    value: str,
    *,
    mainly_times: float = 2.0,
    margin: float = 0.15,
    alpha: float = 0.05,
    title: str = "Learning curves",
    **options: Any,
) -> JudgedRuns:
    """Judge a long table of learning curves: does the treatment matter mainly under poor conditions?

    Parameters
    ----------
    table : DataFrame, path, or several paths
        One row a run and step; a file (CSV or the like, JSON lines, Parquet), a folder of such files, or several.
    treatment, control : str
        The column of the arms, and its untreated level.
    condition, reference : str
        The column of the conditions, and its good level; every level but those in ``well`` and this one is poor.
    seed, step, value : str
        The columns that pair the runs, order their rows, and were measured.
    mainly_times, margin, alpha : float
        How many times the gain at the reference *mainly* asks for; the halvings within which a gain counts as none; the
        share of studies that may hold a false word.
    title : str
        What they are called in figures and pages.
    **options
        All else that :class:`~bnstudy.analysis.external.Asked` knows: ``lower_is_better``, ``well``, ``by``,
        ``test_size``, ``classes``, ``guess``, ``percent``, ``best``, ``worst``, ``stopped``, ``unpaired``, ``wide``,
        ``from_name``, ``columns``, ``runs``.

    Returns
    -------
    JudgedRuns
        ``assessment`` holds gains, tests and words, ``scores.notes`` what was read.

    Raises
    ------
    InputError
        The table cannot be read, or in more than one way; one line with the mend.

    Examples
    --------
    Made-up runs in which ``new`` helps at the level ``bad`` alone:

    >>> import bnstudy, numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> rows = [
    ...     (method, level, seed, epoch, 0.9 - 0.4 * (level == "bad" and method == "plain") + rng.normal(0, 0.005))
    ...     for method in ("plain", "new") for level in ("good", "bad") for seed in range(8) for epoch in range(1, 4)
    ... ]
    >>> runs = pd.DataFrame(rows, columns=["method", "start", "seed", "epoch", "accuracy"])
    >>> judged = bnstudy.judge(
    ...     runs, treatment="method", control="plain", condition="start", reference="good", seed="seed", step="epoch",
    ...     value="accuracy", test_size=1000, classes=10,
    ... )
    >>> print(judged.assessment.word.sel(condition="bad").item())
    mainly
    """
    asked = Asked(treatment, control, condition, reference, seed, step, value, **options)
    scored = read(table, asked)
    roles = {
        str(level): "well" if level in scored.well else "poor" for level in scored.scores.condition.values.tolist()
    }
    criteria = Criteria(
        treatment=scored.treatment, control=scored.control, condition=scored.condition, reference=scored.reference,
        roles=roles, mainly_times=mainly_times, margin=margin, alpha=alpha, paired=not asked.unpaired,
    )  # fmt: skip
    return JudgedRuns(scored, criteria, title)
