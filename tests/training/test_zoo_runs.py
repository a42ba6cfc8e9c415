"""Networks of the zoo through whole commands: the same bits with any number of jobs, in shards, and again."""

from __future__ import annotations

import os

import numpy as np
import pytest
import xarray as xr

from tests import commands
from tests.conftest import ROOT
from tests.zoo.networks import DRAW

# All that draw, what no initializer knows, what changes itself, and one of each faster form.
MODELS = [
    *sorted(DRAW), "lstm", "attention", "embedded-pixels", "bare-parameters", "parameters-in-lists-drawn-by-numpy",
    "transposed-convolution", "a-buffer-assigned-anew", "an-attribute-that-changes", "reads-a-mean", "pruned",
    "randomly-pruned", "orthogonal-weights", "lazy-layers", "tied-weights", "frozen-layer", "residual",
    "group-norm-module-twice", "double-precision-inside",
]  # fmt: skip
STUDY = f"""
dataset = "digits"
models = {MODELS}
norms = "none"
inits = "default"
seeds = 2
epochs = 2
train_size = 50
batch_size = 20
"""


pytestmark = pytest.mark.slow


def bnstudy(folder, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = commands.bnstudy(folder, "--plugin", "tests.zoo.plugin", *arguments, environment=environment, quiet=True)
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zoo")
    (folder / "zoo.toml").write_text(STUDY)
    bnstudy(folder, "run", "zoo.toml", "--jobs", "1", "--out", "one", "--quiet")
    return folder


def test_shards_with_any_number_of_jobs_give_the_same_bits(folder):
    for shard, jobs in (("1/2", "1"), ("2/2", "2")):
        bnstudy(folder, "run", "zoo.toml", "--shard", shard, "--jobs", jobs, "--out", shard[0], "--quiet")
    bnstudy(folder, "merge", "1", "2", "--out", "whole")
    with xr.open_dataset(folder / "one" / "curves.nc") as one, xr.open_dataset(folder / "whole" / "curves.nc") as other:
        assert (one.status == 1).all()
        for curve in ("train_loss", "test_loss", "train_accuracy", "test_accuracy", "grad_norm", "weight_norm"):
            different = one.model.values[(one[curve].values != other[curve].values).any((1, 2, 3, 4))]
            assert different.tolist() == [], curve


def test_what_no_initializer_sets_is_told_everywhere(folder):
    named = "bare-parameters: weight, shift"
    assert named in bnstudy(folder, "plan", "zoo.toml", "--models", "bare-parameters,lstm")
    with xr.open_dataset(folder / "one" / "curves.nc") as dataset:
        assert named in dataset.attrs["not_initialized"]
        assert "dropout, none: one by one (draws random numbers)" in dataset.attrs["forms"]
    probed = bnstudy(folder, "probe", "zoo.toml", "--models", "bare-parameters,lstm", "--inits", "default")
    assert "set by no initializer: bare-parameters: weight, shift" in probed


def test_diagnostics_take_any_network(folder):
    bnstudy(folder, "run", "zoo.toml", "--models", "tied-weights,pruned,lstm", "--epochs", "1", "--seeds", "1",
            "--out", "looked", "--jobs", "1", "--diagnostics", "--mechanism", "--quiet")  # fmt: skip
    with xr.open_dataset(folder / "looked" / "diagnostics.nc") as looked:
        assert np.isfinite(looked.batch_loss).all()
        assert np.isfinite(looked.sharpness.sel(model=["tied-weights", "pruned"])).all()


def test_runs_of_the_zoo_are_verified_by_training_again(folder):
    out = bnstudy(folder, "verify", "one", "--retrain", "3")
    assert out.count("the same numbers") + out.count("as near as rounding") == 3
