"""Each initializer against its formula, and what all of them promise."""

from __future__ import annotations

import math

import pytest
import torch
from bnstudy.study.registry import initializers
from bnstudy.study.study import Study, default_role
from bnstudy.training import streams
from bnstudy.training.networks import initialization, models, weights
from bnstudy.training.networks.initializers import DEVIATION_WITHIN_TWO, Layer
from scipy import stats
from torch import nn

OUT, IN = 300, 400
LABELS = [
    name if e.parameter is None or e.parameter.default is not None else f"{name}:0.3"
    for name, e in initializers.items()
]
DEVIATION = {
    "default": 1 / math.sqrt(3 * IN),
    "scaled-normal:0.3": 0.3 * math.sqrt(2 / IN),
    "large-variance": 1.0,
    "normal:0.3": 0.3,
    "uniform:0.3": 0.3 / math.sqrt(3),
    "xavier": math.sqrt(2 / (IN + OUT)),
    "he-fan-out": math.sqrt(2 / OUT),
    "orthogonal": 1 / math.sqrt(IN),
    "lsuv": 1 / math.sqrt(IN),
    "zero": 0.0,
    "zero-hidden": 0.0,
    "constant:0.3": 0.0,
    "truncated-normal": math.sqrt(2 / IN),
    "lecun": math.sqrt(1 / IN),
    "sparse": math.sqrt(15 / IN),
    "delta-orthogonal": 1 / math.sqrt(IN),
    "shifted-mean": math.sqrt(2 / IN),
    "dead-biases": math.sqrt(2 / IN),
}
MEAN = {"constant:0.3": 0.3, "shifted-mean": math.sqrt(2 / IN)}
FOURTH = {"sparse": 3 * IN / 15}  # moment over that of the second squared, where it is above a normal's 3


def draw(label: str, shape=(OUT, IN)) -> torch.Tensor:
    level = initializers.level(label)
    weight = torch.full(shape, math.nan)
    layer = Layer(weight, torch.zeros(shape[0]), streams.generator("test", 1))
    initializers[level.family].function(layer, initializers.value(level))
    return weight.double()


def network(label: str, model: str = "cnn", norm: str = "batch", scope: str = "all", seed: int = 0) -> nn.Module:
    net = models.build(model, norm, Study.make({"dataset": "digits"}), (1, 8, 8), 10)
    with torch.no_grad():
        for layer in weights.weight_layers(net).values():
            for p in layer.parameters():
                p.fill_(math.nan)
    batch = torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    initialization.initialize(net, initializers.level(label), seed, scope, batch)
    return net


def test_every_initializer_has_its_row():
    rows = {label.partition(":")[0] for label in DEVIATION}
    missing = {e.name for e in initializers.values() if not e.origin} - rows
    assert not missing, f"add the deviation of {', '.join(sorted(missing))} to DEVIATION"


@pytest.mark.parametrize("label", LABELS)
def test_weights_are_filled_from_the_generator_of_their_layer(label):
    """What a user's own is refused for before it trains: a study does not ask it of those that come with bnstudy."""
    net = models.build("cnn", "batch", Study.make({"dataset": "digits"}), (1, 8, 8), 10)
    initialization.refuse_what_fills_otherwise(net, initializers.level(label))


@pytest.mark.parametrize("label", DEVIATION)
def test_moments(label):
    weight = draw(label)
    expected, n = DEVIATION[label], OUT * IN
    assert weight.mean().item() == pytest.approx(MEAN.get(label, 0.0), abs=4 * expected / math.sqrt(n) + 1e-7)
    error = math.sqrt((FOURTH.get(label, 3) - 1) / (4 * n))
    assert weight.std().item() == pytest.approx(expected, rel=4 * error, abs=1e-7)


def test_normal_and_uniform_have_their_shapes():
    normal, uniform = draw("normal:1"), draw("uniform:1")
    assert (normal**4).mean().item() == pytest.approx(3, abs=0.1)
    assert (uniform**4).mean().item() == pytest.approx(1 / 5, abs=0.01)
    assert uniform.abs().max() <= 1


def test_convolutions_count_their_receptive_field():
    layer = Layer(torch.empty(8, 4, 3, 3), None, streams.generator("test"))
    assert (layer.fan_in, layer.fan_out) == (36, 72)


def test_truncated_normal_is_cut_at_two_of_its_own_deviations():
    weight = draw("truncated-normal:1") / math.sqrt(2 / IN) * DEVIATION_WITHIN_TWO
    assert weight.abs().max() <= 2
    fourth, eighth = (stats.truncnorm(-2, 2).moment(order) for order in (4, 8))
    error = math.sqrt((eighth - fourth**2) / weight.numel())
    assert (weight**4).mean().item() == pytest.approx(fourth, abs=4 * error)
    assert pytest.approx(stats.truncnorm(-2, 2).std(), abs=1e-12) == DEVIATION_WITHIN_TWO


@pytest.mark.parametrize(("label", "inputs"), [("sparse", 15), ("sparse:3", 3), ("sparse:9999", IN)])
def test_sparse_units_have_so_many_inputs(label, inputs):
    weight = draw(label)
    assert ((weight != 0).sum(1) == inputs).all()
    assert weight[weight != 0].std().item() == pytest.approx(1, rel=0.1)
    assert len(torch.unique((weight != 0).float() @ torch.arange(IN).double().float())) > 1 or inputs == IN


def test_delta_orthogonal_passes_the_centre():
    weight = draw("delta-orthogonal:2", (6, 4, 3, 3))
    centre = weight[:, :, 1, 1]
    assert torch.allclose(centre.T @ centre, 4 * torch.eye(4).double(), atol=1e-5)
    assert weight.abs().sum() == centre.abs().sum()


def test_dead_biases_shut_every_relu_and_batch_norm_opens_them():
    images = torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    for norm, dead in (("none", 1.0), ("batch", 0.5)):
        net = network("dead-biases", "mlp", norm).train()
        hidden = net[: list(dict(net.named_children())).index("activation1") + 1](images)
        assert (hidden == 0).float().mean().item() == pytest.approx(dead, abs=0.05)
        assert (net.output.bias == 0).all()


@pytest.mark.parametrize("gain", [1.0, 2.5])
def test_orthogonal_rows(gain):
    weight = draw(f"orthogonal:{gain}")
    assert torch.allclose(weight @ weight.T, gain**2 * torch.eye(OUT).double(), atol=1e-4)


@pytest.mark.parametrize("kind", ["linear", "conv"])
def test_default_is_pytorchs_own(kind):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        theirs = nn.Linear(7, 5) if kind == "linear" else nn.Conv2d(3, 5, 3)
    weight, bias = torch.empty_like(theirs.weight), torch.zeros_like(theirs.bias)
    initializers["default"].function(Layer(weight, bias, torch.Generator().manual_seed(11)), None)
    assert torch.equal(weight, theirs.weight)
    assert torch.equal(bias, theirs.bias)


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_every_parameter_is_set_and_biases_are_zero(label, model):
    net = network(label, model)
    for name, p in net.named_parameters():
        assert torch.isfinite(p).all(), name
        if name.startswith("norm"):
            assert (p == (1 if name.endswith("weight") else 0)).all()
        elif name.endswith("bias") and label not in ("default", "zero-hidden", "dead-biases"):
            assert (p == 0).all(), name
    for name, b in net.named_buffers():
        assert torch.equal(b, torch.ones_like(b) if name.endswith("var") else torch.zeros_like(b)), name


def test_zero_hidden_spares_biases_and_output():
    net, plain = network("zero-hidden", "mlp"), network("default", "mlp")
    assert (net.linear1.weight == 0).all()
    for layer, name in (("linear1", "bias"), ("output", "weight"), ("output", "bias")):
        assert torch.equal(net.get_parameter(f"{layer}.{name}"), plain.get_parameter(f"{layer}.{name}"))


def test_scope_hidden_leaves_the_output_at_pytorchs_default():
    net, plain = network("large-variance", scope="hidden"), network("default")
    assert torch.equal(net.output.weight, plain.output.weight)
    assert torch.equal(net.output.bias, plain.output.bias)
    assert torch.equal(net.conv1.weight, network("large-variance").conv1.weight)


def test_draws_belong_to_the_seed_and_the_layer():
    one, again, other = (network("normal:1", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.conv1.weight, again.conv1.weight)
    assert not torch.equal(one.conv1.weight, other.conv1.weight)
    without = network("normal:1", norm="none", seed=1)
    assert all(torch.equal(one.get_parameter(n), without.get_parameter(n)) for n in ("conv2.weight", "output.weight"))


def test_lsuv_gives_every_layer_unit_variance():
    net = network("lsuv", "mlp", "none")
    images = torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    first = net.linear1(net.flatten(images))
    assert first.std().item() == pytest.approx(1, rel=1e-4)
    assert net.linear2(net.activation1(first)).std().item() == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize(
    ("label", "role"),
    [
        *[(name, "well") for name in ("default", "xavier", "orthogonal", "lsuv", "lecun", "delta-orthogonal:2")],
        *[(name, "well") for name in ("truncated-normal", "truncated-normal:2")],
        *[(name, "poor") for name in ("truncated-normal:3", "sparse", "shifted-mean", "dead-biases")],
        *[(f"scaled-normal:{s}", "well") for s in ("0.5", "1", "2")],
        *[(f"scaled-normal:{s}", "poor") for s in ("0.499", "2.01", "0.01", "10")],
        *[
            (name, "poor")
            for name in ("zero", "zero-hidden", "large-variance", "constant:1", "normal:0.1", "uniform:1")
        ],
    ],
)
def test_default_roles(label, role):
    assert default_role(label) == role
