"""Curves that other tools wrote: from files or a table to one score a run.

What changes the answer is never guessed: a table that can be read in two ways is refused in one line that says what is
wrong and how it is mended, and all that was assumed is told in the notes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bnstudy.analysis.external.asked import Asked
from bnstudy.analysis.external.columns import melted
from bnstudy.analysis.external.files import load
from bnstudy.analysis.external.names import with_factors
from bnstudy.analysis.external.run_table import with_run_table
from bnstudy.analysis.external.runs import runs_of
from bnstudy.analysis.external.scores import Scored, score

__all__ = ["Asked", "Scored", "read"]


def read(sources: Any | str | Path | Sequence[str | Path], asked: Asked) -> Scored:
    """One score for each run of somebody's learning curves.

    Parameters
    ----------
    sources : DataFrame, path, or several paths
        A long table, one row a run and step: a file (CSV or the like, JSON lines, Parquet; gzip too), a folder of such
        files, several of either, or a pandas DataFrame.
    asked : Asked
        Which column is what, and what the values are.

    Returns
    -------
    Scored

    Raises
    ------
    InputError
        Something is missing, or can be read in more than one way; one line with the mend.
    """
    asked.check()
    table = load(sources, asked)
    if asked.wide:
        table = melted(table, asked)
    if asked.from_name is not None:
        table = with_factors(table, asked)
    if asked.runs is not None:
        table = with_run_table(table, asked)
    return score(runs_of(table, asked), asked)
