"""Figures: one function each, ``(results, ax=None)``, registered, drawn from a study's results alone."""

from __future__ import annotations

# In the order in which galleries and pages show them.
from bnstudy.analysis.figures import learning_curves, gains, rates, multiverse, pairs, survival, accuracy, depth  # isort: skip

__all__ = ["accuracy", "depth", "gains", "learning_curves", "multiverse", "pairs", "rates", "survival"]
