"""How results show themselves in a notebook and on a terminal: the answer, a small figure, a short table."""

from __future__ import annotations

import base64
import io
from html import escape

from bnstudy.analysis.figures import style
from bnstudy.analysis.figures.describing import describe
from bnstudy.analysis.figures.gains import gain_table
from bnstudy.analysis.results import Judged
from bnstudy.analysis.tables.sentences import answers
from bnstudy.analysis.tables.table import Table
from bnstudy.analysis.tables.verdicts import verdict_table
from bnstudy.study.errors import InputError
from bnstudy.study.registry import figures
from bnstudy.study.shown import table

FIGURES = ("gain-by-condition", "forest")  # the first that applies
MOST_ROWS = 20  # of the table
WIDEST = 480  # pixels of the figure


class Verdict:
    """The answer of some results: in words, and in a notebook with a figure and a table."""

    def __init__(self, results: Judged) -> None:
        self._results = results

    def __repr__(self) -> str:
        """What one should know first, then a sentence or more a model."""
        warnings, sentences, why = self._told()
        return "\n".join([*(f"note: {text}" for text in warnings), *sentences, *([why] if why else [])])

    def _repr_html_(self) -> str:
        warnings, sentences, why = self._told()
        notes = "".join(f"<li>{escape(text)}</li>" for text in warnings)
        parts = [f"<p>{escape(text)}</p>" for text in [*sentences, *([why] if why else [])]]
        parts += [f"<ul>{notes}</ul>"] if notes else []
        return "".join(parts) if why else "".join([*parts, self._figure(), self._table()])

    def _told(self) -> tuple[list[str], list[str], str]:
        """What to know first, the sentences, and why there are none."""
        try:
            result = self._results.assessment
        except InputError as error:  # such as a study of one arm
            return [], [], f"There is no verdict: {error}."
        if not self._results.criteria.poor:
            condition = self._results.criteria.condition
            return [], [], f"There is no verdict: no level of {condition} is declared poor."
        told = [f"{model}: {text}" if model else text for model, text in answers(result)]
        return list(result.attrs["warnings"]), told, ""

    def _table(self) -> str:
        result = self._results.assessment
        full: Table = verdict_table(result) if self._results.criteria.poor else gain_table(self._results)
        more = len(full.rows) - MOST_ROWS
        caption = full.title + (f", the first {MOST_ROWS} of {len(full.rows)}" if more > 0 else "")
        return table(caption, full.header, full.rows[:MOST_ROWS])

    def _figure(self) -> str:
        """The first figure that applies, as an SVG in an image of its own: no name in it meets another's."""
        for name in FIGURES:
            with style.house_style():
                figure = style.drawn(name, self._results)
                if figure is None:
                    continue
                drawn = io.BytesIO()
                style.write(figure, drawn, "svg")
                alt = describe(name, self._results, figure).alt
            address = base64.b64encode(drawn.getvalue()).decode()
            look = f"max-width:{WIDEST}px;width:100%"
            label = escape(f"{figures[name].label}. {alt}", quote=True)
            return f'<img src="data:image/svg+xml;base64,{address}" style="{look}" alt="{label}">'
        return ""
