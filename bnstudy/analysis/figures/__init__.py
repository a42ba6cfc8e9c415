"""Figures: one function each, ``(dataset, ax=None)``, registered, drawn from the stored dataset alone."""

from __future__ import annotations

# In the order in which galleries and pages show them.
from bnstudy.analysis.figures import learning_curves, effects, rates, survival, accuracy, depth  # isort: skip

__all__ = ["accuracy", "depth", "effects", "learning_curves", "rates", "survival"]
