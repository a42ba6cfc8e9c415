"""The initialization of whole networks: what is reached, what stays as it was made, and where draws come from."""

from __future__ import annotations

import random
import sys
import warnings

import numpy as np
import pytest
import torch
from bnstudy.study import registry
from bnstudy.study.errors import DataWarning, InputError
from bnstudy.study.registry import initializers
from bnstudy.study.study import Study
from bnstudy.training import assembly, streams
from bnstudy.training.datasets import data
from bnstudy.training.networks import initialization, models, norms, weights
from torch import nn
from torch.nn.utils import parametrizations, prune

from tests.zoo.networks import NETWORKS


def initialized(net: nn.Module, label: str = "constant:0.5", **options) -> nn.Module:
    initialization.initialize(net, initializers.level(label), 3, **options)
    return net


def old_weight_norm(layer: nn.Module, name: str = "weight") -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return nn.utils.weight_norm(layer, name)


@pytest.mark.parametrize("wrap", [
    lambda layer: layer, old_weight_norm, parametrizations.weight_norm, nn.utils.spectral_norm,
    lambda layer: prune.identity(layer, "weight"),
], ids=["plain", "old weight norm", "weight norm", "old spectral norm", "pruned"])  # fmt: skip
@pytest.mark.parametrize("make", [lambda: nn.Linear(6, 4), lambda: nn.Conv2d(2, 4, 3)], ids=["linear", "conv"])
def test_a_layer_begins_with_the_drawn_weights_whatever_they_are_made_of(wrap, make):
    layer = initialized(wrap(make()), "normal:0.3")
    plain = initialized(make(), "normal:0.3")
    x = torch.randn(5, 6) if isinstance(plain, nn.Linear) else torch.randn(5, 2, 4, 4)
    with torch.no_grad():
        wanted, found = plain(x), layer.eval()(x)
    if wrap is nn.utils.spectral_norm:  # which divides by its estimate of the largest singular value
        assert torch.equal(layer.weight_orig, plain.weight)
        return
    torch.testing.assert_close(found, wanted)


def test_recurrent_and_attention_weights_are_reached_but_for_the_default():
    for make in (lambda: nn.LSTM(3, 4, 2, bidirectional=True), lambda: nn.GRUCell(3, 4), lambda: nn.RNN(3, 4)):
        layer = initialized(make())
        assert all((p == (0.5 if p.dim() > 1 else 0)).all() for p in layer.parameters())
        before = [p.detach().clone() for p in layer.parameters()]
        assert all(map(torch.equal, before, initialized(layer, "default").parameters()))
    attention = initialized(nn.MultiheadAttention(4, 2))
    assert (attention.in_proj_weight == 0.5).all()
    assert (attention.in_proj_bias == 0).all()
    assert (attention.out_proj.weight == 0.5).all()
    normed = old_weight_norm(nn.LSTM(3, 4), "weight_hh_l0")
    assert set(weights.untouched(normed)) == {"weight_hh_l0_g", "weight_hh_l0_v", "bias_hh_l0"}
    length = normed.weight_hh_l0_g.clone()
    assert torch.equal(initialized(normed).weight_hh_l0_g, length)
    apart = initialized(nn.MultiheadAttention(4, 2, kdim=3, vdim=5), "scaled-normal:1")
    assert not torch.equal(apart.k_proj_weight, apart.v_proj_weight[:, :3])


def test_what_no_initializer_sets_is_named_and_stays():
    net = nn.Sequential(nn.Linear(3, 4), nn.PReLU(), nn.ConvTranspose1d(4, 2, 1), nn.BatchNorm1d(2), nn.LSTM(2, 2))
    net[0].extra = nn.Parameter(torch.ones(2))
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    initialized(net)
    named = weights.untouched(net)
    assert set(named) == {"0.extra", "1.weight", "2.weight", "2.bias"}
    for name in (*named, "3.weight", "3.bias"):
        assert torch.equal(net.get_parameter(name), before[name])


@pytest.mark.parametrize("label", ["constant:0.5", "lsuv"])
def test_frozen_weights_are_their_authors(label):
    net = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    net[0].requires_grad_(False)
    before = net[0].weight.clone()
    assert torch.equal(initialized(net, label, batch=torch.randn(50, 3))[0].weight, before)
    assert "0.weight" in weights.untouched(net)


@pytest.mark.parametrize("wrap", [lambda layer: layer, old_weight_norm, parametrizations.weight_norm])
def test_lsuv_gives_unit_variance_whatever_weights_are_made_of(wrap):
    batch = torch.randn(200, 3)
    net = initialized(nn.Sequential(wrap(nn.Linear(3, 40)), nn.ReLU(), wrap(nn.Linear(40, 40))), "lsuv", batch=batch)
    with torch.no_grad():
        assert [float(net[:i](batch).std()) for i in (1, 3)] == pytest.approx([1, 1], rel=1e-5)


def test_a_norms_scale_begins_as_the_network_made_it():
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    nn.init.zeros_(net[1].weight)
    assert (initialized(net)[1].weight == 0).all()


@pytest.mark.parametrize("label", ["zero-hidden", "dead-biases"])
def test_the_output_layer_is_the_one_that_acts_last(label, digits, register):
    register(registry.models, "odd")(NETWORKS["output-listed-first"])
    study = Study.make({"dataset": "digits", "models": "odd", "norms": "none", "inits": label, "seeds": 1})
    net = assembly.build_replicas(study, tuple(study.runs()), digits, "cpu", reference=True).networks[0]
    if label == "zero-hidden":
        assert (net.hidden.weight == 0).all()
        assert (net.out.weight != 0).any()
    else:
        assert (net.hidden.bias < 0).all()
        assert (net.out.bias == 0).all()


def test_looking_at_a_network_leaves_it_as_it_was():
    """An initializer that looks at data, and lazy layers, call it before it is trained."""

    class Remembering(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.flat, self.out, self.calls, self.epochs = nn.Flatten(), nn.LazyLinear(10), 0, 0
            self.register_buffer("mean", torch.zeros(()))

        def train(self, mode=True):
            self.epochs += mode
            return super().train(mode)

        def forward(self, x):
            self.calls, self.mean = self.calls + 1, x.mean() + self.mean + 1
            return self.out(self.flat(x))

    net = Remembering()
    models._materialize(net, (1, 8, 8))
    assert (net.calls, net.epochs, net.mean, net.training, net.out.training) == (0, 0, 0, True, True)
    initialized(net, "lsuv", batch=torch.randn(9, 1, 8, 8))
    assert (net.calls, net.epochs, net.mean, net.training) == (0, 0, 0, True)


# ------------------------------------------------------------------ draws


@pytest.mark.parametrize("draw", [
    lambda layer: layer.weight.normal_(),
    lambda layer: layer.weight.copy_(torch.from_numpy(np.random.randn(*layer.weight.shape))),
    lambda layer: layer.weight.fill_(np.random.default_rng().random()),
    lambda layer: nn.init.kaiming_normal_(layer.weight),
    lambda layer: layer.bias.normal_() if layer.bias is not None else None,
], ids=["torch", "numpy", "fresh numpy", "nn.init", "the bias"])  # fmt: skip
def test_an_initializer_that_draws_from_elsewhere_is_refused(draw, digits, register):
    register(registry.initializers, "elsewhere")(lambda layer, value=None: (layer.weight.fill_(0.1), draw(layer)))
    study = Study.make({"dataset": "digits", "models": "mlp", "inits": "elsewhere"})
    with pytest.raises(InputError, match="'elsewhere' gives other weights each time"):
        assembly.check(study, digits)


def test_an_initializer_that_gives_every_seed_the_same_is_told(digits, register):
    register(registry.initializers, "seeded")(
        lambda layer, value=None: layer.weight.normal_(generator=torch.Generator().manual_seed(0))
    )
    with pytest.warns(DataWarning, match="'seeded' gives every seed the same weights"):
        assembly.check(Study.make({"dataset": "digits", "models": "mlp", "norms": "none", "inits": "seeded"}), digits)


def forgets(layer) -> None:
    """It works on a copy."""
    layer.weight.clone().normal_(generator=layer.generator)


def fills_bias(layer) -> None:
    layer.bias.fill_(0.1)


@pytest.mark.parametrize("fill", [
    lambda layer, value=None: None,
    lambda layer, value=None: forgets(layer),
    lambda layer, value=None: fills_bias(layer),
], ids=["nothing", "a copy", "the bias"])  # fmt: skip
def test_an_initializer_that_fills_no_weight_is_refused(fill, digits, register):
    register(registry.initializers, "idle")(fill)
    study = Study.make({"dataset": "digits", "models": "mlp", "norms": "none", "inits": "idle"})
    with pytest.raises(InputError, match=r"'idle' fills no weight; change layer\.weight in place"):
        assembly.check(study, digits)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("kind", ["weight", "bias"])
def test_an_initializer_that_fills_with_no_finite_number_is_refused(value, kind, digits, register):
    def fill(layer, _=None):
        layer.weight.normal_(generator=layer.generator)
        tensor = getattr(layer, kind)
        if layer.is_output and tensor is not None:
            tensor.flatten()[1] = value

    register(registry.initializers, "endless")(fill)
    study = Study.make({"dataset": "digits", "models": "mlp", "norms": "none", "inits": "endless"})
    with pytest.raises(InputError, match=f"'endless' gives layer 'output' a {kind} of NaN or infinity"):
        assembly.check(study, digits)


def test_a_level_whose_draws_overflow_is_refused_and_one_of_the_weights_made_of_others_is_not(digits):
    study = Study.make({"dataset": "digits", "models": "mlp", "norms": "none", "inits": "normal:3e38"})
    with pytest.raises(InputError, match=r"'normal:3e\+38' gives layer 'linear1' a weight of NaN or infinity"):
        assembly.check(study, digits)
    # Zero weights of unit length are no numbers: that is the network's doing, and a result.
    assembly.check(Study.make({"dataset": "digits", "norms": "none,weight-standardization", "inits": "zero"}), digits)


def fills_row(layer) -> None:
    layer.weight[0].zero_()


def test_an_initializer_that_fills_a_part_is_told_of_what_it_leaves(digits, register):
    register(registry.initializers, "first-row")(lambda layer, value=None: fills_row(layer))
    study = Study.make({"dataset": "digits", "models": "mlp", "norms": "none", "inits": "first-row", "hidden": "8"})
    with pytest.warns(DataWarning, match="'first-row' leaves 448 of 512 weights of layer 'linear1' as it was made"):
        assembly.check(study, digits)


@pytest.mark.parametrize("draw", [
    lambda layer, value=None: layer.weight.fill_(0.1),
    lambda layer, value=None: nn.init.eye_(layer.weight),
    lambda layer, value=None: layer.weight.normal_(generator=layer.generator),
    lambda layer, value=None: layer.weight.mul_(2),  # of what the network's own code drew
])  # fmt: skip
def test_an_initializer_that_draws_from_its_layer_is_not(draw, digits, register):
    register(registry.initializers, "here")(draw)
    study = Study.make({"dataset": "digits", "models": "mlp", "norms": "none", "inits": "here", "seeds": 2})
    assembly.check(study, digits)
    drawn = assembly.build_replicas(study, tuple(study.runs()), digits, "cpu").parameters["output.weight"]
    assert torch.equal(drawn[0], drawn[1]) == (len(drawn.unique()) <= 2)  # constants need no draws


@pytest.mark.parametrize("wrong", [
    lambda layer, value=None: layer.weights,
    lambda layer, value=None: 1 / 0,
    lambda layer, value=None: sys.exit(7),
    lambda layer, value=None: torch.zeros_like(layer.weight),
    lambda layer, value=None: setattr(layer.weight, "data", torch.zeros(3)),
    lambda layer, value=None: setattr(layer.weight, "data", layer.weight.double()),
    lambda layer, value=None: layer.weight.requires_grad_(False),
])  # fmt: skip
def test_an_initializer_that_fails_is_told_with_its_layer(wrong, digits, register):
    register(registry.initializers, "wrong")(wrong)
    with pytest.raises(InputError, match="'wrong' fails on layer 'linear1' of shape \\(256, 64\\)"):
        assembly.check(Study.make({"dataset": "digits", "models": "mlp", "inits": "wrong"}), digits)


def test_delta_orthogonal_needs_a_centre(digits, register):
    def even(inputs, classes, blocks):
        return nn.Sequential(nn.Conv2d(1, 2, 2), nn.Flatten(), nn.Linear(98, 10))

    register(registry.models, "even")(even)
    study = Study.make({"dataset": "digits", "models": "even", "norms": "none", "inits": "delta-orthogonal"})
    with pytest.raises(InputError, match="a kernel of 2×2 has no centre; it needs odd sides"):
        assembly.check(study, digits)


def test_both_arms_share_the_first_values_of_what_no_initializer_sets(register):
    """Also behind a norm that draws for itself."""

    @register(registry.norms, "drawing")
    def drawing(slot, value=None):
        norm = nn.BatchNorm2d(slot.channels)
        nn.init.normal_(norm.weight)
        return norm

    def net(inputs, classes, blocks):
        body = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.ConvTranspose2d(3, 2, 2))
        return nn.Sequential(blocks.swap_norms(body), nn.PReLU(), nn.Flatten(), nn.Linear(98, 10))

    register(registry.models, "net")(net)
    study = Study.make({"dataset": "digits", "models": "net"})
    made = {(norm, seed): models.build("net", norm, study, (1, 8, 8), 10, seed)
            for norm in ("none", "batch", "drawing") for seed in (0, 1)}  # fmt: skip
    for norm in ("batch", "drawing"):
        assert torch.equal(made[norm, 0].get_parameter("0.3.weight"), made["none", 0].get_parameter("0.3.weight"))
    assert not torch.equal(made["none", 0].get_parameter("0.3.weight"), made["none", 1].get_parameter("0.3.weight"))


def test_both_arms_share_their_masks(digits, register):
    """A norm that draws in its forward moves no other layer's masks."""
    masks: dict[str, list[torch.Tensor]] = {}

    class Noisy(nn.Module):
        def forward(self, x):
            return x + 0.1 * torch.randn_like(x) if self.training else x

    class Dropping(nn.Dropout):
        def forward(self, x):
            masks[arm].append(super().forward(torch.ones_like(x)))
            return masks[arm][-1] * x

    def net(inputs, classes, blocks):
        layers = blocks.unit("linear", 1, nn.Linear(64, 9), spatial=0)
        return nn.Sequential(nn.Flatten(), *(layer for _, layer in layers if layer), Dropping(), nn.Linear(9, 10))

    register(registry.models, "net")(net)
    register(registry.norms, "noisy")(lambda slot, value=None: Noisy())
    study = Study.make({"dataset": "digits", "models": "net", "norms": "none,batch,noisy", "seeds": 1})
    for run in study.runs():
        arm = run.norm
        masks[arm] = []
        replicas = assembly.build_replicas(study, (run,), digits, "cpu", reference=True)
        masks[arm].clear()  # of the look at it beforehand
        replicas.train()
        for step in range(3):
            replicas.at(1, step)
            replicas.learn(digits.train[0][None, :20], digits.train[1][None, :20], (0,))
    # The layers' places differ by one where there is no norm, and so do their names.
    assert all(map(torch.equal, masks["batch"], masks["noisy"]))
    assert not torch.equal(masks["batch"][0], masks["batch"][1])


@pytest.mark.parametrize("draw", [lambda: float(torch.rand(())), np.random.rand, random.random])
def test_what_a_layer_draws_moves_no_draw_around_it(draw, digits, register):
    """Whichever global generator it is."""
    drawn: dict[str, list[float]] = {"none": [], "noisy": []}

    class Noisy(nn.Module):
        def forward(self, x):
            return x * (1 + 1e-3 * draw())

    class Around(nn.Module):
        def __init__(self, arm, norm):
            super().__init__()
            self.arm, self.norm, self.out = arm, norm or nn.Identity(), nn.Linear(64, 10)

        def forward(self, x):
            x = self.norm(x.flatten(1))
            drawn[self.arm].append(draw())
            return self.out(x)

    register(registry.norms, "noisy")(lambda slot, value=None: Noisy())
    register(registry.models, "net")(
        lambda inputs, classes, blocks: Around(blocks.norm, blocks._norm(norms.Slot(None, 64, 0)))
    )
    study = Study.make({"dataset": "digits", "models": "net", "norms": "none,noisy", "seeds": 1})
    for run in study.runs():
        replicas = assembly.build_replicas(study, (run,), digits, "cpu", reference=True)
        drawn[run.norm].clear()
        replicas.train()
        replicas.at(1, 0)
        replicas.learn(digits.train[0][None, :20], digits.train[1][None, :20], (0,))
    assert drawn["none"] == drawn["noisy"] != []


def test_a_block_of_streams_leaves_every_global_generator_alone():
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    with streams.kept():
        streams.turn("x", 1)
        one = torch.rand(2), np.random.rand(), random.random()
        streams.turn("x", 1)
        assert torch.equal(one[0], torch.rand(2))
        assert one[1:] == (np.random.rand(), random.random())
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()
    assert before[2] == random.getstate()


# ------------------------------------------------------------------ networks that cannot be a study's


class Unsteady(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.out = kind, nn.Linear(64, 10)
        if kind == "built":
            self.out.register_buffer("mask", torch.from_numpy(np.random.default_rng().random(64)).float())

    def forward(self, x):
        x = x.flatten(1)
        if self.kind == "built":
            return self.out(x * self.out.mask)
        return self.out(x * float(np.random.default_rng().random()))


class Evaluated(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.out = kind, nn.Linear(64, 10)

    def forward(self, x):
        if self.training or (self.kind == "wrong size" and len(x) in (37, 100)):
            return self.out(x.flatten(1))
        return self.out(x.view(100, 64)), "more"


class Counted(nn.Module):
    """It counts its calls somewhere, and is another network after thirty of them."""

    calls = 0

    def __init__(self, forward) -> None:
        super().__init__()
        self.out, self.function = nn.Linear(64, 10), forward

    def forward(self, x):
        return self.function(self, x.flatten(1))


def in_its_class(net, x):
    Counted.calls += 1
    return net.out(x if Counted.calls < 30 else -x)


def in_a_global(net, x):
    CALLS["all"] += 1
    return net.out(x if CALLS["all"] < 30 else -x)


def keeping_its_graph(net, x):
    y = net.out(x)
    net.last, last = y, getattr(net, "last", y)
    return y + last.mean()


def making_a_layer(net, x):
    net.more = getattr(net, "more", None) or nn.Linear(10, 10)
    return net.more(net.out(x))


CALLS = {"all": 0}
SHARED = nn.Linear(64, 10)
WRONG = {
    "no module": (lambda: None, "gives a NoneType"),
    "raising": (lambda: 1 / 0, r"cannot be built: ZeroDivisionError: division by zero \(line \d+ of .*test_init"),
    "one output a picture": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.Flatten(0)),
                             r"it gives \(1000,\)"),
    "feature maps": (lambda: nn.Conv2d(1, 10, 8), r"it gives \(100, 10, 1, 1\) for 100 samples"),
    "a tuple": (lambda: nn.Sequential(nn.Flatten(), nn.LSTM(64, 10)), "it gives tuple"),
    "too few outputs": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 9)), "it has 9 outputs"),
    "wrong sizes": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(63, 10)),
                    "fails on a batch of 100 samples: RuntimeError"),
    "nothing to train": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).requires_grad_(False), "no parameter"),
    "sizes of its own": (lambda: nn.Sequential(nn.Unflatten(0, (20, 5)), nn.Flatten(0, 1), nn.Flatten(),
                                               nn.Linear(64, 10)), "fails on a batch of 37 samples"),
    "sizes of evaluation": (lambda: Evaluated("wrong size"), "fails on a batch of 360 samples"),
    "a tuple in evaluation": (lambda: Evaluated("tuple"), "it gives tuple for 100 samples"),
    "built at random": (lambda: Unsteady("built"), "other outputs each time it is built"),
    "a forward at random": (lambda: Unsteady("forward"), "other outputs each time it is built"),
    "counting in its class": (lambda: Counted(in_its_class), r"it changes Counted.calls, which all runs share"),
    "counting in a global": (lambda: Counted(in_a_global), r"it changes CALLS\['all'\], which all runs share"),
    "not twice": (lambda: Counted(keeping_its_graph), "backward through the graph a second time"),
    "a layer made in forward": (lambda: Counted(making_a_layer), "makes its parameter 'more.weight' in its forward"),
    "half precision": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10).bfloat16()), "'1.weight' is of torch.bfl"),
    "one for all": (lambda: nn.Sequential(nn.Flatten(), SHARED), "the same parameter or buffer"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_network_that_cannot_be_trained_or_repeated_is_told_in_a_line(name, digits, register):
    make, wanted = WRONG[name]
    register(registry.models, "wrong")(lambda inputs, classes, blocks: make())
    with pytest.raises(InputError, match=wanted) as caught:
        assembly.check(Study.make({"dataset": "digits", "models": "wrong", "norms": "none"}), digits)
    assert "'wrong'" in str(caught.value)


def test_every_batch_size_is_tried(digits, register):
    class Fives(nn.Flatten):
        def forward(self, x):
            return super().forward(x.view(-1, 5, 64).flatten(0, 1) if self.training and len(x) < 20 else x)

    register(registry.models, "wrong")(lambda inputs, classes, blocks: nn.Sequential(Fives(), nn.Linear(64, 10)))
    few = data.Data((digits.train[0][:320], digits.train[1][:320]), None, digits.test, 10, "")
    study = Study.make({"dataset": "digits", "models": "wrong", "norms": "none", "batch_size": "10,16,20"})
    with pytest.raises(InputError, match="fails on a batch of 16 samples"):
        assembly.check(study, few)


def test_a_network_whose_layers_change_with_the_seed_is_refused(digits, register):
    def net(inputs, classes, blocks):
        width = int(torch.randint(4, 40, ()))
        return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.Linear(width, 10))

    register(registry.models, "net")(net)
    study = Study.make({"dataset": "digits", "models": "net", "norms": "none", "seeds": 5})
    with pytest.raises(InputError, match="networks of different layers"):
        assembly.build_replicas(study, tuple(study.runs()), digits, "cpu")
