"""How a study and a plan show themselves in a notebook and on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from bnstudy.study.factors import FACTORS

if TYPE_CHECKING:
    from bnstudy.study.plan import Ensemble
    from bnstudy.study.study import Study

MOST_LEVELS = 12  # of a factor that are spelled out


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Text in rows as HTML, in which no text becomes markup; the first column are labels."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    body = "".join(
        "<tr>" + "".join(f'<th scope="row">{escape(text)}</th>' if i == 0 else f"<td>{escape(text)}</td>"
                         for i, text in enumerate(row)) + "</tr>"
        for row in rows
    )  # fmt: skip
    return (
        f'<table><caption style="text-align:left">{escape(caption)}</caption>'
        f"{f'<thead><tr>{head}</tr></thead>' if head else ''}<tbody>{body}</tbody></table>"
    )


def study_line(study: Study) -> str:
    """``init-sweep: does norm matter mainly under poor init? 2 models x ... = 96 runs of 10 epochs on digits``."""
    counts = [(len(getattr(study, factor.key)), factor.key) for factor in FACTORS] + [(len(study.seeds), "seeds")]
    product = " × ".join(f"{n} {key.replace('_', ' ')}" for n, key in counts if n > 1)
    size = f"{product} = {study.n_runs} runs" if product else "1 run"
    asked = f"does {study.treatment} matter mainly under poor {study.condition}?"
    epochs = f"{study.epochs} epoch{'s' * (study.epochs > 1)}"
    return f"{study.title or study.name}: {asked} {size}, {epochs} of {study.dataset}"


def study_table(study: Study) -> str:
    """A study's levels as HTML, those of its condition with their roles."""
    rows = []
    for factor in FACTORS:
        levels = [factor.text(level) for level in getattr(study, factor.key)]
        if len(levels) < 2 and not factor.always:
            continue
        if factor.name == study.condition:
            marks = {study.reference: "reference"}
            levels = [f"{level} ({marks.get(level) or study.roles.get(level, '')})" for level in levels]
        elif factor.name == study.treatment:
            levels = [f"{level} (control)" if level == study.control else level for level in levels]
        rows.append((factor.name.replace("_", " "), _listed(levels)))
    rows.append(("seed", _listed([str(seed) for seed in study.seeds])))
    return table(study_line(study), (), rows)


def plan_line(plan: Sequence[Ensemble]) -> str:
    """``96 runs in 6 ensembles, each of which trains together``."""
    runs = sum(len(ensemble.runs) for ensemble in plan)
    return f"{runs} runs in {len(plan)} ensembles, each of which trains together"


def plan_table(plan: Sequence[Ensemble]) -> str:
    """A plan's ensembles, arm by arm, as HTML."""
    counts: dict[tuple[str, str], list[int]] = {}
    for ensemble in plan:
        counts.setdefault((ensemble.runs[0].model, ensemble.runs[0].norm), []).append(len(ensemble.runs))
    rows = [(model, norm, str(len(sizes)), str(sum(sizes))) for (model, norm), sizes in counts.items()]
    return table(plan_line(plan), ("model", "norm", "ensembles", "runs"), rows)


def _listed(levels: Sequence[str]) -> str:
    if len(levels) <= MOST_LEVELS:
        return ", ".join(levels)
    return f"{', '.join(levels[: MOST_LEVELS - 1])}, … ({len(levels)} in all)"
