"""Diagnostics in training: what they show, that training does not notice, and that they survive what curves survive."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
import xarray as xr
from bnstudy.analysis.figures import style
from bnstudy.analysis.figures.gallery import draw_studies
from bnstudy.analysis.figures.layers_over_epochs import diagnostics_figure
from bnstudy.cli.app import main
from bnstudy.storage.extension import extend
from bnstudy.storage.opening import has_diagnostics, open_diagnostics
from bnstudy.storage.verification import verify
from bnstudy.study import registry
from bnstudy.study.enlarging import extended
from bnstudy.study.errors import InputError
from bnstudy.study.plan import make_plan
from bnstudy.study.study import Study
from bnstudy.training.datasets import data
from bnstudy.training.ensembles import build_replicas
from bnstudy.training.inspection import probes, sharpness, signals
from bnstudy.training.inspection.diagnostics import Recorder, fill
from bnstudy.training.replicas import Reference
from bnstudy.training.running.execution import run
from torch import nn

SETTINGS = {
    "dataset": "digits", "train_size": 200, "hidden": "12,8", "channels": "2", "epochs": 2, "seeds": 2,
    "inits": "default,zero,normal:1e30", "norms": "none,batch", "mechanism": True,
}  # fmt: skip
STUDY = Study.make(SETTINGS)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("diagnostics") / "study"
    curves = run(STUDY, folder)
    return folder, curves, open_diagnostics(folder)


def test_epochs_start_at_0_and_the_layers_are_those_of_all_models(stored):
    _, curves, found = stored
    assert found.epoch.values.tolist() == [0, 1, 2]
    assert found.layer.values.tolist() == ["linear1", "linear2", "conv1", "output"]
    assert {name: found.attrs[name] for name in ("versions", "machine", "study_hash")} == {
        name: curves.attrs[name] for name in ("versions", "machine", "study_hash")
    }
    assert found.dead.dims == (*curves.test_accuracy.dims, "layer")
    assert found.sharpness.dims == curves.test_accuracy.dims
    assert {str(name) for name in found.data_vars} == {*signals.MEASURES, *sharpness.MEASURES, "batch_loss"}
    for name in found.data_vars:
        assert found[name].attrs["long_name"]
        assert found[name].attrs["units"]
    assert found.dead.sel(model="mlp", layer="conv1").isnull().all()


def test_epoch_0_is_what_a_probe_shows(stored):
    _, _, found = stored
    looked = probes.probe(STUDY, data.load(STUDY), mechanism=True)
    here = found.isel(epoch=0, seed=0)
    for name in (*signals.MEASURES, *sharpness.MEASURES):
        wanted = looked[name].isel(seed=0).sel(init=["default", "zero"])
        got = here[name].sel(init=["default", "zero"])
        np.testing.assert_allclose(got, wanted.transpose(*got.dims), rtol=2e-4, atol=1e-6)


def test_the_effective_rate_is_the_rate_over_the_squared_norm_of_the_weights(stored):
    _, curves, found = stored
    layers = found.effective_lr.sel(model="mlp", init="default", layer=["linear1", "linear2", "output"])
    squared = (0.01 / layers).sum("layer").isel(epoch=slice(1, None))
    np.testing.assert_allclose(squared, curves.weight_norm.sel(model="mlp", init="default") ** 2, rtol=1e-4)


def test_training_does_not_notice(stored, tmp_path):
    _, curves, _ = stored
    plain = run(Study.make({**SETTINGS, "mechanism": False}), tmp_path / "plain")
    for name in ("train_loss", "test_accuracy", "weight_norm"):
        assert np.array_equal(plain[name], curves[name], equal_nan=True)
    with pytest.raises(InputError, match="no diagnostics there; run the study with --diagnostics"):
        open_diagnostics(tmp_path / "plain")


def test_a_run_whose_loss_is_not_finite_leaves_nan(stored):
    _, curves, found = stored
    died = curves.status.sel(init="normal:1e+30") == 2
    assert died.any()
    lost = found.batch_loss.sel(init="normal:1e+30").isnull().all("epoch")
    assert bool(lost.where(died, True).all())


def test_a_network_that_raises_once_it_has_diverged_leaves_nan(tmp_path, register):
    class Strict(nn.Linear):
        def forward(self, x):
            if not self.weight.isfinite().all():
                raise ValueError("not finite")
            return super().forward(x.flatten(1))

    register(registry.models, "strict")(lambda inputs, classes, blocks: Strict(64, classes))
    run(Study.make({**SETTINGS, "models": "strict", "norms": "none", "inits": "default", "lr": "0.01,1e38"}), tmp_path)
    assert open_diagnostics(tmp_path).batch_loss.isel(epoch=2).isnull().all("seed").squeeze().values.tolist() == [
        False,
        True,
    ]


def test_a_damaged_file_is_told_and_the_next_run_rebuilds_it(stored):
    folder, _, found = stored
    file = folder / "diagnostics.nc"
    whole = file.read_bytes()
    file.write_bytes(whole[:500] + b"?" + whole[501:])
    assert [(finding.path, finding.kind) for finding in verify(folder)] == [(file, "damaged")]
    with pytest.raises(InputError, match="damaged"):
        open_diagnostics(folder)
    run(STUDY, folder)
    assert verify(folder) == []
    xr.testing.assert_equal(open_diagnostics(folder), found)


def test_a_study_that_is_extended_has_them_for_all(tmp_path):
    small = Study.make({**SETTINGS, "inits": "default", "seeds": 1, "models": "mlp", "mechanism": False,
                        "diagnostics": True})  # fmt: skip
    run(small, tmp_path / "study")
    before = open_diagnostics(tmp_path / "study")
    larger = extended(small, {"seeds": 2})
    extend(tmp_path / "study", larger)
    run(larger, tmp_path / "study")
    after = open_diagnostics(tmp_path / "study")
    assert after.gradient_norm.sel(layer="output").notnull().all()
    xr.testing.assert_equal(after.dead.sel(seed=[0]), before.dead)


@pytest.mark.slow
def test_they_are_drawn(stored, tmp_path):
    folder, _, found = stored
    with style.house_style():
        figure = diagnostics_figure(found)
    line = next(line for line in figure.axes[0].lines if line.get_label() == "zero")
    assert line.get_ydata().tolist() == [100, 100, 100]  # every unit of an MLP of zeros is dead
    draw_studies([folder], tmp_path, ["diagnostics"])
    assert "diagnostics.png" in (tmp_path / "README.md").read_text()
    assert (tmp_path / "study" / "diagnostics.svg").is_file()


def test_a_file_the_manifest_does_not_know_is_not_looked_at(stored, tmp_path):
    folder, _, _ = stored
    shutil.copy(folder / "curves.nc", tmp_path / "curves.nc")
    shutil.copy(folder / "curves.nc", tmp_path / "diagnostics.nc")
    assert not has_diagnostics(tmp_path)
    draw_studies([tmp_path], tmp_path / "out", ["diagnostics", "forest"])
    assert "diagnostics.png" not in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize("wrong", ["yes", 3, 1, "true"])
def test_it_is_true_or_false(wrong):
    with pytest.raises(InputError, match="diagnostics: must be true or false"):
        Study.make({"diagnostics": wrong})


def test_the_options(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["baseline", "--dataset", "digits", "--train-size", "100", "--models", "mlp", "--hidden", "4", "--epochs",
              "1", "--seeds", "1", "--jobs", "1", "--diagnostics", "--out", "there", "-q"])  # fmt: skip
    assert not ended.value.code
    found = open_diagnostics("there")
    assert "sharpness" not in found
    assert found.sizes["epoch"] == 2
    capsys.readouterr()


def test_a_buffer_that_two_modules_share_is_looked_at_in_both():
    def made(value):
        net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        for layer, buffer in zip(net, [torch.tensor(value)] * 2, strict=True):
            layer.register_buffer("shared", buffer)
        return net

    net = made(1.0)
    fill(net, Reference([made(2.0)]).state(0))
    assert net[0].shared is net[1].shared
    assert net[1].shared == 2


def test_looking_draws_nothing_that_training_would(digits):
    """A layer that draws from torch's own generator, as dropout does, draws the same with and without it."""
    study = Study.make({"dataset": "digits", "models": "mlp", "norms": "none", "seeds": 1, "diagnostics": True})
    ensemble = make_plan(study)[0]
    recorder = Recorder(study, ensemble, digits)
    replicas = build_replicas(study, ensemble.runs, digits, "cpu")
    recorder.network.add_module("dropout", nn.Dropout())
    before = torch.get_rng_state()
    recorder.look(replicas)
    assert torch.equal(torch.get_rng_state(), before)
