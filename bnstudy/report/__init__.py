"""The report: one self-contained HTML page of a study, verdict first."""

from __future__ import annotations

from bnstudy.report.page import render, write_report

__all__ = ["render", "write_report"]
