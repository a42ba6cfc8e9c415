"""The epoch loop: against plain code written by hand, and what it promises about divergence and random numbers."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from bnstudy.study import registry, schema
from bnstudy.study.errors import InputError
from bnstudy.study.plan import Ensemble, make_plan
from bnstudy.study.schema import Status
from bnstudy.study.study import Study
from bnstudy.training import ensembles, streams
from bnstudy.training.datasets import data
from bnstudy.training.networks import initialization, models
from torch import nn
from torch.nn import functional as F

SMALL = {"dataset": "digits", "train_size": 301, "hidden": "16,8", "channels": "2,3", "epochs": 2}


def study_of(**settings) -> Study:
    return Study.make({**SMALL, "models": "mlp", "norms": "batch", "seeds": 1, **settings})


def train(study: Study, dtype=torch.float32) -> ensembles.Curves:
    (ensemble,) = make_plan(study, capacity=64)
    return ensembles.end_of(ensembles.training(study, ensemble, data.load(study), dtype=dtype))


@pytest.mark.parametrize("model", ["mlp", "cnn"])
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_a_run_is_what_plain_code_gives(model, norm):
    """All six curves of each run of an ensemble, against a loop over plain torch, in float64."""
    study = study_of(models=model, norms=norm, inits="default,scaled-normal:1", seeds=2)
    curves = train(study, torch.float64)
    (ensemble,) = make_plan(study, capacity=64)
    loaded = data.load(study)
    for r, run in enumerate(ensemble.runs):
        wanted = plain_run(study, run, loaded)
        for name, values in wanted.items():
            found = curves.values[name][r].astype(float)
            assert found == pytest.approx(np.float32(values).astype(float), rel=1e-6), (run, name)


def plain_run(study, run, loaded) -> dict[str, list[float]]:
    net = models.build(run.model, run.norm, study, loaded.shape, loaded.classes)
    initialization.initialize(net, registry.initializers.level(run.init), run.seed)
    net.double()
    optimizer = torch.optim.SGD(net.parameters(), run.lr, study.momentum)
    (images, labels), (test_images, test_labels) = loaded.train, loaded.test
    curves: dict[str, list[float]] = {variable.name: [] for variable in schema.CURVES}
    for epoch in range(1, study.epochs + 1):
        net.train()
        order = streams.batch_order(run.seed, epoch, len(labels))
        loss_sum = correct = 0.0
        for chosen in (order[:100], order[100:200], order[200:]):  # 301 samples: the last one joins
            optimizer.zero_grad()
            logits = net(images[chosen].double())
            loss = F.cross_entropy(logits, labels[chosen])
            loss.backward()
            optimizer.step()
            loss_sum += loss.item() * len(chosen)
            correct += (logits.argmax(1) == labels[chosen]).sum().item()
        net.eval()
        with torch.no_grad():
            logits = net(test_images.double())
        weights = [p for p in net.parameters() if p.dim() > 1]
        curves["train_loss"].append(loss_sum / len(labels))
        curves["train_accuracy"].append(correct / len(labels))
        curves["test_loss"].append(F.cross_entropy(logits, test_labels).item())
        curves["test_accuracy"].append((logits.argmax(1) == test_labels).double().mean().item())
        curves["grad_norm"].append(sum(p.grad.square().sum() for p in net.parameters()).sqrt().item())
        curves["weight_norm"].append(sum(p.square().sum() for p in weights).sqrt().item())
    return curves


@pytest.mark.parametrize("bad", ["scaled-normal:1e+20", "constant:1e+30"])
@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_a_diverged_run_is_a_result_and_its_neighbours_are_bit_equal(model, bad):
    settings = {"models": model, "norms": "none", "epochs": 3}
    sick = train(study_of(inits=f"default,{bad},scaled-normal:1", **settings))
    healthy = train(study_of(inits="default,xavier,scaled-normal:1", **settings))
    assert sick.status.tolist() == [Status.DONE, Status.DIVERGED, Status.DONE]
    assert sick.diverged_epoch.tolist() == [-1, 1, -1]
    for name, values in sick.values.items():
        assert np.isnan(values[1]).all()
        assert np.array_equal(values[[0, 2]], healthy.values[name][[0, 2]])


def test_a_run_that_diverges_later_keeps_its_curve_until_then():
    curves = train(study_of(inits="default", norms="none", models="cnn", lr="1e6,0.01", epochs=4))
    assert curves.status.tolist() == [Status.DIVERGED, Status.DONE]
    first = int(curves.diverged_epoch[0])
    assert first >= 1
    assert np.isfinite(curves.values["train_loss"][0, : first - 1]).all()
    assert np.isnan(curves.values["train_loss"][0, first - 1 :]).all()


def test_no_epoch_is_trained_once_all_are_dead():
    study = study_of(inits="scaled-normal:1e+20", norms="none", epochs=50)
    (ensemble,) = make_plan(study)
    assert [progress.epoch for progress in ensembles.training(study, ensemble, data.load(study))] == [1]


def test_arms_and_scales_share_their_base_draws(digits):
    study = study_of(norms="none,batch", inits="scaled-normal:1,scaled-normal:8")
    small, large, small_bn, _ = (
        ensembles.build_replicas(study, (run,), digits, "cpu").parameters
        for run in sorted(study.runs(), key=lambda run: (run.norm == "batch", run.init[-1]))
    )
    for name in ("linear1.weight", "linear2.weight", "output.weight"):
        assert torch.equal(small[name], small_bn[name])
        assert torch.allclose(8 * small[name], large[name], rtol=1e-6, atol=0)
    assert not torch.equal(small["linear1.weight"][:, :8, :16], small["linear2.weight"])


def test_batch_order_depends_on_seed_and_epoch_alone():
    assert torch.equal(streams.batch_order(3, 5, 50), streams.batch_order(3, 5, 50))
    assert not torch.equal(streams.batch_order(3, 5, 50), streams.batch_order(3, 6, 50))
    assert not torch.equal(streams.batch_order(3, 5, 50), streams.batch_order(4, 5, 50))
    assert streams.batch_order(3, 5, 50).sort().values.tolist() == list(range(50))


def test_a_run_does_not_depend_on_the_others_of_the_study():
    alone = train(study_of(inits="scaled-normal:1"), torch.float64)
    among = train(study_of(inits="zero,scaled-normal:1,default"), torch.float64)
    for name, values in alone.values.items():
        assert values[0] == pytest.approx(among.values[name][1], rel=1e-6)


def test_training_again_gives_the_same_bits_and_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    first, second = train(study_of(models="cnn")), train(study_of(models="cnn"))
    assert torch.equal(torch.get_rng_state(), before)
    for name, values in first.values.items():
        assert np.array_equal(values, second.values[name])


def test_validation_curves_come_from_held_out_samples():
    study = study_of(validation_size=100)
    loaded = data.load(study)
    assert len(loaded.train[1]) == 201
    assert loaded.validation is not None
    assert len(loaded.validation[1]) == 100
    kept = {image.numpy().tobytes() for image in loaded.train[0]}
    held_out = {image.numpy().tobytes() for image in loaded.validation[0]}
    assert len(kept & held_out) <= 1  # digits itself holds a few doubles
    assert np.isfinite(train(study).values["validation_accuracy"]).all()


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_seeds_may_share_an_ensemble_unevenly(model):
    """An ensemble of the last run of one seed and all runs of the next gives what each run gives alone."""
    study = study_of(models=model, norms="batch", inits="default,xavier", seeds=2, epochs=1)
    runs = sorted(study.runs(), key=lambda run: run.seed)[1:]
    loaded = data.load(study)
    together = ensembles.end_of(ensembles.training(study, Ensemble(0, tuple(runs)), loaded, dtype=torch.float64))
    for r, run in enumerate(runs):
        alone = ensembles.end_of(ensembles.training(study, Ensemble(0, (run,)), loaded, dtype=torch.float64))
        for name, values in alone.values.items():
            assert together.values[name][r] == pytest.approx(values[0], rel=1e-6), name


def test_learning_rates_may_differ_within_an_ensemble():
    both = train(study_of(inits="default", lr="0.01,0.1"), torch.float64)
    for r, lr in enumerate((0.01, 0.1)):
        alone = train(study_of(inits="default", lr=lr), torch.float64)
        assert both.values["train_loss"][r] == pytest.approx(alone.values["train_loss"][0], rel=1e-6)


def test_seconds_alone_is_a_time_per_epoch(digits):
    study = study_of()
    assert 0 < ensembles.seconds_alone(study, "mlp", "batch", digits, budget=0.05) < 60


TRAINS = """
import sys, torch
from bnstudy.study.plan import make_plan
from bnstudy.study.study import Study
from bnstudy.training import ensembles
from bnstudy.training.datasets.data import Data

study = Study.make({"models": "mlp", "hidden": "8", "norms": "batch", "seeds": 2, "epochs": 1})
images, labels = torch.zeros(100, 1, 8, 8), torch.zeros(100, dtype=torch.long)
given = Data((images, labels), None, (images, labels), 10, "")
(ensemble,) = make_plan(study)
ensembles.seconds_alone(study, "mlp", "batch", given)
for compiled in (True, False):
    ensembles.end_of(ensembles.training(study, ensemble, given, compiled=compiled))
sys.exit("torch._dynamo" in sys.modules)
"""


def test_training_imports_no_compiler_of_networks():
    """It takes seconds, in every process that trains, and nothing here is compiled by it."""
    subprocess.run([sys.executable, "-c", TRAINS], check=True)


class Raising(nn.Module):
    def __init__(self, inputs, classes, blocks):
        super().__init__()
        self.rows, self.out = nn.Embedding(17, 4, sparse=True), nn.LSTM(4, classes, batch_first=True)

    def forward(self, x):
        _, (last, _) = self.out(self.rows((x.flatten(1) > 0).long()))
        if not all(p.isfinite().all() for p in self.parameters()):
            raise ValueError("not finite")
        return last[0]


def test_seconds_alone_and_capacity_take_any_network(digits, register):
    """One that raises once it has diverged, whose gradients are sparse, whose layers give several tensors."""
    register(registry.models, "raising")(Raising)
    study = study_of(models="raising", norms="none", lr=1e38, weight_decay=0.1)
    assert ensembles.seconds_alone(study, "raising", "none", digits, budget=0.05) > 0
    assert ensembles.replica_bytes(study, "raising", "none", (1, 8, 8), 10) > 4 * 64 * 4


def test_a_gpus_capacity_is_what_its_free_memory_holds(monkeypatch):
    """Two-layer CNN: 100 samples of 4 x 28 x 28 after each of three layers, and so on; doubled for the gradients."""
    study = Study.make({"models": "cnn"})
    none, batch = (ensembles.replica_bytes(study, "cnn", norm, (1, 28, 28), 10) for norm in ("none", "batch"))
    outputs = 2 * 4 * 28 * 28 + 4 * 14 * 14 + 2 * 8 * 14 * 14 + 2 * 8 * 7 * 7 + 10
    assert none == 4 * (2 * outputs * 100 + 4 * 4266)
    assert batch > none
    for free, wanted in ((0, 1), (8 * batch, 4), (10**15, 512)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free: (free, 10**15))
        assert ensembles.capacity(study, "cuda") == wanted


def test_depth_width_and_activation_are_levels_of_the_model():
    study = study_of(models="mlp:16,mlp:16-8:tanh,cnn:2", norms="none", inits="default", seeds=1, epochs=1)
    assert study.models == ("mlp:16", "mlp:16-8:tanh", "cnn:2")
    shape, classes = (1, 8, 8), 10
    counted = {m: ensembles.count_parameters(study, m, "none", shape, classes) for m in study.models}
    assert counted == {
        "mlp:16": 64 * 16 + 16 + 16 * 10 + 10,
        "mlp:16-8:tanh": 64 * 16 + 16 + 16 * 8 + 8 + 8 * 10 + 10,
        "cnn:2": 9 * 2 + 2 + 2 * 16 * 10 + 10,
    }
    network = models.build("mlp:16-8:tanh", "none", study, shape, classes)
    assert [type(layer).__name__ for layer in network][2] == "Tanh"
    with pytest.raises(InputError, match="halved 3 times"):
        study_of(models="cnn:2-2-2-2")


def test_threads_are_as_many_as_before_whatever_an_initializer_sets(register):
    @register(registry.initializers, "greedy")
    def greedy(layer, value=None):
        torch.set_num_threads(7)
        layer.weight.fill_(0.1)

    study = study_of(inits="greedy", norms="none", epochs=1)
    (ensemble,) = make_plan(study)
    before = torch.get_num_threads()
    next(ensembles.training(study, ensemble, data.load(study)))
    assert torch.get_num_threads() == before != 7
