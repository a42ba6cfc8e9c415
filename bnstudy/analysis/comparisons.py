"""An assessment cell by cell, as plain values: what tells of it reads them from here."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import xarray as xr

from bnstudy.analysis.assessment import FAMILY, PRIMARY
from bnstudy.analysis.responses import RESPONSES, Response

BY_NAME = {response.name: response for response in RESPONSES}
NUMBERS = ("effect", "effect_low", "effect_high", "did", "did_low", "did_high", "p_h1", "p_h2", "p_h3", "p_adjusted")
INNER = (*FAMILY, "init")
Labels = tuple[str, str, str, float | str, str]  # model, norm, optimizer, lr (or `selected`), init


@dataclass(frozen=True)
class Judged:
    """What one response says of a cell: its numbers (see :func:`~bnstudy.analysis.assessment.assess`), n, a verdict."""

    effect: float
    effect_low: float
    effect_high: float
    did: float
    did_low: float
    did_high: float
    p_h1: float
    p_h2: float
    p_h3: float
    p_adjusted: float
    n: int
    verdict: str


@dataclass(frozen=True)
class Cell:
    """One comparison of a norm with none, at one init."""

    labels: Labels
    role: str
    verdict: str
    decided_by: str
    p_adjusted: float
    censored: dict[str, float]  # share of runs, by arm
    responses: dict[str, Judged]

    @property
    def deciding(self) -> tuple[Judged, Response]:
        """The response that decides, and what it says; the primary one at an init that is not poor."""
        response = BY_NAME.get(self.decided_by, RESPONSES[PRIMARY])
        return self.responses[response.name], response

    @property
    def primary(self) -> Judged:
        """What the primary response says."""
        return self.responses[RESPONSES[PRIMARY].name]


def cells(result: xr.Dataset) -> dict[Labels, Cell]:
    """An assessment cell by cell, in the order of its dimensions."""
    names = result.response.values.tolist()
    of_response = {name: result[name].broadcast_like(result.did).transpose("response", *INNER) for name in
                   (*NUMBERS, "n", "verdict")}  # fmt: skip
    columns = {name: values.values.reshape(len(names), -1).tolist() for name, values in of_response.items()}
    overall = {name: result[name].transpose(*INNER).values.reshape(-1).tolist() for name in
               ("overall", "decided_by", "overall_p_adjusted")}  # fmt: skip
    censored = {arm: result.censored.sel(arm=arm, drop=True) for arm in result.arm.values.tolist()}
    shares = {arm: one.broadcast_like(result.overall).transpose(*INNER).values.reshape(-1).tolist() for arm, one in
              censored.items()}  # fmt: skip
    roles = dict(zip(result.init.values.tolist(), result.init_role.values.tolist(), strict=True))
    found = {}
    for i, labels in enumerate(product(*(result[name].values.tolist() for name in INNER))):
        judged = {
            name: Judged(**{key: column[r][i] for key, column in columns.items()}) for r, name in enumerate(names)
        }
        found[labels] = Cell(
            labels, roles[labels[-1]], overall["overall"][i], overall["decided_by"][i],
            overall["overall_p_adjusted"][i], {arm: share[i] for arm, share in shares.items()}, judged,
        )  # fmt: skip
    return found
