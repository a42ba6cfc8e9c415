"""Probes against what theory says of a network before its first step."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import xarray as xr
from bnstudy.analysis.figures import style
from bnstudy.analysis.figures.layers_at_start import probe_figure
from bnstudy.analysis.tables.trainability import probe_table, prognoses
from bnstudy.cli import main
from bnstudy.study.study import Study
from bnstudy.training.inspection import probes


def probe(digits, **settings) -> xr.Dataset:
    study = Study.make({"dataset": "digits", "models": "mlp", "seeds": 3, **settings})
    return probes.probe(study, digits).isel(model=0, seed=0)


def test_a_scale_multiplies_signals_and_squares_what_the_norm_sees(digits):
    found = probe(digits, inits="scaled-normal:1,scaled-normal:10")
    ratio = found.sel(init="scaled-normal:10") / found.sel(init="scaled-normal:1")
    plain, batch = ratio.sel(norm="none"), ratio.sel(norm="batch")
    np.testing.assert_allclose(plain.preactivation_spread, [10, 100, 1000], rtol=1e-5)  # fact 6 of theory.md
    np.testing.assert_allclose(batch.preactivation_spread, [10, 10, 10], rtol=1e-3)  # fact 1
    np.testing.assert_allclose(batch.variance_to_eps[:2], [100, 100], rtol=1e-3)
    assert found.variance_to_eps.sel(norm="none").isnull().all()


def test_through_batch_norm_the_gradient_falls_as_the_scale_rises(digits):
    """Fact 2 of docs/explanation/theory.md, so the first update's share of the weights falls with its square."""
    found = probe(digits, inits="scaled-normal:1,scaled-normal:10", norms="none,batch", init_scope="hidden")
    ratio = (found.sel(init="scaled-normal:10") / found.sel(init="scaled-normal:1")).sel(norm="batch")
    np.testing.assert_allclose(ratio.gradient_norm[:2], [0.1, 0.1], rtol=1e-3)
    np.testing.assert_allclose(ratio.update_ratio[:2], [0.01, 0.01], rtol=1e-3)


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_all_zero(digits, norm):
    """Fact 7 of docs/explanation/theory.md."""
    found = probe(digits, inits="zero", norms=norm).squeeze()
    assert float(found.initial_loss) == pytest.approx(math.log(10), abs=1e-6)
    assert (found.gradient_norm[:2] == 0).all()
    assert (found.dead[:2] == 1).all()
    assert (found["rank"] == 0).all()


def test_dead_biases_and_their_cure(digits):
    found = probe(digits, inits="default,dead-biases")
    assert found.dead.sel(norm="none", init="dead-biases")[:2].values.tolist() == [1, 1]
    assert (found.dead.sel(norm="batch", init="dead-biases")[:2] < 0.1).all()
    assert found.dead.sel(layer="output").isnull().all()


def test_units_that_are_alike(digits):
    found = probe(digits, inits="constant:0.1,default", norms="none").isel(norm=0)
    np.testing.assert_allclose(found.alike.sel(init="constant:0.1"), 1, atol=1e-9)
    np.testing.assert_allclose(found["rank"].sel(init="constant:0.1"), 1, atol=1e-9)
    assert (found.alike.sel(init="default")[:2] < 0.2).all()


def test_the_gradient_is_autograds(digits):
    import torch
    from bnstudy.study import registry
    from bnstudy.training import streams
    from bnstudy.training.networks import initialization, models
    from torch.nn import functional as F

    study = Study.make({"dataset": "digits", "models": "cnn", "norms": "batch", "inits": "default", "seeds": [4]})
    found = probes.probe(study, digits).squeeze()
    network = models.build("cnn", "batch", study, digits.shape, digits.classes)
    initialization.initialize(network, registry.initializers.level("default"), 4)
    batch = streams.batch_order(4, 1, len(digits.train[1]))[:100]
    loss = F.cross_entropy(network(digits.train[0][batch]), digits.train[1][batch])
    gradients = torch.autograd.grad(loss, [network.conv1.weight, network.conv2.weight, network.output.weight])
    np.testing.assert_allclose(found.gradient_norm, [float(g.norm()) for g in gradients], rtol=1e-5)
    assert float(found.initial_loss) == pytest.approx(float(loss.detach()), rel=1e-6)
    assert found.layer.values.tolist() == ["conv1", "conv2", "output"]


WORDS = {
    ("none", "zero"): "linear1 is dead: 100 % of its units",
    ("none", "constant:0.1"): "the units of linear1 are all alike",
    ("none", "scaled-normal:0.001"): "the signal vanishes",
    ("none", "scaled-normal:1000"): "the signal explodes",
    ("batch", "scaled-normal:0.001"): "the batch norm after linear1 sees a variance of",
    ("batch", "scaled-normal:1000"): "linear1 hardly moves: a step changes",
    ("none", "scaled-normal:1"): "nothing amiss",
    ("batch", "dead-biases"): "nothing amiss",
}


def test_it_says_in_words_what_is_amiss(digits):
    study = Study.make({"dataset": "digits", "models": "mlp", "inits": sorted({init for _, init in WORDS})})
    told = prognoses(probes.probe(study, digits))
    for (norm, init), wanted in WORDS.items():
        assert wanted in told["mlp", norm, init], (norm, init, told["mlp", norm, init])


def test_models_of_different_layers_share_a_table_and_a_figure(digits):
    study = Study.make({"dataset": "digits", "models": "mlp,cnn", "inits": "default,zero", "channels": "4"})
    found = probes.probe(study, digits)
    assert found.layer.values.tolist() == ["linear1", "linear2", "conv1", "output"]
    table = probe_table(found)
    assert len(table.rows) == 2 * 2 * 3 + 2 * 2 * 2
    with style.house_style():
        figure = probe_figure(found)
    line = figure.axes[0].lines[0]
    np.testing.assert_allclose(
        line.get_ydata(),
        found.preactivation_spread.sel(
            model="mlp", norm="none", init="default", layer=["linear1", "linear2", "output"]
        )[0],
    )


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = ["probe", "--dataset", "digits", "--models", "mlp", "--inits", "zero", "--scales", "1"]

    def run(*more: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([*arguments, *more])
        return int(ended.value.code or 0), *capsys.readouterr()

    code, out, err = run("--out", "p.nc", "--figure", "p.png")
    assert (code, err) == (0, "")
    assert "mlp, none, zero: linear1 is dead" in out
    assert (tmp_path / "p.png").stat().st_size > 10_000
    with xr.open_dataset(tmp_path / "p.nc") as stored:
        assert stored.dead.attrs["long_name"]
        assert stored.init.values.tolist() == ["zero", "scaled-normal:1"]
    assert len(json.loads(run("--json")[1])["cells"]) == 4
    arguments = ["probe", "--dataset", "digits", "--models", "mlp", "--inits", "zero,scaled-normal:1", "--mechanism"]
    assert "Around the weights" in run()[1]
    told = json.loads(run("--json")[1])["cells"]
    assert [cell["norm"] for cell in told] == ["none", "none", "batch", "batch"]
    assert told[1]["sharpness"] > told[0]["sharpness"]
    assert len(told) == 4
    assert told[0]["layers"]["linear1"]["dead"] == 1
    assert (
        "--figure: p.png is there; choose another --figure, or write over it with --force"
        in run("--figure", "p.png")[2]
    )
    assert run("--out", "p.nc", "--force")[0] == 0
    for wrong in (
        ("--figure", "x.pdf"),
        ("--out", "p.nc"),
        ("--inits", "nope"),
        ("--dataset", "mnist", "--data-dir", "p.nc"),
    ):
        code, out, err = run(*wrong)
        assert (code, out, err.count("\n")) == (2, "", 1)
