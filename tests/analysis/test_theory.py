"""Asymptotic theory (docs/explanation/theory.md, 13 and 15): formulas against published numbers, networks too."""

from __future__ import annotations

import math

import numpy as np
import pytest
from bnstudy.analysis import theory
from bnstudy.analysis.figures import style
from bnstudy.analysis.figures.depth import growth_figure
from bnstudy.analysis.tables.growth import growth_table
from bnstudy.storage.opening import open_diagnostics
from bnstudy.study.study import Study
from bnstudy.training.datasets import data
from bnstudy.training.inspection import probes
from bnstudy.training.running.execution import run

from tests.synthetic import make_dataset


@pytest.mark.parametrize(("batch", "published"), [(16, 1.590), (100, 1.483), (10**8, math.pi / (math.pi - 1))])
def test_the_gradients_growth_is_the_published_one(batch, published):
    assert theory.gradient_growth(batch) == pytest.approx(published, abs=5e-4)


@pytest.mark.parametrize("batch", [8, 16])
def test_the_gradients_growth_is_that_of_a_layer_simulated(batch):
    """One layer backward, drawn at random where deep layers are: unit by unit, through ReLU and the norm's Jacobian."""
    rng = np.random.default_rng(8)
    units = 200_000
    h = rng.standard_normal((units, batch))
    h -= h.mean(1, keepdims=True)
    y = h / np.sqrt((h**2).mean(1, keepdims=True))
    relu = np.maximum(y, 0)
    # The next layer's pre-activations: centred, their variance has the spread of these products.
    across = (relu**2).mean() - (relu[:, 0] * relu[:, 1]).mean()
    deviation = np.sqrt(across * (h**2).mean(1))  # of a unit with weights of variance 1/width
    gradient = rng.standard_normal((units, batch))
    gradient -= gradient.mean(1, keepdims=True)
    back = gradient * (y > 0)
    back -= back.mean(1, keepdims=True)
    back -= (back * y).mean(1, keepdims=True) * y
    back /= deviation[:, None]
    found = (back**2).sum() / (gradient**2).sum()
    assert found == pytest.approx(theory.gradient_growth(batch), rel=0.03)


def test_the_signals_growth_and_how_deep_it_can_go():
    assert theory.signal_growth(1.0) == 1
    assert theory.trainable_depth(1) == math.inf
    assert theory.trainable_depth(0.5) == pytest.approx(6 / math.log(4))
    assert theory.trainable_depth(2) == theory.trainable_depth(0.5)


def test_models_that_differ_in_depth_alone():
    models = ["cnn:8-8", "mlp", "mlp:8x20", "mlp:8-8", "mlp:8-4", "mlp:16x5:tanh"]
    assert theory.depths(make_dataset(models=models)) == {"mlp:8-8": 2, "mlp:8x20": 20}


DEEP = Study.make({
    "dataset": "digits", "models": "mlp:200x24", "norms": "none,batch", "scales": "0.7,1.5", "batch_size": "16,100",
    "train_size": 100, "epochs": 1, "seeds": 4, "diagnostics": True,
})  # fmt: skip


def looked_at(study, folder):
    run(study, folder)
    return open_diagnostics(folder)


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    return looked_at(DEEP, tmp_path_factory.mktemp("deep") / "study")


NARROW = Study.make({**DEEP.model_dump(), "models": "mlp:50x12", "seeds": 2, "roles": {}, "reference": ""})


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    return looked_at(NARROW, tmp_path_factory.mktemp("narrow") / "study")


@pytest.mark.slow
def test_networks_grow_as_predicted(deep):
    """Within 5 %, at width 200: the predictions are for infinite width, and He's variance about it is 5/n a layer."""
    rows = theory.growths(deep)
    assert len(rows) == 2 * 2 * 2  # batch sizes, scales, and the signal and the gradient
    assert {(one.what, one.norm) for one in rows} == {("signal", "none"), ("gradient", "batch")}
    for one in rows:
        assert one.n == 4
        assert abs(one.deviation) < 0.05, one
        assert one.low < one.measured < one.high
    gradients = [one.measured for one in rows if one.what == "gradient" and one.batch == 100]
    assert max(gradients) / min(gradients) < 1.01  # whatever the scale
    assert len(growth_table(rows).rows) == len(rows)


def test_a_probe_grows_alike(narrow):
    study = Study.make({**NARROW.model_dump(), "batch_size": 100, "roles": {}, "reference": ""})
    probed = theory.growths(probes.probe(study, data.load(study)))
    trained = [one for one in theory.growths(narrow.isel(seed=[0])) if one.batch == 100]
    assert [one.init for one in probed] == [one.init for one in trained]
    np.testing.assert_allclose([one.measured for one in probed], [one.measured for one in trained], rtol=1e-4)


def test_they_are_drawn_beside_their_predictions(narrow):
    rows = theory.growths(narrow)
    with style.house_style():
        figure = growth_figure(rows, "title")
    signal, gradient = figure.axes
    lines = {line.get_label(): line for line in gradient.lines}
    assert set(lines["theory: 1.483 (100 samples a batch)"].get_ydata()) == {theory.gradient_growth(100)}
    assert "theory: S²" in {line.get_label() for line in signal.lines}


def test_shallow_networks_have_no_growth_to_tell(narrow):
    assert theory.growths(narrow.assign_coords(model=["mlp:50-50"])) == []


def test_agreement_counts_the_cells_on_their_side_of_the_line():
    """Made-up accuracies: right everywhere without a norm but in two cells; with BN where 50 layers are the line."""
    models = {"mlp:8x5": 5, "mlp:8x20": 20, "mlp:8x60": 60}
    scales = {"scaled-normal:0.5": 0.5, "scaled-normal:1": 1.0}
    dataset = make_dataset(models=list(models), inits=list(scales))
    accuracy = dataset.test_accuracy * 0 + 0.1
    for model, depth in models.items():
        for init, scale in scales.items():
            if depth <= theory.trainable_depth(scale):
                accuracy.loc[{"model": model, "init": init, "norm": "none"}] = 0.95
        if depth <= 50:
            accuracy.loc[{"model": model, "norm": "batch"}] = 0.95
    assert theory.agreement(dataset.assign(test_accuracy=accuracy), "none") == (6, 6)
    assert theory.agreement(dataset.assign(test_accuracy=accuracy), "batch") == (6, 6)
    accuracy.loc[{"model": "mlp:8x5", "init": "scaled-normal:0.5", "norm": "none"}] = 0.95  # deeper than 4.3
    accuracy.loc[{"model": "mlp:8x60", "init": "scaled-normal:1", "norm": "none"}] = 0.5  # no less deep than infinity
    assert theory.agreement(dataset.assign(test_accuracy=accuracy), "none") == (4, 6)
