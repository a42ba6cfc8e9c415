"""An assessment told: as rows of plain values, as a table, and as one sentence a model."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import Any

import xarray as xr

from bnstudy.analysis.assessment import FAMILY, PRIMARY, RESPONSES, VERDICTS, Response
from bnstudy.analysis.claims import Claim
from bnstudy.analysis.table import Table

BY_NAME = {response.name: response for response in RESPONSES}
NORM_NAMES = {"batch": "Batch Normalization"}
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
    return [_row(result.sel(one), one) for one in _comparisons(result)]


def _comparisons(result: xr.Dataset) -> Iterator[dict[str, Any]]:
    poor = result.init.values[result.init_role.values == "poor"].tolist()
    for labels in product(*(result[name].values.tolist() for name in FAMILY), poor):
        yield dict(zip((*FAMILY, "init"), labels, strict=True))


def _row(cell: xr.Dataset, labels: dict[str, Any]) -> dict[str, Any]:
    nested = {str(name): _response(cell.sel(response=name)) for name in cell.response.values}
    primary = nested[RESPONSES[PRIMARY].name]
    return {
        **labels,
        "verdict": str(cell.overall.values),
        "decided_by": str(cell.decided_by.values),
        "effect": primary["did"],
        "interval": primary["did_interval"],
        "p_adjusted": _number(cell.overall_p_adjusted),
        "n": primary["n"],
        "censored": {str(arm): _number(cell.censored.sel(arm=arm)) for arm in cell.arm.values},
        "responses": nested,
    }


def _response(one: xr.Dataset) -> dict[str, Any]:
    return {
        "verdict": str(one.verdict.values),
        "effect": _number(one.effect),
        "effect_interval": [_number(one.effect_low), _number(one.effect_high)],
        "did": _number(one.did),
        "did_interval": [_number(one.did_low), _number(one.did_high)],
        "p_h1": _number(one.p_h1),
        "p_h2": _number(one.p_h2),
        "p_h3": _number(one.p_h3),
        "p_adjusted": _number(one.p_adjusted),
        "n": int(one.n),
    }


def _number(value: xr.DataArray | float) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def plain(claim: Claim) -> dict[str, Any]:
    """A claim as plain Python values; None for an estimate or an end that is not there."""
    return {
        "about": claim.about, "claim": claim.text, "estimate": _number(claim.estimate),
        "interval": [_number(claim.low), _number(claim.high)], "unit": claim.unit, "n": claim.n, "answer": claim.answer,
    }  # fmt: skip


# ------------------------------------------------------------------ as a table


def verdict_table(result: xr.Dataset) -> Table:
    """A row a poor init: what the norm gains there and at the reference, their difference, and the verdict."""
    reference = result.attrs["reference"]
    factors = [name for name in FAMILY if name == "model" or result.sizes[name] > 1]
    listed = []
    for one in _comparisons(result):
        cell = result.sel(one)
        shown = BY_NAME[str(cell.decided_by.values)]
        here = cell.sel(response=shown.name)
        there = result.sel({name: one[name] for name in FAMILY}).sel(response=shown.name)
        at_reference = _effect(there.sel(init=reference), shown) if reference else "–"
        listed.append((
            *(f"{one[name]:g}" if name == "lr" else str(one[name]) for name in factors), str(one["init"]), shown.name,
            at_reference, *(("–", "–") if str(cell.overall.values) == "both-fail" else
                            (_effect(here, shown), _did(here, shown))), _p(float(cell.overall_p_adjusted)),
            str(int(here.n)), str(cell.overall.values),
        ))  # fmt: skip
    header = (*factors, "poor init", "response", f"gain at {reference or 'the reference'}", "gain here", "difference",
              "p", "n", "verdict")  # fmt: skip
    notes = (
        f"gain: what the norm saves (epochs) or adds (accuracy, in points) over none; difference: gain here minus gain "
        f"at {reference or 'the reference'}; mean [95 % t interval]",
        "p: of the gain at the poor init and of the difference, by sign flips, Holm-adjusted over a model's poor inits",
        "both-fail: no run of either arm exceeds the target, so epochs say nothing there",
    )
    return Table("Verdicts", header, tuple(listed), notes, labels=len(factors) + 2)


def _effect(one: xr.Dataset, response: Response) -> str:
    return quantity(one.effect, one.effect_low, one.effect_high, response)


def _did(one: xr.Dataset, response: Response) -> str:
    return quantity(one.did, one.did_low, one.did_high, response)


def quantity(value: xr.DataArray, low: xr.DataArray, high: xr.DataArray, response: Response) -> str:
    """A mean and its interval: epochs to one decimal, accuracies in percentage points to two."""
    scale, digits = (1.0, 1) if response.unit == "epochs" else (100.0, 2)
    numbers = [float(one) * scale for one in (value, low, high)]
    if math.isnan(numbers[0]):
        return "–"
    mean, *ends = (f"{number:+.{digits}f}" for number in numbers)
    return mean if math.isnan(numbers[1]) else f"{mean} [{ends[0]}, {ends[1]}]"


def _p(p: float) -> str:
    return "–" if math.isnan(p) else "<0.001" if p < 0.001 else f"{p:.3f}"


# ------------------------------------------------------------------ in words


def sentences(result: xr.Dataset) -> dict[str, str]:
    """One plain sentence a model, with its numbers; several where there are several norms, optimizers or rates."""
    return {str(model): " ".join(_sentences(result.sel(model=model), str(model))) for model in result.model.values}


def _sentences(result: xr.Dataset, model: str) -> Iterator[str]:
    varied = [name for name in ("optimizer", "lr") if result.sizes[name] > 1]
    for norm, optimizer, lr in product(*(result[name].values.tolist() for name in FAMILY[1:])):
        labels = {"norm": norm, "optimizer": optimizer, "lr": lr}
        where = "".join(f", {name} {labels[name]}" for name in varied)
        family = result.sel(labels)
        parts = [_at_reference(family), *_findings(family), *_disagreements(family)]
        seeds = int(family.n.max())
        yield f"{model}{where}: {NORM_NAMES.get(str(norm), str(norm))} " + "; ".join(parts) + f" (n = {seeds} seeds)."


def _at_reference(family: xr.Dataset) -> str:
    reference = family.attrs["reference"]
    if not reference:
        return "cannot be judged, since no init is declared well"
    one, response = family.sel(init=reference).isel(response=PRIMARY), RESPONSES[PRIMARY]
    mean, interval = _in_words(one, response)
    return f"saves {mean} ({interval}) at the well init {reference}"


def _findings(family: xr.Dataset) -> Iterator[str]:
    for verdict in VERDICTS:
        chosen = [init for init in family.init.values.tolist() if str(family.overall.sel(init=init).values) == verdict]
        if chosen:
            named = [init if verdict == "both-fail" else _with_gain(family.sel(init=init), init) for init in chosen]
            yield PHRASES[verdict].format(inits=_listed(named), target=f"{100 * family.attrs['target']:g} %")


def _with_gain(cell: xr.Dataset, init: str) -> str:
    response = BY_NAME[str(cell.decided_by.values)]
    return f"{init} ({', '.join(_in_words(cell.sel(response=response.name), response))})"


def _in_words(one: xr.Dataset, response: Response) -> tuple[str, str]:
    """A gain and its interval, such as ``4.8 epochs`` and ``95 % interval 4.0 to 5.6``."""
    scale, digits, unit = (1.0, 1, "epochs") if response.unit == "epochs" else (100.0, 2, "points of final accuracy")
    mean, low, high = (f"{float(value) * scale:.{digits}f}" for value in (one.effect, one.effect_low, one.effect_high))
    return f"{mean} {unit}", "no interval" if "nan" in (low, high) else f"95 % interval {low} to {high}"


def _disagreements(family: xr.Dataset) -> Iterator[str]:
    """Where final accuracy by itself says otherwise."""
    says: dict[str, list[str]] = {}
    for init in family.init.values.tolist():
        cell = family.sel(init=init)
        overall, other = str(cell.overall.values), str(cell.sel(response="final_accuracy").verdict.values)
        if overall != other and overall and str(cell.decided_by.values) != "final_accuracy":
            says.setdefault(other, []).append(init)
    if says:
        yield "by final accuracy alone: " + " and ".join(f"{v} at {_listed(i)}" for v, i in says.items())


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
