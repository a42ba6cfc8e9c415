"""Linear layers in the lanes against each network alone, in float64, whatever the input and whoever updates."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from bnstudy.study import registry
from bnstudy.study.study import Study
from bnstudy.training import epochs
from bnstudy.training.ensembles import optimizer_step
from bnstudy.training.networks.layers import RootMeanSquare, StandardizedLinear
from bnstudy.training.replicas import Folded, Lanes, Replicas
from bnstudy.training.replicas.lanes import lanes
from bnstudy.training.replicas.lanes.background import background_of
from torch import Tensor, nn
from torch.nn import functional as F

from tests.pairs import pairs

pytestmark = pytest.mark.skipif(lanes.load() is None, reason="no kernel here")
INPUTS, STEPS, MOMENTUM = 49, 4, 0.9
NORMS = {
    "none": lambda width: nn.Identity(),
    "batch": nn.BatchNorm1d,
    "group": lambda width: nn.GroupNorm(3, width),
    "root mean square": lambda width: RootMeanSquare(width, 1e-5),
}
SEEN = {
    "one batch": lambda r, size: 0,
    "a batch a pack": lambda r, size: r // 4,
    "mixed": lambda r, size: 3 * r // size,
}


def network(norm: str, standardized: bool, dtype=torch.float64) -> nn.Module:
    layer = StandardizedLinear if standardized else nn.Linear
    chain = [nn.Flatten(), layer(INPUTS, 21), NORMS[norm](21), nn.ReLU(), layer(21, 9), NORMS[norm](9), nn.Tanh()]
    return nn.Sequential(*(one for one in chain if not isinstance(one, nn.Identity)), nn.Linear(9, 10)).to(dtype)


def networks(size: int, norm: str = "none", standardized: bool = False, dtype=torch.float64) -> list[nn.Module]:
    draw = torch.Generator().manual_seed(1)
    made = [network(norm, standardized, dtype) for _ in range(size)]
    with torch.no_grad():
        for parameter in (p for net in made for p in net.parameters()):
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=draw).to(dtype))
    return made


def data(count: int, samples: int, background: float | None, dtype=torch.float64) -> list[tuple[Tensor, Tensor]]:
    draw = torch.Generator().manual_seed(2)
    made = []
    for _ in range(STEPS):
        x = torch.randn(count, samples, 1, 7, 7, generator=draw, dtype=torch.float64)
        if background is not None:
            x = x.where(torch.rand(x.shape, generator=draw) < 0.3, background)
        made.append((x.to(dtype), torch.randint(10, (count, samples), generator=draw)))
    return made


def assert_close(found: Tensor, wanted: Tensor, what: object) -> None:
    assert (found - wanted).norm() <= 1e-10 * STEPS * (wanted.norm() + 1e-2), what


CASES = pairs(
    list(NORMS), [False, True], [5, 9], list(SEEN), [None, -0.4242, 0.0], [False, True], [0.0, 0.01], [7, 133]
)


@pytest.mark.parametrize(("norm", "standardized", "size", "seen", "background", "descends", "decay", "samples"), CASES)
def test_a_step_is_each_network_alone(norm, standardized, size, seen, background, descends, decay, samples):
    """Losses, the gradient's norm, parameters and running statistics, step by step; then the outputs in evaluation."""
    nets = networks(size, norm, standardized)
    groups = [SEEN[seen](r, size) for r in range(size)]
    batches, lr = data(groups[-1] + 1, samples, background), torch.linspace(0.01, 0.1, size).double()
    replicas = Lanes(copy.deepcopy(nets))
    replicas.background = background
    assert not descends or replicas.descend(lr, MOMENTUM, decay)
    step = registry.optimizers["sgd"].function(list(replicas.parts[0].leaves), lr, MOMENTUM, decay)
    optimizers = [torch.optim.SGD(net.parameters(), rate, MOMENTUM, weight_decay=decay)
                  for net, rate in zip(nets, lr.tolist(), strict=True)]  # fmt: skip
    replicas.train()
    for x, y in batches:
        losses, _ = replicas.learn(x, y, groups, measured=True)
        kept = sum(leaf.grad.flatten(1).square().sum(1) for leaf in replicas.parts[0].leaves)
        squares = kept if replicas.squares is None else kept + replicas.squares
        step()
        for r, (net, optimizer) in enumerate(zip(nets, optimizers, strict=True)):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x[groups[r]]), y[groups[r]], reduction="none")
            loss.mean().backward()
            assert_close(losses[r], loss.detach(), r)
            assert_close(squares[r], sum(p.grad.square().sum() for p in net.parameters()), r)
            optimizer.step()
    replicas.train(False)
    with torch.no_grad():
        outputs = replicas(batches[0][0][:1])
    for r, net in enumerate(nets):
        assert_close(outputs[r], net.eval()(batches[0][0][0]).detach(), r)
        for name, value in net.state_dict().items():
            assert_close(replicas.state(r)[name].double(), value.double(), (r, name))


def trained(replicas: Replicas, batches, groups, lr: Tensor) -> list[dict[str, Tensor]]:
    replicas.background = 0.0
    replicas.descend(lr, MOMENTUM, 0.0)
    step = registry.optimizers["sgd"].function(list(replicas.parts[0].leaves), lr, MOMENTUM, 0.0)
    replicas.train()
    for x, y in batches:
        replicas.learn(x, y, groups)
        step()
    return [replicas.state(r) for r in range(replicas.size)]


@pytest.mark.parametrize("norm", list(NORMS))
def test_a_replica_depends_on_no_other_bit_for_bit(norm):
    """Alone and among others, its batch shared with all or with some."""
    nets, size = networks(11, norm, dtype=torch.float32), 11
    lr = torch.full((size,), 0.1, dtype=torch.float64)
    batches = data(2, 20, 0.0, torch.float32)
    together = trained(Lanes(copy.deepcopy(nets)), batches, [0] * 5 + [1] * 6, lr)
    for r, group in ((0, 0), (4, 0), (10, 1)):
        alone = trained(Lanes([copy.deepcopy(nets[r])]), [(x[[group]], y[[group]]) for x, y in batches], [0], lr[:1])
        assert all(torch.equal(value, together[r][name]) for name, value in alone[0].items()), r


@pytest.mark.parametrize("background", [None, 0.0, -0.4])
@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_diverged_replica_is_seen_and_leaves_the_others(background, poison):
    """Also where only a weight of an input that is always background is not finite, as in plain PyTorch."""
    nets = networks(6)
    batches = [(x.index_fill(3, torch.tensor([0]), background or 0.0), y) for x, y in data(1, 20, background)]
    with torch.no_grad():
        nets[2][1].weight[0, 0] = poison
    replicas = Lanes(copy.deepcopy(nets))
    replicas.background = background
    losses, _ = replicas.learn(*batches[0], [0] * 6)
    alone = torch.stack([F.cross_entropy(net(batches[0][0][0]), batches[0][1][0], reduction="none") for net in nets])
    assert poison == float("inf") or not alone[2].isfinite().any()  # a ReLU makes 0 of -inf
    assert torch.equal(losses.isfinite().all(1), alone.isfinite().all(1))
    assert torch.allclose(losses[[0, 1, 3, 4, 5]], alone[[0, 1, 3, 4, 5]].detach(), atol=1e-12)


def test_weights_that_somebody_changes_count_at_once():
    """Whatever was summed of them: between steps, and between training and evaluation."""
    nets, (x, y) = networks(5), data(1, 9, 0.0)[0]
    replicas = Lanes(copy.deepcopy(nets))
    replicas.background = 0.25
    replicas.descend(torch.full((5,), 0.1).double(), MOMENTUM, 0.0)
    for _ in range(2):
        replicas.train()
        replicas.learn(x, y, [0] * 5)
        with torch.no_grad():
            for p in replicas.parameters.values():
                p.data.mul_(1.5)
        replicas.train(False)
        alone = copy.deepcopy(nets[0])
        alone.load_state_dict(replicas.state(0))
        assert torch.allclose(replicas(x)[0], alone(x[0]), atol=1e-12)


def test_the_background_is_what_most_values_are():
    images = torch.full((50, 1, 4, 4), -0.42)
    images[:, :, :2] = torch.rand(50, 1, 2, 4)
    assert background_of(images) == pytest.approx(-0.42)
    assert background_of(torch.rand(50, 1, 4, 4)) is None


@pytest.mark.parametrize("optimizer", ["sgd", "plain-sgd", "adam"])
def test_an_epoch_is_that_of_the_folded_form(optimizer, digits):
    """The curves that are read in training, the gradient's norm included, whoever moves the weights."""
    study = Study.make({"dataset": "digits", "optimizers": optimizer, "lr": "0.01,0.02,0.03", "inits": "default",
                        "seeds": 2, "batch_size": 50, "weight_decay": 0.01, "norms": "batch"})  # fmt: skip
    runs = sorted((run for run in study.runs() if run.model == "mlp"), key=lambda run: run.seed)
    nets = [
        nn.Sequential(nn.Flatten(), nn.Linear(64, INPUTS).double(), *net[1:]) for net in networks(len(runs), "batch")
    ]
    found = []
    for form in (Lanes, Folded):
        replicas = form(copy.deepcopy(nets))
        step = optimizer_step(study, runs, replicas, "cpu")
        groups = [study.seeds.index(run.seed) for run in runs]
        trainer = epochs.Trainer(replicas, digits.train, study.seeds, groups, 50, step)
        found.append([trainer.epoch(1), trainer.epoch(2)])
    for lanes_epoch, folded_epoch in zip(*found, strict=True):
        for name, values in folded_epoch.items():
            assert np.allclose(lanes_epoch[name], values, rtol=1e-7), name
