"""A figure in words and numbers, for whoever does not see it: a short alternative text and a table."""

from __future__ import annotations

from dataclasses import dataclass, replace

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bnstudy.analysis.figures.reading import Mark, columns_in_order, marks_of, rules_of
from bnstudy.analysis.results import Judged
from bnstudy.analysis.tables.table import Table
from bnstudy.study.errors import told_as
from bnstudy.study.registry import figures

MOST_ROWS = 200
MOST_WORD = 14  # letters of what stands before a number in a column's name
AT = "at"  # where that is longer, or there is none
COLORBAR = "<colorbar>"  # Matplotlib's name of the axes of one
READ = "in square brackets the ends of a bar, in round ones those of a band"


@dataclass(frozen=True)
class Description:
    """What stands for a figure: a text of one line, and its numbers."""

    alt: str
    table: Table


@dataclass(frozen=True)
class _Panel:
    """What is drawn in a panel: its title, what its values are, what lies along its x axis, and the numbers."""

    title: str
    values: str
    along: str
    drawn: list[Mark]


def describe(name: str, results: Judged, figure: Figure) -> Description:
    """Of a registered figure as drawn: its own table where it is registered with one, else what can be read from it.

    InputError if its ``table=`` fails.
    """
    entry = figures[name]
    own = entry.about.get("table")
    if own is None:
        return describe_drawn(entry.label, figure)
    with told_as(f"the table of figure {name!r} cannot be made"):
        table = own(results)
        if not isinstance(table, Table):
            raise TypeError(f"it gives a {type(table).__name__}, not a Table")
    panels = _read_panels(figure, False)
    label = entry.label if panels or not table.rows else f"{entry.label}: {', '.join(table.rows[0])}"
    return Description(_alternative(label, panels), _cut(table, _notes(figure)))


def describe_drawn(label: str, figure: Figure) -> Description:
    """Of any figure, by what is drawn in it."""
    panels = _panels(figure)
    alt = _alternative(label, panels)
    if not panels:
        return Description(alt, _axes_alone(label, figure))
    columns = columns_in_order(mark for panel in panels for mark in panel.drawn)
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for panel in panels:
        for mark in panel.drawn:
            found = cells.setdefault((panel.title, mark.row), {})
            found[mark.column] = f"{found[mark.column]}; {mark.text}" if mark.column in found else mark.text
    several = len({title for title, _ in cells}) > 1
    rows = [(*((title,) if several else ()), row, *(found.get(column, "–") for column in columns))
            for (title, row), found in cells.items()]  # fmt: skip
    values, along = ({getattr(panel, name) for panel in panels} for name in ("values", "along"))
    of = f": {values.pop()}" if len(values) == 1 and all(values) else ""
    called = [text for text in along if text and any(column.startswith(f"{AT} ") for column in columns)]
    notes = [*_notes(figure), *_read(rows), *(f"{AT}: {text}" for text in called if len(text) > MOST_WORD),
             *dict.fromkeys(rule for panel in figure.axes for rule in rules_of(panel))]  # fmt: skip
    header = (*(("panel",) if several else ()), "what", *columns)
    return Description(alt, _cut(Table(f"{label}, in numbers{of}", header, tuple(rows), labels=1 + several), notes))


def _panels(figure: Figure) -> list[_Panel]:
    """Every panel that holds numbers."""
    return _read_panels(figure, False) or _read_panels(figure, True)


def _read_panels(figure: Figure, unnamed: bool) -> list[_Panel]:
    axes = [one for one in figure.axes if one.get_label() != COLORBAR]
    bar = next((one.get_ylabel() for one in figure.axes if one.get_label() == COLORBAR), "")
    found = []
    for panel in axes:
        along = _shared(panel, axes, "xlabel", "colspan")
        drawn = marks_of(panel, along if 0 < len(along) <= MOST_WORD else AT, unnamed)
        values = bar if panel.images else _shared(panel, axes, "ylabel", "rowspan") or along
        if drawn:
            found.append(_Panel(_shared(panel, axes, "title", "colspan"), values, along, drawn))
    if len({one.values for one in found}) > 1:
        found = [replace(one, title=", ".join(filter(None, (one.title, one.values)))) for one in found]
    return found


def _shared(panel: Axes, axes: list[Axes], what: str, span: str) -> str:
    """The title or a label of a panel, which may stand at another of its row or column alone."""

    def written(one: Axes) -> str:
        return " ".join(str(getattr(one, f"get_{what}")()).split())

    def place(one: Axes) -> range | None:
        return getattr(one.get_subplotspec(), span, None)

    return written(panel) or next((written(one) for one in axes if written(one) and place(one) == place(panel)), "")


def _alternative(label: str, panels: list[_Panel]) -> str:
    """One line: what is drawn, from what to what, in which panels."""
    ranges = []
    for kind in dict.fromkeys(panel.values for panel in panels):
        values = [value for panel in panels if panel.values == kind for mark in panel.drawn for value in mark.values]
        if values:
            ranges.append(f"{kind or 'values'} from {min(values):.3g} to {max(values):.3g}")
    titles = list(dict.fromkeys(panel.title for panel in panels if panel.title))
    named = f" in {len(titles)} panels" if len(titles) > 4 else f" ({'; '.join(titles)})" if titles else ""
    told = f": {', '.join(ranges[:3])}{named}" if ranges else ""
    return f"{label}{told}. Its numbers stand below."


def _axes_alone(label: str, figure: Figure) -> Table:
    """Of a figure of which no number can be read: what its axes are, and what is written in it."""
    rows = []
    for panel in figure.axes:
        for name, text, (low, high) in (("x", panel.get_xlabel(), panel.get_xlim()),
                                        ("y", panel.get_ylabel(), panel.get_ylim())):  # fmt: skip
            rows.append((text or f"{name} axis", f"{low:.4g}", f"{high:.4g}"))
    written = [text.get_text() for panel in figure.axes for text in panel.texts if text.get_text()]
    notes = [*_notes(figure), *([f"written in it: {'; '.join(written)}"] if written else [])]
    return _cut(Table(f"{label}: its axes", ("axis", "from", "to"), tuple(rows)), notes)


def _notes(figure: Figure) -> list[str]:
    note = " ".join(figure.get_supxlabel().split())
    return [note] if note else []


def _read(rows: list[tuple[str, ...]]) -> list[str]:
    return [READ] if any("[" in text or " to " in text for row in rows for text in row[1:]) else []


def _cut(table: Table, notes: list[str]) -> Table:
    if len(table.rows) > MOST_ROWS:
        notes = [*notes, f"the first {MOST_ROWS} of {len(table.rows)} rows"]
    return Table(table.title, table.header, table.rows[:MOST_ROWS], (*table.notes, *notes), table.labels)
