"""Plugins: every example of docs/own.md is run, workers load them, and what is wrong with one is told in a line."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
import xarray as xr
from bnstudy import models
from bnstudy.errors import InputError
from bnstudy.replicas import Folded
from torch import nn

from tests.conftest import ROOT
from tests.test_replicas import chosen

OWN = (ROOT / "docs" / "own.md").read_text()
MODULES = dict(zip(("two_point", "my_resnet", "my_norm", "my_data"), re.findall(r"```python\n(.*?)```", OWN, re.S),
                   strict=True))  # fmt: skip
SMALL = ("--seeds", "2", "--epochs", "1", "--quiet", "--batch-size", "30")


def bnstudy(folder, *arguments: str) -> subprocess.CompletedProcess[str]:
    for name, code in MODULES.items():
        (folder / f"{name}.py").write_text(code)
    start = [sys.executable, "-c", "from bnstudy.cli import main; main()"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*start, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_initializer_in_ten_lines(tmp_path):
    assert MODULES["two_point"].count("\n") <= 10
    arguments = ("baseline", "--dataset", "digits", "--models", "mlp", "--inits", "default,two-point:0.1", *SMALL)
    found = bnstudy(tmp_path, "--plugin", "two_point", *arguments, "--jobs", "2")
    assert (found.returncode, found.stderr) == (0, "")
    with xr.open_dataset(tmp_path / "results" / "baseline" / "curves.nc") as dataset:
        assert dataset.init.values.tolist() == ["default", "two-point:0.1"]
        assert dataset.init_role.values.tolist() == ["well", "poor"]
        weights = 64 * 256 + 256 * 128 + 128 * 10
        norms = dataset.weight_norm.sel(init="two-point:0.1", norm="none")
        assert float(norms.max()) == pytest.approx(0.1 * weights**0.5, rel=0.1)
    # The study is there for whoever has the plugin, and tells others what they lack.
    assert bnstudy(tmp_path, "status", "results/baseline", "--plugin=two_point").returncode == 0
    found = bnstudy(tmp_path, "status", "results/baseline")
    assert (found.returncode, found.stderr.count("\n")) == (2, 1)
    assert "two-point" in found.stderr
    assert "--plugin" in found.stderr
    assert bnstudy(tmp_path, "analyze", "results/baseline").returncode == 0


def test_resnet_18_on_pictures_of_cifars_shape(tmp_path):
    arguments = ("baseline", "--dataset", "tints", "--models", "resnet18", "--norms", "none,batch,group:8")
    found = bnstudy(tmp_path, *arguments, *SMALL, "--plugin", "my_data", "--plugin", "my_resnet")
    assert (found.returncode, found.stderr) == (0, "")
    with xr.open_dataset(tmp_path / "results" / "baseline" / "curves.nc") as dataset:
        assert dataset.sizes["norm"] == 3
        assert dataset.test_loss.notnull().all()
        counts = dataset.n_parameters.squeeze("model")
        assert int(counts.sel(norm="batch") - counts.sel(norm="none")) == 2 * 4800  # two for each normalized channel


def test_the_norm(tmp_path):
    arguments = ("baseline", "--dataset", "digits", "--models", "cnn", "--norms", "none,local-response", *SMALL)
    assert bnstudy(tmp_path, *arguments, "--plugin", "my_norm").returncode == 0
    found = bnstudy(tmp_path, "list", "norms", "--plugin", "my_norm")
    assert "local-response" in found.stdout


WRONG = {
    "no_such_module": ("", "there is no such module"),
    "broken": ("x = (", "SyntaxError"),
    "raising": ("\n\nraise RuntimeError('no')", "RuntimeError: no (line 3 of "),
    "leaving": ("import sys; sys.exit(7)", "SystemExit: 7"),
    "wanting": ("import not_there_either", "not_there_either"),
    "taking": (
        "from bnstudy.registry import norms\nnorms.register('batch', label='x')(print)",
        "already registered by",
    ),
    "no name": ("", "must be the name of a module"),
    "": ("", "must be the name of a module"),
    "../x": ("", "must be the name of a module"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_plugin_is_told_in_one_line(tmp_path, name):
    code, wanted = WRONG[name]
    if code:
        (tmp_path / f"{name}.py").write_text(code)
    found = bnstudy(tmp_path, "list", "norms", "--plugin", name)
    assert (found.returncode, found.stdout, found.stderr.count("\n")) == (2, "", 1)
    assert found.stderr.startswith("bnstudy: --plugin: ")
    assert wanted in found.stderr


def test_a_study_file_cannot_name_a_plugin(tmp_path):
    (tmp_path / "s.toml").write_text("plugins = ['two_point']\n")
    assert bnstudy(tmp_path, "plan", "s.toml").returncode == 2


# ------------------------------------------------------------------ norms swapped in a network


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(144, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 10))

    def forward(self, x):
        return self.head(self.body(x))


@pytest.mark.parametrize(("norm", "kinds"), [
    ("none", (nn.Identity, nn.Identity)), ("batch", (nn.BatchNorm2d, nn.BatchNorm1d)),
    ("layer", (nn.GroupNorm, nn.GroupNorm)),
])  # fmt: skip
def test_norms_take_the_batch_norms_places(norm, kinds, digits):
    network, other = (models.Blocks(norm, norm_eps=0.01).swap_norms(Net()) for _ in range(2))
    assert (type(network.body[1]), type(network.head[2])) == kinds
    if norm != "none":
        assert network.body[1].eps == network.head[2].eps == 0.01
    assert type(chosen([network, other], digits.train[0][:9])) is Folded


def test_what_cannot_be_swapped_is_refused():
    with pytest.raises(InputError, match="cannot take the place"):
        models.Blocks("batch-after").swap_norms(Net())
    with pytest.raises(InputError, match="no batch norm"):
        models.Blocks("none").swap_norms(nn.Linear(2, 2))
