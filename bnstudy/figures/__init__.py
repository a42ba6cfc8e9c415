"""Figures: one function each, ``(dataset, ax=None)``, registered, drawn from the stored dataset alone."""

from __future__ import annotations

from bnstudy.figures import curves, effects, rates, robustness, summaries, theory

__all__ = ["curves", "effects", "rates", "robustness", "summaries", "theory"]
