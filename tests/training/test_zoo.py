"""Every network of the zoo, in the form that is chosen and in every form that accepts it, against plain PyTorch.

The loop it is compared with is written here, without the package's training code: one network at a time, its own
``forward``, ``torch.optim.SGD``, float64.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager

import bnstudy.training.replicas
import pytest
import torch
from bnstudy.study import registry
from bnstudy.study.plan import Ensemble
from bnstudy.study.study import Study
from bnstudy.training import assembly, ensembles, streams
from bnstudy.training.datasets import data
from bnstudy.training.epochs import Trainer, evaluate
from bnstudy.training.networks import initialization, models
from bnstudy.training.replicas.lanes import lanes
from torch.nn import functional as F

from tests.zoo.networks import DRAW, NETWORKS, SLOW

TOLERANCE = 1e-10
EPOCHS = 2
pytestmark = [pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN"),
              pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")]  # fmt: skip
SETTINGS = {"dataset": "digits", "train_size": 41, "batch_size": 16, "epochs": EPOCHS, "norms": "none", "seeds": 2,
            "lr": "0.01,0.1", "inits": "default,scaled-normal:0.5"}  # fmt: skip
SMALL = [name for name in NETWORKS if name not in SLOW]
# A few of them in every run; the others show the same of other networks.
BY_TURNS = [pytest.param(name, marks=[pytest.mark.slow] if i % 5 else []) for i, name in enumerate(SMALL)]
A_THIRD = [pytest.param(name, marks=[pytest.mark.slow] if i % 3 or name in SLOW else [])
           for i, name in enumerate(NETWORKS)]  # fmt: skip
# What initial weights decide exactly (a hard sign, the largest few) is as sensitive to rounding as it is in PyTorch.


@pytest.fixture(autouse=True, scope="module")
def _zoo():
    for name, function in NETWORKS.items():
        registry.models.register(name, label=name)(function)
    yield
    for name in NETWORKS:
        del registry.models._entries[name]


@pytest.fixture(scope="module")
def digits():
    loaded = data.load(Study.make({**SETTINGS, "models": "mlp"}))
    images, labels = loaded.test
    return data.Data(loaded.train, None, (images[:50], labels[:50]), loaded.classes, loaded.digest)


def study_of(name: str, **changed) -> Study:
    few = {"lr": 0.05, "inits": "default"} if name in SLOW else {}
    return Study.make({**SETTINGS, **few, "models": name, **changed})


def ensemble_of(study: Study) -> Ensemble:
    return Ensemble(0, tuple(sorted(study.runs(), key=lambda run: run.seed)))


# ------------------------------------------------------------------ plain PyTorch


def alone(study: Study, run, loaded) -> dict[str, torch.Tensor]:
    """Curves, weights and buffers of one run, by plain PyTorch."""
    net = models.build(run.model, run.norm, study, loaded.shape, loaded.classes, run.seed)
    initialization.initialize(net, registry.initializers.level(run.init), run.seed)
    for tensor in (*net.parameters(), *net.buffers()):
        if tensor.is_floating_point() or tensor.is_complex():
            tensor.data = tensor.data.to(torch.complex128 if tensor.is_complex() else torch.float64)
    optimizer = torch.optim.SGD(net.parameters(), run.lr, study.momentum)
    images, labels = loaded.train
    found = {}
    for epoch in range(1, EPOCHS + 1):
        net.train()
        order = streams.batch_order(run.seed, epoch, len(labels))
        losses, right = 0.0, 0
        for i, start in enumerate((0, 16, 32)):
            chosen = order[start : start + 16]
            optimizer.zero_grad()
            with drawing(net, run.model in DRAW, "draws", run.seed, epoch, i):
                logits = net(images[chosen].double())
            loss = F.cross_entropy(logits, labels[chosen])
            loss.backward()
            for p in net.parameters():
                if p.grad is not None and p.grad.is_sparse:
                    p.grad = p.grad.to_dense()
            optimizer.step()
            losses += loss.item() * len(chosen)
            right += int((logits.argmax(1) == labels[chosen]).sum())
        net.eval()
        with torch.no_grad():
            logits = net(loaded.test[0].double())
        found |= {
            f"train_loss {epoch}": torch.tensor(losses / len(labels), dtype=torch.float64),
            f"train_accuracy {epoch}": torch.tensor(right / len(labels), dtype=torch.float64),
            f"test_loss {epoch}": F.cross_entropy(logits, loaded.test[1]),
            f"test_accuracy {epoch}": (logits.argmax(1) == loaded.test[1]).double().mean(),
        }
    return found | {name: tensor.detach() for name, tensor in (*net.named_parameters(), *net.named_buffers())}


@contextmanager
def drawing(net, by_layer: bool, *name):
    """The streams that docs/howto/own-model.md promises: each layer draws, in each step, from one of its own."""
    before, calls, outer = torch.get_rng_state(), Counter(), []
    handles = []

    def enter(layer, module, _inputs):
        outer.append(torch.get_rng_state())
        calls[layer] += 1
        torch.manual_seed(streams.seed_of(*name, layer, calls[layer]))

    def leave(_module, _inputs, _output):
        torch.set_rng_state(outer.pop())

    torch.manual_seed(streams.seed_of(*name))
    if by_layer:
        for layer, module in net.named_modules():
            handles.append(module.register_forward_pre_hook(lambda m, x, layer=layer: enter(layer, m, x)))
            handles.append(module.register_forward_hook(leave))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        torch.set_rng_state(before)


# ------------------------------------------------------------------ the package


def together(study: Study, loaded, dtype=torch.float64, epochs=EPOCHS) -> tuple[str, list[dict[str, torch.Tensor]]]:
    """The form that was taken, and what :func:`alone` gives of every run of an ensemble."""
    ensemble = ensemble_of(study)
    replicas = assembly.build_replicas(study, ensemble.runs, loaded, "cpu", dtype)
    step = ensembles.optimizer_step(study, ensemble.runs, replicas, "cpu")
    trainer = Trainer(replicas, loaded.train, ensemble.seeds, ensemble.groups, study.batch_size[0], step)
    found: list[dict[str, torch.Tensor]] = [{} for _ in ensemble.runs]
    for epoch in range(1, epochs + 1):
        measured = trainer.epoch(epoch) | evaluate(replicas, loaded.test, "test", epoch)
        for name in ("train_loss", "train_accuracy", "test_loss", "test_accuracy"):
            for r, value in enumerate(measured[name]):
                found[r][f"{name} {epoch}"] = torch.as_tensor(value)
    for r, curves in enumerate(found):
        curves |= replicas.state(r)
    return replicas.name, found


def assert_same(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> None:
    for name, value in wanted.items():
        other = found[name]
        assert torch.equal(other.isfinite(), value.isfinite()), name
        apart = (other.nan_to_num() - value.nan_to_num()).abs().double().norm()
        # A bias before a batch norm has no gradient but rounding, about 1e-16 a step whatever the order of sums.
        assert apart <= TOLERANCE * (value.nan_to_num().abs().double().norm() + 1e-4), (name, float(apart))


@pytest.mark.parametrize("name", A_THIRD)
def test_a_grid_trains_as_plain_pytorch_does(name, digits):
    study = study_of(name)
    _, found = together(study, digits)
    for run, curves in zip(ensemble_of(study).runs, found, strict=True):
        assert_same(curves, alone(study, run, digits))


@pytest.mark.parametrize("name", BY_TURNS)
def test_every_slower_form_that_accepts_a_network_trains_it_so_too(name, digits, monkeypatch):
    study, offered = study_of(name, lr=0.1, inits="default"), bnstudy.training.replicas.choice.forms_for
    tried: list[str] = []

    def others(*of):
        return [form for form in offered(*of) if form.name not in tried]

    monkeypatch.setattr(bnstudy.training.replicas.choice, "forms_for", others)
    wanted = [alone(study, run, digits) for run in ensemble_of(study).runs]
    while "one by one" not in tried:
        taken, found = together(study, digits)
        tried.append(taken)
        for curves, plain in zip(found, wanted, strict=True):
            assert_same(curves, plain)


def test_the_forms_are_what_they_are_known_to_be(digits):
    """A change here is a change of what somebody's study is computed with."""
    taken = {name: assembly.build_replicas(study_of(name), ensemble_of(study_of(name)).runs, digits, "cpu").name
             for name in TAKEN}  # fmt: skip
    assert taken == TAKEN


BY_LAYER = "lanes by layer" if lanes.load() else "folded"
TAKEN = {
    "group-norm-module-twice": "lanes" if lanes.load() else "folded", "layer-norm-of-the-sample": "vmap",
    "limited-by-the-largest-value": "vmap", "pooled-odd-features": "vmap", "residual": BY_LAYER,
    "a-batch-norm-that-rectifies": "vmap", "second-head-in-training": BY_LAYER, "softmax-in-evaluation": "vmap",
    "a-buffer-assigned-anew": "one by one", "forward-hook": "one by one", "pruned": "one by one",
    "new-weight-norm": "one by one", "reads-a-mean": "one by one", "dropout": "one by one", "lstm": "one by one",
    "large-gradients-clipped-in-forward": "one by one", "a-parameter-held-by-a-function": "one by one",
}  # fmt: skip


@pytest.mark.parametrize("name", BY_TURNS)
def test_training_again_gives_the_same_bits(name, digits):
    torch.manual_seed(sum(map(ord, name)))  # whatever state the global generator is in
    study = study_of(name, lr=0.1, inits="default", epochs=1)
    (_, first), (_, again) = (together(study, digits, torch.float32, epochs=1) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        for key, value in one.items():
            assert torch.equal(value, other[key]), key


@pytest.mark.parametrize("name", BY_TURNS)
def test_who_trains_beside_a_run_does_not_matter(name, digits):
    """Among other seeds, rates and initializations, one that diverges at once among them."""
    among = study_of(name, lr="0.01,1e6", inits="default,scaled-normal:0.5", seeds="3,5,8")
    (run,) = (alone := study_of(name, lr=0.01, inits="default", seeds="5,")).runs()
    (_, lonely), (_, crowd) = (together(one, digits, epochs=1) for one in (alone, among))
    curves = crowd[ensemble_of(among).runs.index(run)]
    assert_same(curves, lonely[0])
