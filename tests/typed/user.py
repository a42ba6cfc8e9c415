"""A study, a plugin and a figure, as a user writes them who checks types: both checkers pass it in strict mode."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import bnstudy
import numpy as np
import xarray as xr
from bnstudy.plugins import Blocks, Layer, Parameter, Slot, figures, initializers, models, norms, register_arrays
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import nn


@initializers.register("two-point", label="two-point", parameter=Parameter("a", default=0.1))
def two_point(layer: Layer, a: float) -> None:
    """Every weight +a or -a, with equal chances."""
    layer.weight.bernoulli_(0.5, generator=layer.generator).mul_(2 * a).sub_(a)


@norms.register("local-response", label="Local Response Normalization", needs_space=True)
def local_response(slot: Slot, value: float | None = None) -> nn.Module:
    """Krizhevsky's norm."""
    return nn.LocalResponseNorm(size=min(2, slot.channels))


@models.register("mine", label="mine")
def mine(inputs: tuple[int, int, int], classes: int, blocks: Blocks) -> nn.Module:
    """A network with one batch norm."""
    features = int(np.prod(inputs))
    return blocks.swap_norms(nn.Sequential(nn.Flatten(), nn.BatchNorm1d(features), nn.Linear(features, classes)))


@figures.register(
    "empty", label="empty", caption="Nothing.", applies=lambda results: "train_seconds" in results.dataset
)
def empty(results: bnstudy.Results, ax: Axes | None = None) -> Figure:
    """Nothing."""
    return Figure()


def answer() -> None:
    register_arrays("dots", np.zeros((4, 8, 8)), np.array([0, 1] * 2), np.ones((4, 8, 8)), np.array([0, 1] * 2))
    study = bnstudy.Study.make({"dataset": "digits", "inits": "default,zero", "seeds": 2, "epochs": 2})
    results = bnstudy.run(study, "results/mine")
    curves = results.curves
    assert_type(study, bnstudy.Study)
    assert_type(results, bnstudy.Results)
    assert_type(curves, xr.Dataset)
    assert_type(results.assessment, xr.Dataset)
    assert_type(bnstudy.assess(curves), xr.Dataset)
    assert_type(empty(results), Figure)
    judged = bnstudy.judge("runs.csv", "optimizer", "sgd", "lr", "0.01", "seed", "epoch", "accuracy", test_size=100)
    assert_type(judged.title, str)
    assert_type([ensemble.name for ensemble in bnstudy.make_plan(study)], list[str])
    assert_type(initializers["two-point"].label, str)
    assert_type(bnstudy.__version__, str)
    assert_type(bnstudy.extend("results/mine", seeds=3, jobs=2), bnstudy.Results)
    assert_type(bnstudy.report("results/mine"), Path)
    assert_type(bnstudy.report(judged, "page.html"), Path)
    assert_type(bnstudy.draw_figures(["results/mine", Path("results/other")], only=("forest",)), list[Path])
    assert_type(bnstudy.draw_figures(results, "figures"), list[Path])
    assert_type(bnstudy.export("results/mine", "tables", form="parquet", force=True), list[Path])
    try:
        bnstudy.open_results("results/mine")
    except bnstudy.InputError as error:
        assert_type(error.exit_code, int)
