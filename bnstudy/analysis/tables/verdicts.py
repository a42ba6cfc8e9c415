"""An assessment told: as rows of plain values, as a table, and as one sentence a model."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import xarray as xr

from bnstudy.analysis.assessment import FAMILY, PRIMARY, SECONDARY, VERDICTS
from bnstudy.analysis.comparisons import INNER, Cell, Judged, cells
from bnstudy.analysis.responses import RESPONSES, Response
from bnstudy.analysis.tables.table import Table
from bnstudy.study import registry

# As they are told: what was found, then what was not.
TELLING = (*VERDICTS[1:], VERDICTS[0])
# What a verdict says of a model, a norm and the inits it holds at.
PHRASES = {
    "supported": "it matters at {inits} and not at the reference",
    "helps-more-when-poor": "it helps more at {inits} than at the reference, where it helps too",
    "helps-everywhere": "it helps at the reference, and not measurably more at {inits}",
    "contradicted": "it helps less at {inits} than at the reference",
    "no-effect": "what it does at {inits} equals what it does at the reference",
    "both-fail": "no run of either arm exceeds {target} at {inits}",
    "inconclusive": "the data cannot tell at {inits}",
}


def rows(result: xr.Dataset) -> list[dict[str, Any]]:
    """One row a (model, norm, optimizer, lr, poor init), of plain Python values; None for what is not there.

    ``effect``, ``interval`` and ``p_adjusted`` are the difference in differences of the primary response, its 95 %
    interval and its adjusted p; ``verdict`` is the overall one and ``decided_by`` the response that gave it.
    """
    return [_row(cell) for cell in cells(result).values() if cell.role == "poor"]


def _row(cell: Cell) -> dict[str, Any]:
    return {
        **dict(zip(INNER, cell.labels, strict=True)),
        "verdict": cell.verdict,
        "decided_by": cell.decided_by,
        "effect": number(cell.primary.did),
        "interval": [number(cell.primary.did_low), number(cell.primary.did_high)],
        "p_adjusted": number(cell.p_adjusted),
        "n": cell.primary.n,
        "censored": {arm: number(share) for arm, share in cell.censored.items()},
        "responses": {name: _response(one) for name, one in cell.responses.items()},
    }


def _response(one: Judged) -> dict[str, Any]:
    return {
        "verdict": one.verdict,
        "effect": number(one.effect),
        "effect_interval": [number(one.effect_low), number(one.effect_high)],
        "did": number(one.did),
        "did_interval": [number(one.did_low), number(one.did_high)],
        "p_h1": number(one.p_h1),
        "p_h2": number(one.p_h2),
        "p_h3": number(one.p_h3),
        "p_adjusted": number(one.p_adjusted),
        "n": one.n,
    }


def number(value: float) -> float | None:
    return value if math.isfinite(value) else None


# ------------------------------------------------------------------ as a table


def verdict_table(result: xr.Dataset) -> Table:
    """A row a poor init: what the norm gains there and at the reference, their difference, and the verdict."""
    reference, found = result.attrs["reference"], cells(result)
    varied = [i for i, name in enumerate(FAMILY) if name == "model" or result.sizes[name] > 1]
    listed = []
    for cell in found.values():
        if cell.role != "poor":
            continue
        here, response = cell.deciding
        there = found[(*cell.labels[:-1], reference)].responses[response.name] if reference else None
        fails = cell.verdict == "both-fail"
        listed.append((
            *(f"{cell.labels[i]:g}" if FAMILY[i] == "lr" else str(cell.labels[i]) for i in varied), cell.labels[-1],
            response.name, _effect(there, response) if there else "–", "–" if fails else _effect(here, response),
            "–" if fails else quantity(here.did, here.did_low, here.did_high, response), _p(cell.p_adjusted),
            str(here.n), cell.verdict,
        ))  # fmt: skip
    header = (*(FAMILY[i] for i in varied), "poor init", "response", f"gain at {reference or 'the reference'}",
              "gain here", "difference", "p", "n", "verdict")  # fmt: skip
    notes = (
        f"gain: what the norm saves (epochs) or adds (accuracy, in points) over none; difference: gain here minus gain "
        f"at {reference or 'the reference'}; mean [95 % t interval]",
        "p: of the gain at the poor init and of the difference, by sign flips, Holm-adjusted over a model's poor inits",
        "both-fail: no run of either arm exceeds the target, so epochs say nothing there",
    )
    return Table("Verdicts", header, tuple(listed), notes, labels=len(varied) + 2)


def _effect(one: Judged, response: Response) -> str:
    return quantity(one.effect, one.effect_low, one.effect_high, response)


def quantity(value: float, low: float, high: float, response: Response) -> str:
    """A mean and its interval: epochs to one decimal, accuracies in percentage points to two."""
    if math.isnan(value):
        return "–"
    mean, *ends = (response.text(number, "+") for number in (value, low, high))
    return mean if math.isnan(low) else f"{mean} [{ends[0]}, {ends[1]}]"


def _p(p: float) -> str:
    return "–" if math.isnan(p) else "<0.001" if p < 0.001 else f"{p:.3f}"


# ------------------------------------------------------------------ in words


def sentences(result: xr.Dataset) -> dict[str, str]:
    """One plain sentence a model, with its numbers; several where there are several norms, optimizers or rates."""
    varied = [i for i, name in enumerate(FAMILY) if name in ("optimizer", "lr") and result.sizes[name] > 1]
    families: dict[tuple[Any, ...], list[Cell]] = {}
    for labels, cell in cells(result).items():
        families.setdefault(labels[:-1], []).append(cell)
    told: dict[str, list[str]] = {}
    for labels, family in families.items():
        model, norm = labels[:2]
        where = "".join(f", {FAMILY[i]} {labels[i]}" for i in varied)
        parts = [_at_reference(family, result.attrs["reference"]), *_findings(family, result.attrs["target"]),
                 *_disagreements(family)]  # fmt: skip
        n = max(cell.primary.n for cell in family)
        told.setdefault(str(model), []).append(
            f"{model}{where}: {_norm_name(norm)} {'; '.join(parts)} (n = {n} seeds)."
        )
    return {model: " ".join(texts) for model, texts in told.items()}


def _norm_name(norm: str) -> str:
    """What a norm is called; a dataset may hold ones that are not registered here."""
    family = norm.partition(":")[0]
    return registry.norms[family].label if family in registry.norms else norm


def _at_reference(family: list[Cell], reference: str) -> str:
    if not reference:
        return "cannot be judged, since no init is declared well"
    (cell,) = (cell for cell in family if cell.labels[-1] == reference)
    if not cell.primary.n:
        return f"has no pair of runs yet at the well init {reference}"
    mean, interval = _in_words(cell.primary, RESPONSES[PRIMARY])
    return f"saves {mean} ({interval}) at the well init {reference}"


def _findings(family: list[Cell], target: float) -> Iterator[str]:
    for verdict in TELLING:
        chosen = [cell for cell in family if cell.verdict == verdict and cell.primary.n]
        if chosen:
            named = [cell.labels[-1] if verdict == "both-fail" else _with_gain(cell) for cell in chosen]
            yield PHRASES[verdict].format(inits=_listed(named), target=f"{100 * target:g} %")
    if waiting := [cell.labels[-1] for cell in family if cell.verdict and not cell.primary.n]:
        yield f"no pair of runs is there yet at {_listed(waiting)}"


def _with_gain(cell: Cell) -> str:
    return f"{cell.labels[-1]} ({', '.join(_in_words(*cell.deciding))})"


def _in_words(one: Judged, response: Response) -> tuple[str, str]:
    """A gain and its interval, such as ``4.8 epochs`` and ``95 % interval 4.0 to 5.6``."""
    mean, low, high = (response.text(value) for value in (one.effect, one.effect_low, one.effect_high))
    return f"{mean} {response.noun}", "no interval" if "nan" in (low, high) else f"95 % interval {low} to {high}"


def _disagreements(family: list[Cell]) -> Iterator[str]:
    """Where final accuracy by itself says otherwise."""
    name = RESPONSES[SECONDARY].name
    says: dict[str, list[str]] = {}
    for cell in family:
        other = cell.responses[name].verdict
        if cell.verdict and cell.verdict != other and cell.decided_by != name:
            says.setdefault(other, []).append(cell.labels[-1])
    if says:
        yield "by final accuracy alone: " + " and ".join(f"{v} at {_listed(i)}" for v, i in says.items())


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
