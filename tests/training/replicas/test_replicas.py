"""Every form of replicas against each network trained alone with plain torch code, in float64."""

from __future__ import annotations

import copy
import random
from collections import deque
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from bnstudy.study import registry
from bnstudy.study.study import Study, unfit
from bnstudy.training.networks import initialization, models
from bnstudy.training.networks.layers import RootMeanSquare
from bnstudy.training.replicas import Folded, Lanes, Reference, Replicas, Trial, Vmapped, observe, replicate
from bnstudy.training.replicas.folded import foldable
from bnstudy.training.replicas.lanes import lanes
from bnstudy.training.replicas.lanes.supported import is_known
from torch import Tensor, nn
from torch.nn import functional as F

from tests.pairs import pairs

INITS = [
    *("default", "scaled-normal:0.01", "scaled-normal:10", "zero", "zero-hidden", "large-variance", "normal:0.1"),
    *("uniform:0.2", "constant:0.1", "xavier", "he-fan-out", "orthogonal", "lsuv", "truncated-normal", "lecun"),
    *("sparse", "delta-orthogonal", "shifted-mean:0.5", "dead-biases"),
]
# One that was added since goes the same way, at its default or at 0.3.
INITS += [
    name if entry.parameter is None or entry.parameter.default is not None else f"{name}:0.3"
    for name, entry in registry.initializers.items()
    if name not in {registry.initializers.level(init).family for init in INITS}
]
RATE, MOMENTUM, STEPS, BATCH = 0.05, 0.9, 4, 12
CPU = torch.device("cpu")
needs_kernel = pytest.mark.skipif(lanes.load() is None, reason="no C++ compiler here")
LANES = pytest.param(Lanes, marks=needs_kernel)


def networks(model: str, norm: str, init: str, count: int, dtype=torch.float64, **settings) -> list[nn.Module]:
    study = Study.make({"dataset": "digits", "inits": [init], **settings})
    example = torch.rand(8, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    made = []
    for seed in range(count):
        net = models.build(model, norm, study, (1, 8, 8), 10)
        initialization.initialize(net, registry.initializers.level(init), seed, batch=example)
        made.append(net.to(dtype))
    return made


def batches(groups: int, steps: int = STEPS, dtype=torch.float64, size: int = 8) -> list[tuple[Tensor, Tensor]]:
    draw = torch.Generator().manual_seed(2)
    return [
        (
            torch.randn(groups, BATCH, 1, size, size, generator=draw).to(dtype),
            torch.randint(10, (groups, BATCH), generator=draw),
        )
        for _ in range(steps)
    ]


def train_alone(nets: list[nn.Module], data: list[tuple[Tensor, Tensor]]) -> list[dict[str, Tensor]]:
    """States (and losses) of each network after plain SGD on its own batches."""
    states = []
    for r, net in enumerate(copy.deepcopy(nets)):
        optimizer = torch.optim.SGD(net.parameters(), RATE, MOMENTUM)
        losses = []
        for images, labels in data:
            group = r // (len(nets) // images.shape[0])
            optimizer.zero_grad()
            loss = F.cross_entropy(net(images[group]), labels[group])
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        states.append({**net.state_dict(), "losses": torch.stack(losses)})
    return states


def train_together(replicas: Replicas, data: list[tuple[Tensor, Tensor]], groups=None) -> list[dict[str, Tensor]]:
    steps = []
    for part in replicas.parts:
        lr = torch.full((part.replicas.stop - part.replicas.start,), RATE, dtype=torch.float64)
        steps.append(registry.optimizers["sgd"].function(list(part.leaves), lr, MOMENTUM, 0.0))
    losses = []
    replicas.train()
    for images, labels in data:
        seen = groups or tuple(r * len(images) // replicas.size for r in range(replicas.size))
        each, _ = replicas.learn(images, labels, seen)
        for step in steps:
            step()
        replicas.stepped()
        losses.append(each.mean(1))
    return [{**replicas.state(r), "losses": torch.stack(losses)[:, r]} for r in range(replicas.size)]


def chosen(nets: list[nn.Module], inputs: Tensor, compiled: bool = True) -> Replicas:
    """The replicas that are made of networks which will see such inputs."""
    labels = torch.arange(len(inputs)) % 10
    trial = Trial.of((inputs, labels), range(len(nets)), (len(inputs) - 3, 3), inputs)
    return replicate(nets, observe(copy.deepcopy(nets[0]), inputs, labels), trial, compiled=compiled)


def assert_same(found: list[dict[str, Tensor]], wanted: list[dict[str, Tensor]], tolerance: float = 1e-10) -> None:
    for one, other in zip(found, wanted, strict=True):
        assert one.keys() == other.keys()
        for name, value in other.items():
            # A bias before a batch norm has no gradient but rounding, about 1e-16 a step whatever the order of sums.
            scale = value.double().norm() + 1e-5
            assert (one[name].double() - value.double()).norm() <= tolerance * STEPS * scale, name


# Every norm in the form that is to be chosen for it: lanes know all but a norm after the activation.
KINDS = [(Folded, "mlp"), (Folded, "cnn"), (Lanes, "cnn"), (Lanes, "mlp")]
# A third of the initializers each, so that every pair of a norm with one, and of a form with one, is tried.
PAIRS = [
    pytest.param(form, model, norm, init, marks=[needs_kernel] * (form is Lanes) + [pytest.mark.slow] * (number % 2))
    for kind, (form, model) in enumerate(KINDS)
    for number, norm in enumerate(registry.norms)
    for init in INITS[(kind + number) % 3 :: 3]
    if not unfit(model, norm) and not (form is Lanes and norm == "batch-after")
]


# Where exact arithmetic stands still (what BN cancels) or keeps units identical, and a norm divides by the root of its
# eps, rounding grows a hundredfold a step and layer, and no two machines agree. Divided by about 1 it stays rounding.
UNSTABLE = {(norm, "zero-hidden") for norm in ("batch", "batch-no-affine", "group", "instance")}
UNSTABLE |= {("rms", "constant:0.1")}


@pytest.mark.parametrize(("form", "model", "norm", "init"), PAIRS)
def test_the_chosen_form_is_each_run_alone(form, model, norm, init):
    eps = 1.0 if (norm, init) in UNSTABLE else 1e-5
    nets, data = networks(model, norm, init, 3, norm_eps=eps), batches(1)
    replicas = chosen(copy.deepcopy(nets), data[0][0][0], compiled=form is Lanes)
    # A norm of a layer that a form does not know trains in a slower one.
    takes_it = is_known(nets[0]) if form is Lanes else foldable(nets[0])
    assert type(replicas) is form or not takes_it
    assert_same(train_together(replicas, data), train_alone(nets, data))


# Where branches explode or keep units alike, rounding grows from step to step: the inits here do neither.
@pytest.mark.parametrize(
    ("norm", "init"),
    [
        (norm, ["default", "scaled-normal:0.1", "zero"][number % 3])
        for number, norm in enumerate(norm for norm in registry.norms if not unfit("residual-mlp", norm))
    ],
)
def test_a_network_with_branches_is_each_run_alone(norm, init):
    nets, data = networks("residual-mlp", norm, init, 3), batches(1)
    replicas = chosen(copy.deepcopy(nets), data[0][0][0])
    assert type(replicas) is Folded or not foldable(nets[0])
    assert_same(train_together(replicas, data), train_alone(nets, data))


@pytest.mark.parametrize(
    ("form", "groups", "norm", "model"),
    [
        pytest.param(*row, marks=needs_kernel if row[0] is Lanes else ())
        for row in pairs([Lanes, Folded, Vmapped, Reference], [1, 2, 4], ["none", "batch"], ["mlp", "cnn"])
    ],
)
def test_every_form_and_grouping_is_each_run_alone(form, groups, norm, model):
    nets, data = networks(model, norm, "default", 4), batches(groups)
    assert_same(train_together(form(copy.deepcopy(nets)), data), train_alone(nets, data))


@needs_kernel
def test_a_norm_the_lanes_do_not_know_is_folded():
    nets, data = networks("cnn", "batch-after", "default", 2), batches(1)
    assert type(chosen(nets, data[0][0][0])) is Folded


@pytest.mark.parametrize("form", [LANES, Folded])
def test_eps_and_momentum_of_the_study_reach_every_form(form):
    nets, data = networks("cnn", "batch", "default", 3, norm_eps=0.1, norm_momentum=0.7), batches(1)
    found, wanted = train_together(form(copy.deepcopy(nets)), data), train_alone(nets, data)
    assert_same(found, wanted)
    assert not torch.allclose(wanted[0]["norm1.running_mean"], torch.zeros(()).double())


@pytest.mark.parametrize("form", [LANES, Folded, Vmapped, Reference])
@pytest.mark.parametrize("model", ["mlp", "cnn"])
@pytest.mark.parametrize("groups", [(0, 1, 1, 1), (0, 0, 1, 1, 2)])
def test_groups_may_be_uneven(form, model, groups):
    nets, data = networks(model, "batch", "default", len(groups)), batches(groups[-1] + 1)
    spread = [(images[list(groups)], labels[list(groups)]) for images, labels in data]
    assert_same(train_together(form(copy.deepcopy(nets)), data, groups), train_alone(nets, spread))


@needs_kernel
@pytest.mark.parametrize("count", [1, 8, 9, 19])
def test_any_number_of_replicas_fits_the_lanes(count):
    nets, data = networks("cnn", "batch", "default", count), batches(1)
    assert_same(train_together(Lanes(copy.deepcopy(nets)), data), train_alone(nets, data))


@needs_kernel
@pytest.mark.parametrize("norm", ["none", "batch", "group", "rms", "weight-standardization"])
def test_a_replica_does_not_depend_on_its_lane_or_its_neighbours(norm):
    nets, data = networks("cnn", norm, "default", 9, torch.float32), batches(1, dtype=torch.float32)
    together = train_together(Lanes(copy.deepcopy(nets)), data)
    alone = train_together(Lanes(copy.deepcopy(nets[-1:])), data)
    for name, value in alone[0].items():
        assert torch.equal(value, together[-1][name]), name


@needs_kernel
@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_a_replica_does_not_depend_on_who_sees_its_batches(norm):
    """Images of MNIST's size, which are worked on in blocks of rows."""
    study, make = Study.make({"dataset": "mnist"}), registry.initializers.level("default")
    nets = [models.build("cnn", norm, study, (1, 28, 28), 10) for _ in range(3)]
    for seed, net in enumerate(nets):
        initialization.initialize(net, make, seed)
    one, two = (batches(groups, dtype=torch.float32, size=28) for groups in (1, 2))
    apart = [(torch.stack([a[0], b[1]]), torch.stack([c[0], d[1]])) for (a, c), (b, d) in zip(one, two, strict=True)]
    together = train_together(Lanes(copy.deepcopy(nets)), one)
    mixed = train_together(Lanes(copy.deepcopy(nets)), apart, (0, 1, 1))
    for name, value in together[0].items():
        assert torch.equal(value, mixed[0][name]), name


@pytest.mark.parametrize(
    "settings",
    [
        {"channels": "3", "kernel_size": 1},
        {"channels": "2,3,4", "kernel_size": 5},
        {"activation": "tanh"},
        {"activation": "gelu"},
        {"activation": "sigmoid"},
    ],
)
@pytest.mark.parametrize("form", [LANES, Folded])
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_other_shapes_and_activations(form, norm, settings):
    nets, data = networks("cnn", norm, "scaled-normal:1", 3, **settings), batches(1)
    assert_same(train_together(form(copy.deepcopy(nets)), data), train_alone(nets, data))


def conv_net(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(10))


CHAINS = {
    "no bias": lambda: conv_net(nn.Conv2d(1, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3), nn.ReLU()),
    "pooled twice": lambda: conv_net(
        *(
            nn.Conv2d(1, 5, 5, padding="same"),
            nn.AvgPool2d(2),
            nn.Conv2d(5, 2, 3, padding=1),
            nn.ReLU(),
            nn.AvgPool2d(2),
        ),
        *(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3), nn.AvgPool2d(2)),
    ),
    "pooling after another activation": lambda: conv_net(nn.Conv2d(1, 3, 3, padding=1), nn.Tanh(), nn.AvgPool2d(2)),
    "two linear layers": lambda: nn.Sequential(
        *(nn.Conv2d(1, 9, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.LazyLinear(7), nn.BatchNorm1d(7), nn.ReLU()),
        nn.Linear(7, 10),
    ),
    "nested": lambda: conv_net(nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.GELU()), nn.Conv2d(2, 33, 3, padding=1)),
    "seven by seven": lambda: conv_net(
        nn.Conv2d(1, 2, 7, padding=3), nn.BatchNorm2d(2, eps=0.1, momentum=0.5), nn.ReLU()
    ),
    "norms without scale and shift": lambda: conv_net(
        *(nn.Conv2d(1, 4, 3, padding=1), nn.GroupNorm(2, 4, affine=False), nn.ReLU()),
        *(nn.Conv2d(4, 3, 3, padding=1), nn.BatchNorm2d(3, affine=False)),
    ),
    "norms of each sample": lambda: conv_net(
        *(nn.Conv2d(1, 2, 3, padding=1), nn.AvgPool2d(2), nn.Conv2d(2, 6, 3, padding=1), nn.GroupNorm(2, 6), nn.ReLU()),
        *(nn.AvgPool2d(2), nn.Conv2d(6, 3, 3, padding=1, bias=False), RootMeanSquare(3, 0.1), nn.AvgPool2d(2)),
    ),
    "unpadded, then sigmoid and pooling": lambda: conv_net(
        *(nn.Conv2d(1, 6, 5), nn.BatchNorm2d(6), nn.Sigmoid(), nn.AvgPool2d(2)),
        *(nn.Conv2d(6, 4, 2, padding="valid"), nn.Sigmoid()),
    ),
    "strides and largest values": lambda: conv_net(
        *(nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1)),
        *(nn.Conv2d(4, 5, 3, stride=3, padding=2), nn.GroupNorm(1, 5), nn.ReLU(), nn.Conv2d(5, 3, 1, stride=2)),
    ),
    "pooling of every kind": lambda: conv_net(
        *(nn.Conv2d(1, 3, 3, padding=2), nn.ReLU(), nn.AvgPool2d(3, 2, padding=1, count_include_pad=False)),
        *(nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(2, 1, ceil_mode=True), nn.AdaptiveMaxPool2d(3)),
        *(nn.Conv2d(4, 5, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)),
    ),
}


@needs_kernel
# Of an odd number of places pooling drops the last.
@pytest.mark.parametrize(("chain", "size", "groups"), pairs(list(CHAINS), [8, 11], [1, 3]))
def test_lanes_take_any_chain_of_their_layers(chain, size, groups):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        nets = [CHAINS[chain]() for _ in range(3)]
        for net in nets:
            net(torch.zeros(2, 1, size, size))  # its last layer learns its size
    nets = [net.double().train() for net in nets]
    data = batches(groups, size=size)
    for net in nets:
        for norm in (m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)):
            norm.reset_running_stats()
    assert Lanes.suits(nets[0], CPU, len(nets))
    replicas = Lanes(copy.deepcopy(nets))
    states = train_together(replicas, data)
    assert_same(states, train_alone(nets, data))
    replicas.train(False)
    for r, net in enumerate(nets):
        net.load_state_dict({k: v for k, v in states[r].items() if k != "losses"})
        wanted = net.eval()(data[0][0][r * groups // 3])
        assert torch.allclose(replicas(data[0][0])[r], wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "chain",
    [
        nn.Sequential(nn.Conv2d(1, 2, 3, stride=(2, 1), padding=1), nn.Flatten(), nn.Linear(64, 10)),
        nn.Sequential(nn.Conv2d(1, 2, 3, padding=(1, 0)), nn.Flatten(), nn.Linear(96, 10)),
        nn.Sequential(nn.Conv2d(1, 2, (3, 1)), nn.Flatten(), nn.Linear(96, 10)),
        nn.Sequential(nn.Conv2d(1, 2, 3, dilation=2), nn.Flatten(), nn.Linear(32, 10)),
        nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(1, 2, 3, padding=1), nn.Flatten(), nn.Linear(32, 10)),
        nn.Sequential(nn.Conv2d(1, 2, 4, padding="same"), nn.Flatten(), nn.Linear(128, 10)),
        nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular"), nn.Flatten(), nn.Linear(128, 10)),
        nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(128, 10)),
        conv_net(nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2, track_running_stats=False)),
        conv_net(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.GroupNorm(1, 2)),
        nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Linear(8, 10), nn.Flatten()),
        nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.LPPool2d(2, 2), nn.Flatten(), nn.Linear(32, 10)),
        nn.Sequential(nn.Conv2d(1, 2, 3, padding=1)),
        nn.Sequential(nn.Flatten(), nn.ReLU()),
        nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.GroupNorm(1, 8), nn.Linear(8, 10)),
        nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Dropout(), nn.Linear(8, 10)),
    ],
)
def test_lanes_do_not_take_what_they_cannot_do(chain):
    assert not Lanes.suits(chain, CPU, 8)


@pytest.mark.parametrize("form", [LANES, Folded, Vmapped, Reference])
def test_evaluation_uses_the_running_statistics(form):
    nets, data = networks("cnn", "batch", "default", 2), batches(1)
    replicas = form(nets)
    states = train_together(replicas, data)
    replicas.train(False)
    for r, net in enumerate(nets):
        net.load_state_dict({k: v for k, v in states[r].items() if k != "losses"}, strict=True)
        net.eval()
        assert torch.allclose(replicas(data[0][0])[r], net(data[0][0][0]), rtol=1e-10, atol=1e-12)


POISON = [
    pytest.param(form, model, norm, poison, dtype, marks=needs_kernel if form is Lanes else ())
    for i, norm in enumerate(["none", "batch", "layer", "rms", "weight-standardization"])
    for j, poison in enumerate([float("nan"), float("inf"), "largest"])
    for form, model, dtype in [
        (Folded, ("mlp", "cnn")[(i + j) % 2], (torch.float32, torch.float64)[j % 2]),
        (Lanes, "cnn", (torch.float32, torch.float64)[(i + j) % 2]),
    ]
]


@pytest.mark.parametrize(("form", "model", "norm", "poison", "dtype"), POISON)
def test_a_diverged_replica_leaves_its_neighbours_bit_equal(form, model, norm, poison, dtype):
    nets, data = networks(model, norm, "default", 3, dtype), batches(1, dtype=dtype)
    healthy = train_together(form(copy.deepcopy(nets)), data)
    with torch.no_grad():
        for p in nets[1].parameters():
            p.fill_(torch.finfo(dtype).max if poison == "largest" else poison)
    sick = train_together(form(nets), data)
    assert not torch.isfinite(sick[1]["losses"][-1])
    for r in (0, 2):
        for name, value in healthy[r].items():
            assert torch.equal(sick[r][name], value), name


# ------------------------------------------------------------------ networks of the user's own


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.block = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.output = nn.Linear(4 * 64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.stem(x)))
        x = x + self.block(x)
        return self.output(x.view(x.size(0), -1))


class Concatenated(nn.Module):
    """Joins channels: folding would interleave the replicas."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(1, 3, 3, padding=1)
        self.output = nn.Linear(5 * 64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(torch.cat([self.left(x), self.right(x)], dim=1).flatten(1))


class Tied(nn.Module):
    """Uses one layer twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.inner, self.output = nn.Linear(64, 8), nn.Linear(8, 8), nn.Linear(8, 10)
        self.again = self.inner

    def forward(self, x: Tensor) -> Tensor:
        return self.output(F.relu(self.again(F.relu(self.inner(F.relu(self.first(x.flatten(1))))))))


class Normed(nn.Module):
    """Has a layer without a folded form."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class Branching(nn.Module):
    """Looks at its values: no vmap."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.output = nn.LayerNorm(64), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x.flatten(1))
        return self.output(x if float(x.detach().abs().sum()) > 0 else -x)


class Seldom(nn.Module):
    """Does something that no trial is likely to see, by what a subclass asks."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.output = nn.Linear(64, 8), nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x.flatten(1)))
        return self.output(-x if self.asks(x) else x)


class DroppingByPython(Seldom):
    def asks(self, x: Tensor) -> bool:
        return self.training and random.random() < 1e-9


class DroppingByNumpy(Seldom):
    def asks(self, x: Tensor) -> bool:
        return self.training and np.random.rand() < 1e-9  # noqa: NPY002


class BranchingInEvaluation(Seldom):
    def asks(self, x: Tensor) -> bool:
        return not self.training and float(x.detach().max()) > 1e9


@pytest.mark.parametrize(
    ("kind", "form"),
    [(Residual, Folded), (Concatenated, Vmapped), (Tied, Vmapped), (Normed, Vmapped), (Branching, Reference),
     (DroppingByPython, Reference), (DroppingByNumpy, Reference), (BranchingInEvaluation, Reference)],
)  # fmt: skip
def test_other_networks_take_the_fastest_form_that_is_right(kind, form):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        nets = [kind().double() for _ in range(3)]
    data = batches(1)
    replicas = chosen(copy.deepcopy(nets), data[0][0][0])
    assert type(replicas) is form
    assert_same(train_together(replicas, data), train_alone(nets, data))


def test_complex_parameters_move_as_torch_moves_them():
    """Optimizers see pairs of real numbers: Adam's second moment is not a complex number's square."""

    class Waves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(5, 8, dtype=torch.complex128))

        def forward(self, x):
            return (x.to(self.weight.dtype) @ self.weight.t()).abs()

    plain = Waves()
    replicas = Reference([copy.deepcopy(plain)])
    (part,) = replicas.parts
    step = registry.optimizers["adam"].function(part.leaves, torch.tensor([0.1], dtype=torch.float64), 0.9, 0.01)
    optimizer = torch.optim.Adam(plain.parameters(), 0.1, weight_decay=0.01)
    for _ in range(3):
        x, y = torch.randn(6, 8, dtype=torch.float64), torch.randint(5, (6,))
        replicas.learn(x[None], y[None], (0,))
        step()
        replicas.stepped()
        optimizer.zero_grad()
        F.cross_entropy(plain(x), y).backward()
        optimizer.step()
    torch.testing.assert_close(replicas.state(0)["weight"], plain.weight.detach(), rtol=1e-12, atol=0)


def _counted_in_an_array(seen: np.ndarray) -> None:
    seen += 1


STATES = {
    "an array": (lambda: np.zeros(1), _counted_in_an_array),
    "a list in a dictionary in a list": (lambda: [{"steps": [0]}], lambda state: state[0]["steps"].append(1)),
    "a set": (lambda: {0}, lambda state: state.add(len(state))),
    "a deque": (lambda: deque([0], maxlen=1), lambda state: state.append(state[0] + 1)),
    "an object's object": (
        lambda: SimpleNamespace(inner=SimpleNamespace(steps=0)),
        lambda state: setattr(state.inner, "steps", state.inner.steps + 1),
    ),
}


@pytest.mark.parametrize("kind", STATES)
def test_what_a_network_remembers_is_seen_however_it_is_kept(kind):
    make, change = STATES[kind]

    class Remembering(nn.Linear):
        def __init__(self, changes: bool) -> None:
            super().__init__(64, 10)
            self.state, self.changes = make(), changes

        def forward(self, x: Tensor) -> Tensor:
            if self.changes:
                change(self.state)
            return super().forward(x.flatten(1))

    images, labels = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(4)), torch.arange(5)
    assert observe(Remembering(False), images, labels).obstacle == ""
    assert observe(Remembering(True), images, labels).obstacle == "changes attributes of its own"
