"""What docs/findings/index.md says of the three studies of asymptotic theory."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import xarray as xr
from bnstudy.analysis import theory
from bnstudy.analysis.summaries import mean_interval
from bnstudy.storage.opening import open_diagnostics

from tests.quotes.common import DATA, curves, finals, row, told

DEPTHS, PHASES = "bn-depth", "phase-diagram"


def readme() -> Iterator[str]:
    """The README says nothing of them."""
    yield from ()


def findings() -> Iterator[str]:
    """What docs/findings/index.md says."""
    yield from growth()
    yield from depths()
    yield from phases()


def growth() -> Iterator[str]:
    """Growth a layer before training."""
    rows = theory.growths(open_diagnostics(DATA / "gradient-growth"))
    worst = {what: 100 * max(abs(one.deviation) for one in rows if one.what == what) for what in ("signal", "gradient")}
    yield f"Held: within {worst['signal']:.1f} % at every scale"
    seen = {
        batch: [one.measured for one in rows if (one.what, one.batch) == ("gradient", batch)] for batch in (16, 100)
    }
    words = [f"{min(found):.3f} to {max(found):.3f}" for found in seen.values()]
    yield f"Held: {words[0]} and {words[1]}, within {worst['gradient']:.1f} %"
    yield f"by {theory.gradient_growth(16):.3f} a layer at 16 samples and by {theory.gradient_growth(100):.3f} at 100"
    yield f"grow by {theory.gradient_growth(100):.3f} a layer at 100 samples"
    yield f"Within {worst['gradient']:.1f} %; and"


def depths() -> Iterator[str]:
    """Accuracy against depth."""
    ends = finals(DEPTHS)
    found = theory.depths(curves(DEPTHS))
    for model, depth in found.items():
        arms = [mean_interval(ends.sel(model=model, norm=norm)) for norm in ("none", "batch")]
        half = [float(arm["upper"] - arm["mean"]) for arm in arms]
        yield row(str(depth), *(f"{float(arm['mean']):.1f} ± {end:.1f} %" for arm, end in zip(arms, half, strict=True)))
    mean = {(depth, norm): float(ends.sel(model=model, norm=norm).mean()) for model, depth in found.items()
            for norm in ("none", "batch")}  # fmt: skip
    yield f"Half: {mean[30, 'batch']:.1f} % at 30, {mean[60, 'batch']:.1f} % at 60, chance at 80"
    assert np.isclose(mean[80, "batch"], 10, atol=2)
    yield f"50 layers reach {mean[50, 'batch']:.1f} %"
    more = {depth: (ends.sel(model=model, norm="none") - ends.sel(model=model, norm="batch")).values
            for model, depth in found.items()}  # fmt: skip
    yield f"50 layers end at {mean[50, 'none']:.1f} %, but there the plain networks are {told(more[50])} points better"
    for depth in (20, 30, 40, 50, 60, 80):  # "From 20 layers on they are never shown to be worse"
        assert mean_interval(xr.DataArray(more[depth], dims="seed"))["upper"] > 0


@cache
def accuracies() -> xr.DataArray:
    return finals(PHASES).mean("seed")


def phases() -> Iterator[str]:
    """Scale and depth."""
    dataset, whole = curves(PHASES), accuracies()
    depth_of, scale_of = theory.depths(dataset), theory.scales_of(dataset)
    hits = [
        (whole.sel(norm="none", model=model, init=init) > 80) == (depth <= limit)
        if depth <= limit
        else whole.sel(norm="none", model=model, init=init) < 50
        for model, depth in depth_of.items()
        for init, scale in scale_of.items()
        if depth <= (limit := theory.trainable_depth(scale)) or depth > 2 * limit
    ]
    yield f"Right in {sum(map(bool, hits))} of the {len(hits)} cells it speaks of"

    def at(scale: str, depth: int) -> str:
        return f"{float(whole.sel(norm='none', model=f'mlp:100x{depth}', init=f'scaled-normal:{scale}')):.1f}"

    yield f"40 and 60 layers end at {at('1', 40)} and {at('1', 60)} %"
    yield f"0.71 with 20 layers ({at('0.71', 20)} %) and 0.84 with 40 ({at('0.84', 40)} %)"
    shallow = whole.sel(norm="batch", model=[model for model, depth in depth_of.items() if depth <= 20])
    yield f"within {float((shallow.max('init') - shallow.min('init')).max()):.1f} points"
    for depth, low, high in ((20, 72, 93), (40, 34, 47), (60, 12, 19)):
        there = whole.sel(norm="batch", model=f"mlp:100x{depth}")
        assert (round(float(there.min())), round(float(there.max()))) == (low, high)
    yield "34 to 47 % at 40, 12 to 19 % at 60"
    right, of = theory.agreement(dataset, "none")
    yield f"is right in {right} of {of} cells without BN"
    yield f"Right in {right} of {of} cells"
    right, of = theory.agreement(dataset, "batch")
    yield f"is right in {right} of {of}; the nine it misses"
    middle = (10 + float(whole.sel(norm="batch").max())) / 2
    assert of - right == 9
    assert (whole.sel(norm="batch", model="mlp:100x40") < middle).all()  # they are those of 40 layers
