"""Figures: one function each, ``(dataset, ax=None)``, registered, drawn from the stored dataset alone."""

from __future__ import annotations

from bnstudy.analysis.figures import accuracy, depth, effects, learning_curves, rates, survival

__all__ = ["accuracy", "depth", "effects", "learning_curves", "rates", "survival"]
