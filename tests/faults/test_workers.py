"""Workers that raise, run out of memory or are killed, and runs that diverge: the others never notice."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from bnstudy.storage.store import Store
from bnstudy.study.schema import Status
from bnstudy.study.study import Study
from bnstudy.training.running.execution import run

from tests.commands import bnstudy
from tests.faults.studies import assert_unharmed, numbers

# A model of a user's, which fails in a worker process for as long as a file is there.
PLUGIN = """
import multiprocessing, os, signal
from pathlib import Path
import torch
from torch import nn
from bnstudy.study.registry import models

class Faulty(nn.Linear):
    def forward(self, x):
        file = Path(os.environ["FAULT"])
        if multiprocessing.parent_process() is not None and file.exists():
            file.with_suffix(".tries").open("a").write("x")
            fault = file.read_text()
            if fault == "raises":
                raise ValueError("no\\nway")
            if fault == "memory":
                torch.zeros(2 ** 50)
            if fault == "python memory":
                bytearray(2 ** 62)
            if fault == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if fault == "exits":
                os._exit(0)
        return super().forward(x)

@models.register("faulty", label="Faulty")
def faulty(inputs, classes, blocks):
    '''A linear model that may fail.'''
    return nn.Sequential(nn.Flatten(), Faulty(inputs[0] * inputs[1] * inputs[2], classes))
"""
STUDY = """
models = ["mlp", "faulty", "cnn"]
norms = ["none"]
dataset = "digits"
train_size = 200
hidden = [8]
channels = [2]
seeds = 4
epochs = 2
"""


@pytest.fixture
def plugin(tmp_path):
    """The environment of a user who has installed the faulty model, a study of it, and the file that makes it fail."""
    installed = tmp_path / "installed"
    about = installed / "faulty-1.0.dist-info"
    about.mkdir(parents=True)
    (installed / "faulty_model.py").write_text(PLUGIN)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[bnstudy.plugins]\nfaulty = faulty_model\n")
    (tmp_path / "study.toml").write_text(STUDY)
    fault = tmp_path / "fault"
    paths = os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": paths, "FAULT": str(fault)}, tmp_path / "study.toml", fault


def status(folder: Path, environment: dict[str, str]) -> dict[str, int]:
    return json.loads(bnstudy(folder, "status", ".", "--json", environment=environment).stdout)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("killed", marks=pytest.mark.slow),
        *(pytest.param(k, marks=pytest.mark.faults) for k in ("raises", "memory", "python memory", "exits")),
    ],
)
def test_a_worker_that_fails_is_tried_twice_then_left_for_later(plugin, tmp_path, kind):
    environment, study, fault = plugin
    fault.write_text(kind)
    command = ["run", str(study), "--out", str(tmp_path / "s"), "--jobs", "2", "--quiet"]
    found = bnstudy(tmp_path, *command, environment=environment)
    assert found.returncode == 3, found.stderr
    assert found.stderr == "bnstudy: 4 of 12 runs failed; the same command tries them again\n"
    if kind in ("killed", "exits"):  # one that raises is also caught where the network is looked over
        assert fault.with_suffix(".tries").read_text() == "xx"
    report = status(tmp_path / "s", environment)
    assert (report["done"], report["failed"], report["pending"]) == (8, 4, 0)
    fault.unlink()
    assert bnstudy(tmp_path, *command, environment=environment).returncode == 0
    assert (
        bnstudy(tmp_path, "run", study, "--out", "t", "--jobs", "1", "--quiet", environment=environment).returncode == 0
    )
    assert status(tmp_path / "s", environment)["done"] == 12
    assert_unharmed_here(tmp_path / "s", tmp_path / "t")
    print(f"\na worker that fails ({kind}): tried twice, the others finished, exit 3; run again, all finished")


def assert_unharmed_here(one: Path, other: Path) -> None:
    """The same numbers; the faulty model is not installed here, so the study itself cannot be opened."""
    assert numbers(one).identical(numbers(other).assign_attrs(numbers(one).attrs))


@pytest.mark.parametrize(
    "extreme",
    [{"lr": "0.01,1000000"}, {"inits": "default,scaled-normal:1000000"}],
    ids=["learning rate", "scale"],
)
@pytest.mark.parametrize("model", ["mlp", "cnn"])
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_a_run_that_diverges_is_a_result_and_its_neighbours_never_notice(tmp_path, extreme, model, norm):
    settings = {
        "models": model, "norms": norm, "dataset": "digits", "train_size": 300, "hidden": "16,16", "channels": "2",
        "seeds": 2, "epochs": 4,
    }  # fmt: skip
    both = run(Study.make({**settings, **extreme}), tmp_path / "both")
    (key,) = extreme
    dim = {"lr": "lr", "inits": "init"}[key]
    alone = run(Study.make({**settings, key: extreme[key].split(",")[0]}), tmp_path / "alone")
    assert len(Store.open(tmp_path / "both").plan) == 1
    calm, wild = both.isel({dim: 0}), both.isel({dim: 1})
    for name in ("train_loss", "test_loss", "test_accuracy", "grad_norm", "weight_norm"):
        np.testing.assert_array_equal(calm[name].values.ravel(), alone[name].values.ravel())
    assert (calm.status == Status.DONE).all()
    died = wild.diverged_epoch.values.ravel()
    assert (wild.status.values.ravel() == np.where(died > 0, Status.DIVERGED, Status.DONE)).all()
    losses = wild.train_loss.values.reshape(-1, 4)
    for epoch, curve in zip(died, losses, strict=True):
        finite = 4 if epoch < 0 else epoch - 1
        assert np.isfinite(curve[:finite]).all()
        assert np.isnan(curve[finite:]).all()
    if norm == "none" and dim == "lr":  # of a huge scale the first step may kill every unit, which is finite
        assert (died > 0).all()
    assert_unharmed(tmp_path / "both", numbers(tmp_path / "both"))
