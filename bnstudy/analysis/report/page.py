"""The page: what it says and in which order, filled into its template."""

from __future__ import annotations

import base64
import io
import json
import math
from dataclasses import dataclass
from typing import Any

import xarray as xr
from markupsafe import Markup
from PIL import Image

from bnstudy.analysis import claims
from bnstudy.analysis.figures import panels, style
from bnstudy.analysis.figures.describing import describe
from bnstudy.analysis.figures.gains import FIRST, gain_table
from bnstudy.analysis.predictions import checked
from bnstudy.analysis.report.rows import CELL, MOST_CELLS, cell_rows, curves, measures
from bnstudy.analysis.report.template import RELOAD, fill
from bnstudy.analysis.results import Judged, Results
from bnstudy.analysis.tables.predictions import prediction_table
from bnstudy.analysis.tables.report_claims import claims_table
from bnstudy.analysis.tables.selected_rates import selection_table
from bnstudy.analysis.tables.sentences import answers
from bnstudy.analysis.tables.table import Table
from bnstudy.analysis.tables.verdicts import MEANINGS, meaning, rows, verdict_table
from bnstudy.analysis.verdict import WORDS
from bnstudy.study.errors import InputError
from bnstudy.study.registry import figures

MOST_VERDICTS = 200  # rows of the verdict's table
MOST_SENTENCES = 40  # models told of in words
COLOURS = 128  # of an embedded picture; an octree keeps those of thin lines too
WIDEST = 1800  # pixels of one
FACTS = ("dataset", "data_sha256", "created", "device", "kernel", "machine", "instructions", "switches", "versions",
         "plugins", "environment", "git_commit", "study_hash")  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """A figure as embedded: its name, what it shows, what stands for it, and a data address."""

    name: str
    label: str
    caption: str
    alt: str
    numbers: Table
    address: str
    width: int
    height: int


def render(results: Judged, reloads: bool = False) -> str:
    """The page of a study's results, or of other runs that were judged, as text; one that `reloads` itself or not."""
    study = results if isinstance(results, Results) else None
    runs, why = results.runs, ""
    result: xr.Dataset | None = None
    try:
        result = results.assessment
    except InputError as error:  # a study of one arm has no verdict, and still its curves
        why = str(error)
    table = cell_rows(results)
    pictures = _pictures(results)
    judged = rows(result) if result is not None else []
    answered = claims.claims(study) if study and judged and claims.are_about(study) else []
    told = answers(result) if judged and result is not None else []
    expected = checked(result, study.declared) if study and result is not None else []
    if result is not None and not judged:  # the reference alone, or nothing declared poor
        why = f"no level of {results.criteria.condition} is declared poor, so nothing is compared with the reference"
    return fill(
        "page.html",
        ["page.js", *([RELOAD] if reloads else [])],
        reloads=reloads,
        title=results.title,
        is_study=study is not None,
        so_far=study.so_far if study else "",
        question=str(study.declared.get("question", "")) if study else "",
        predictions=[_words(told) for told in study.declared.get("predictions", [])] if study else [],
        predicted=prediction_table(expected) if expected else None,
        n=panels.seeds(runs),
        criteria=results.criteria,
        sentences=[(model, *_parted(text)) for model, text in told[:MOST_SENTENCES]],
        untold=len(told[MOST_SENTENCES:]),
        why=why,
        counts=[(word, sum(row["verdict"] == word for row in judged)) for word in WORDS],
        meanings={word: meaning(word, result.attrs) for word in MEANINGS} if result is not None else {},
        verdicts=None if result is None else _cut(verdict_table(result) if judged else gain_table(results)),
        selected=_cut(selection_table(study)) if study and judged and study.can_select else None,
        claims=claims_table(answered, study) if answered and study else None,
        warnings=[text for text in result.attrs["warnings"] if judged or "verdicts" not in text] if result else [],
        headline=next((p for name in FIRST for p in pictures if p.name == name), None),
        pictures=pictures,
        cells=table,
        measures=measures(results),
        treatment=results.criteria.treatment,
        condition=results.criteria.condition,
        several=[name for name in ("model", "setting") if runs.sizes[name] > 1 or runs[name].values[0]],
        n_cells=math.prod(runs.sizes[name] for name in CELL),
        most_cells=MOST_CELLS,
        data=_json(curves(results, table)),
        settings=str(runs.attrs.get("study", "")).strip(),
        notes=[] if study else list(results.scores.notes),
        facts=[(name.replace("_", " "), str(runs.attrs[name])) for name in FACTS if runs.attrs.get(name)],
    )


def _parted(text: str) -> tuple[str, str]:
    """The first sentence of an answer, which a hurried reader should see, and the rest."""
    first, stop, rest = text.partition(". ")
    return first + stop.strip(), rest


def _words(prediction: Any) -> str:
    """A prediction as it was written, without what would confirm it."""
    return str(prediction["text"] if isinstance(prediction, dict) else prediction)


def _json(value: Any) -> Markup:
    """JSON that can stand in a script element: no character of it can end the element."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=True)
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def _cut(table: Table) -> Table:
    if len(table.rows) <= MOST_VERDICTS:
        return table
    note = f"the first {MOST_VERDICTS} of {len(table.rows)} comparisons; `bnstudy analyze --csv` has all"
    return Table(table.title, table.header, table.rows[:MOST_VERDICTS], (*table.notes, note), table.labels)


def _pictures(results: Judged) -> list[Picture]:
    """Every figure that applies, as a picture of few colours."""
    found = []
    for name, entry in figures.items():
        with style.house_style():
            figure = style.drawn(name, results)
            drawn = io.BytesIO()
            if figure is not None:
                style.write(figure, drawn, "png")
                told = describe(name, results, figure)
        if figure is not None:
            with Image.open(drawn) as image:
                small = io.BytesIO()
                image.thumbnail((WIDEST, image.height))
                image.convert("RGB").quantize(COLOURS, Image.Quantize.FASTOCTREE).save(small, "PNG", optimize=True)
                address = "data:image/png;base64," + base64.b64encode(small.getvalue()).decode()
                about = (entry.label, entry.about["caption"], told.alt, told.table)
                found.append(Picture(name, *about, address, *image.size))
    return found
