"""Figures: one function each, registered, drawn from the stored dataset alone."""

from __future__ import annotations

from bnstudy.figures import curves, summaries

__all__ = ["curves", "summaries"]
