"""The exact facts about initialization and Batch Normalization that every number must agree with.

Each is an identity or a count that needs no training to be true, checked in float64 on the project's own models,
initializers and training loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from bnstudy.study import registry
from bnstudy.study.study import Study, unfit
from bnstudy.training import ensembles, epochs, streams
from bnstudy.training.datasets import data
from bnstudy.training.networks import initialization, initializers, models, weights
from torch import Tensor, nn
from torch.nn import functional as F

EPS = 1e-5
TINY = 1e-300  # F.batch_norm refuses an eps of 0


def network(model: str, norm: str, init: str, seed: int = 0, **settings) -> nn.Module:
    study = Study.make({"dataset": "digits", "inits": [init], **settings})
    net = models.build(model, norm, study, (1, 8, 8), 10)
    initialization.initialize(net, registry.initializers.level(init), seed)
    return net.double()


def batch(digits: data.Data, n: int = 100) -> tuple[Tensor, Tensor]:
    return digits.train[0][:n].double(), digits.train[1][:n]


def gradients(net: nn.Module, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    net.zero_grad()
    F.cross_entropy(net(images), labels).backward()
    return {name: p.grad for name, p in net.named_parameters()}


def close(a: Tensor, b: Tensor, tolerance: float = 1e-11) -> bool:
    return bool((a - b).norm() <= tolerance * (b.norm() + 1e-30))


def set_eps(net: nn.Module, eps: float) -> None:
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.eps = eps


def hidden_weights(net: nn.Module) -> dict[str, nn.Parameter]:
    return {name: layer.weight for name, layer in weights.weight_layers(net).items() if name != "output"}


@pytest.mark.parametrize("a", [0.01, 0.5, 8.0])
def test_fact_01_scaling_the_weights_is_scaling_eps(generator, a):
    x = torch.randn(64, 5, dtype=torch.float64, generator=generator)
    scaled = F.batch_norm(a * x, None, None, training=True, eps=EPS)
    assert close(scaled, F.batch_norm(x, None, None, training=True, eps=EPS / a**2))
    v = x.var(0, correction=0)
    shrunk = F.batch_norm(x, None, None, training=True, eps=EPS) / F.batch_norm(x, None, None, training=True, eps=TINY)
    assert close(shrunk, (v / (v + EPS)).sqrt().expand_as(shrunk))


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_fact_01_logits_do_not_depend_on_the_scale_under_bn(digits, model):
    images, _ = batch(digits)
    net = network(model, "batch", "scaled-normal:1")
    set_eps(net, TINY)
    before = net(images)
    with torch.no_grad():
        for weight in hidden_weights(net).values():
            weight.mul_(1000)
    assert close(net(images), before, 1e-9)


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_fact_02_gradient_of_scaled_weights_is_divided_by_the_scale(digits, model):
    images, labels = batch(digits)
    net = network(model, "batch", "scaled-normal:1")
    set_eps(net, TINY)
    before = {name: g.clone() for name, g in gradients(net, images, labels).items()}
    with torch.no_grad():
        for weight in hidden_weights(net).values():
            weight.mul_(8)
    after = gradients(net, images, labels)
    for name in hidden_weights(net):
        assert close(8 * after[f"{name}.weight"], before[f"{name}.weight"], 1e-8)


def test_fact_03_weights_are_orthogonal_to_their_gradient_up_to_eps(digits):
    images, labels = batch(digits)
    net = network("mlp", "batch", "scaled-normal:0.01")
    grads = gradients(net, images, labels)
    v = net.linear1(net.flatten(images)).var(0, correction=0)
    inner = (net.linear1.weight * grads["linear1.weight"]).sum(1)
    expected = EPS / (v + EPS) * net.norm1.weight * grads["norm1.weight"]
    assert expected.abs().max() > 1e-6
    assert close(inner, expected, 1e-9)


def test_fact_03_a_bias_before_bn_has_no_gradient(digits):
    images, labels = batch(digits)
    for model, layer in (("mlp", "linear1"), ("cnn", "conv1")):
        grads = gradients(network(model, "batch", "default"), images, labels)
        assert grads[f"{layer}.bias"].abs().max() < 1e-15 < grads[f"{layer}.weight"].abs().max()


def test_fact_03_plain_sgd_grows_the_squared_norm_by_the_squared_step(digits):
    images, labels = batch(digits)
    net = network("mlp", "batch", "scaled-normal:1")
    set_eps(net, TINY)
    grad = gradients(net, images, labels)["linear1.weight"]
    weight, rate = net.linear1.weight.detach(), 0.1
    grown = (weight - rate * grad).square().sum(1) - weight.square().sum(1)
    assert torch.allclose(grown, rate**2 * grad.square().sum(1), rtol=1e-6, atol=1e-13)


@pytest.mark.parametrize("a", [8.0, 10.0])
def test_fact_04_scale_is_an_effective_learning_rate(digits, a):
    """(aW, eta a^2, eps a^2) follows (W, eta, eps), momentum included, over 30 steps."""
    steps, eta = 30, 0.05
    plain, scaled = (network("mlp", "batch", "scaled-normal:1") for _ in range(2))
    with torch.no_grad():
        for weight in hidden_weights(scaled).values():
            weight.mul_(a)
    set_eps(scaled, EPS * a**2)
    own = [id(w) for w in hidden_weights(scaled).values()]
    rest = [p for p in scaled.parameters() if id(p) not in own]
    groups = [{"params": list(hidden_weights(scaled).values()), "lr": eta * a**2}, {"params": rest, "lr": eta}]
    optimizers = [torch.optim.SGD(plain.parameters(), eta, 0.9), torch.optim.SGD(groups, eta, 0.9)]
    for step in range(steps):
        images, labels = (part[step * 40 : step * 40 + 40] for part in digits.train)
        for net, optimizer in zip((plain, scaled), optimizers, strict=True):
            optimizer.zero_grad()
            F.cross_entropy(net(images.double()), labels).backward()
            optimizer.step()
    assert (plain.linear1.weight - network("mlp", "batch", "scaled-normal:1").linear1.weight).norm() > 0.1
    for name, weight in hidden_weights(plain).items():
        assert close(hidden_weights(scaled)[name] / a, weight, 1e-10)


def test_fact_05_balance_of_bn_relu_linear(digits):
    images, labels = batch(digits)
    net = network("mlp", "batch", "default", hidden=[32])
    with torch.no_grad():
        net.norm1.bias.fill_(0.3)
    g = gradients(net, images, labels)
    left = net.norm1.weight * g["norm1.weight"] + net.norm1.bias * g["norm1.bias"]
    right = (net.output.weight * g["output.weight"]).sum(0)
    assert close(left, right)


def test_fact_06_a_bias_free_relu_net_is_homogeneous(digits):
    images, labels = batch(digits)
    net = network("mlp", "none", "scaled-normal:1")  # biases are zero
    before = net(images)
    inner = [
        (net.get_parameter(f"{name}.weight") * gradients(net, images, labels)[f"{name}.weight"]).sum()
        for name in ("linear1", "linear2", "output")
    ]
    assert close(torch.stack(inner), inner[0].expand(3))
    with torch.no_grad():
        for layer in weights.weight_layers(net).values():
            layer.weight.mul_(1.7)
    assert close(net(images), 1.7**3 * before)


@pytest.mark.parametrize(
    ("model", "norm"), [(model, norm) for model in ("mlp", "cnn") for norm in registry.norms if not unfit(model, norm)]
)
def test_fact_07_zero_weights_train_only_the_output_bias(digits, model, norm):
    study = Study.make({"dataset": "digits", "inits": "zero", "models": model, "norms": norm, "seeds": 1})
    replicas = ensembles.build_replicas(study, tuple(study.runs()), digits, "cpu")
    start = {name: p.detach().clone() for name, p in replicas.parameters.items()}
    assert epochs.evaluate(replicas, digits.test, "test")["test_loss"] == pytest.approx(math.log(10), abs=1e-6)
    step = registry.optimizers["sgd"].function(
        list(replicas.parameters.values()), torch.tensor([0.01], dtype=torch.float64), 0.9, 0.0
    )
    trainer = epochs.Trainer(replicas, digits.train, (0,), (0,), 100, step)
    for epoch in range(1, 4):
        trainer.epoch(epoch)
        for name, parameter in replicas.parameters.items():
            assert torch.equal(parameter, start[name]) == (name != "output.bias")


def test_fact_07_the_effect_of_bn_is_exactly_zero(digits):
    study = Study.make({"dataset": "digits", "inits": "zero", "models": "mlp", "seeds": 1, "epochs": 2})
    from bnstudy.study.plan import make_plan

    none, with_bn = (ensembles.end_of(ensembles.training(study, ensemble, digits)) for ensemble in make_plan(study))
    for name in ("train_loss", "test_loss", "train_accuracy", "test_accuracy"):
        assert (none.values[name] == with_bn.values[name]).all()


@pytest.mark.mnist
def test_fact_07_on_mnist(mnist_folder):
    study = Study.make({"inits": "zero", "models": "mlp", "hidden": "4", "seeds": 1, "epochs": 2, "norms": "none"})
    from bnstudy.study.plan import make_plan

    mnist = data.load(study, mnist_folder)
    shares = torch.bincount(mnist.train[1]).double() / 60_000
    assert -(shares * shares.log()).sum().item() == pytest.approx(2.301159, abs=5e-7)
    curves = ensembles.end_of(ensembles.training(study, make_plan(study)[0], mnist))
    assert curves.values["test_accuracy"][0, -1] == pytest.approx(0.1135)
    assert curves.values["train_loss"][0, -1] == pytest.approx(2.301159, abs=2e-3)


def test_fact_08_zero_hidden_weights_escape_without_bn_and_stay_stuck_with_it(digits):
    images, labels = batch(digits)
    plain, with_bn = (network("mlp", norm, "zero-hidden") for norm in ("none", "batch"))
    assert gradients(plain, images, labels)["linear2.weight"].abs().max() > 1e-6
    stuck = gradients(with_bn, images, labels)
    assert stuck["linear1.weight"].abs().max() < 1e-15
    assert stuck["linear2.weight"].abs().max() < 1e-15


def steps_until_escape(digits: data.Data, dtype: torch.dtype, steps: int = 30, **changes: float) -> int | None:
    """Steps of SGD until the first layer of an MLP with BN and zero hidden weights weighs over 0.01, if it does."""
    net = network("mlp", "batch", "zero-hidden").to(dtype)
    set_eps(net, changes.get("eps", EPS))
    if "bias" in changes:
        for name, layer in weights.weight_layers(net).items():
            if name != "output":
                nn.init.constant_(layer.bias, changes["bias"])
    images, labels = digits.train[0].to(dtype), digits.train[1]
    optimizer = torch.optim.SGD(net.parameters(), 0.01, 0.9)
    for step in range(steps):
        chosen = torch.arange(step * 50, step * 50 + 100) % len(images)
        optimizer.zero_grad()
        F.cross_entropy(net(images[chosen]), labels[chosen]).backward()
        optimizer.step()
        if hidden_weights(net)["linear1"].norm() > 0.01:
            return step + 1
    return None


def test_fact_08_holds_in_double_precision_and_rounding_ends_it_in_single(digits):
    """BN divides what should be 0 by the root of its eps: of rounding it makes a signal, a few hundredfold a layer.

    Where nothing is rounded (biases of 0), or nothing is magnified (eps of 1), single precision stays stuck as well.
    """
    assert steps_until_escape(digits, torch.float64) is None
    assert steps_until_escape(digits, torch.float32) is not None
    assert steps_until_escape(digits, torch.float32, bias=0.0) is None
    assert steps_until_escape(digits, torch.float32, eps=1.0) is None


def test_fact_08_what_rounding_does_not_free_is_shut_by_its_relus(digits):
    """Of what rounding leaves a ReLU passes what is positive: with few channels a layer may pass nothing, for good."""
    images, labels = digits.train
    passed: dict[str, bool] = {}

    def look(name: str) -> Callable[..., None]:
        return lambda module, inputs, outputs: passed.update({name: bool((outputs > 0).any())})

    ends = []
    for seed in range(10, 35):
        net = network("cnn", "batch", "zero-hidden", seed).float()
        for name in ("activation1", "activation2"):
            net.get_submodule(name).register_forward_hook(look(name))
        optimizer = torch.optim.SGD(net.parameters(), 0.01, 0.9)
        for step in range(14):
            chosen = torch.arange(step * 100, step * 100 + 100)
            optimizer.zero_grad()
            F.cross_entropy(net(images[chosen]), labels[chosen]).backward()
            optimizer.step()
        ends.append((all(passed.values()), bool(hidden_weights(net)["conv1"].norm() > 0.01)))
    assert all(passes == escaped for passes, escaped in ends), ends


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_fact_09_constant_weights_keep_the_units_of_a_layer_identical(digits, norm):
    study = Study.make({"dataset": "digits", "inits": "constant:0.05", "models": "mlp", "norms": norm, "seeds": 1})
    replicas = ensembles.build_replicas(study, tuple(study.runs()), digits, "cpu", torch.float64)
    step = registry.optimizers["sgd"].function(
        list(replicas.parameters.values()), torch.tensor([0.01], dtype=torch.float64), 0.9, 0.0
    )
    before = replicas.parameters["output.bias"].detach().clone()
    trainer = epochs.Trainer(replicas, digits.train, (0,), (0,), 100, step)
    for epoch in (1, 2):
        trainer.epoch(epoch)
    weight = replicas.parameters["linear1.weight"][0]
    assert (weight - weight[:1]).abs().max() < 1e-12
    assert not torch.equal(before, replicas.parameters["output.bias"])


def test_fact_10_he_init_keeps_the_mean_square():
    """Ratio 1 a layer in expectation, with variance about 5/n at width n."""
    n, draws = 400, 200
    x = torch.ones(n, dtype=torch.float64)
    ratios = []
    for seed in range(draws):
        weight = torch.empty(n, n, dtype=torch.float64)
        layer = initializers.Layer(weight, None, streams.generator("he", seed))
        registry.initializers["scaled-normal"].function(layer, 1.0)
        ratios.append((weight @ x).relu().square().mean() / x.square().mean())
    ratios = torch.stack(ratios)
    error = math.sqrt(5 / n / draws)
    assert abs(ratios.mean() - 1) < 4 * error
    assert 0.6 < ratios.var() / (5 / n) < 1.6  # a variance from 200 draws is known to about 10 %


def test_fact_11_pytorchs_default_shrinks_the_second_moment_six_times():
    n, draws = 400, 200
    x = torch.ones(n, dtype=torch.float64)
    ratios, squares = [], []
    for seed in range(draws):
        weight = torch.empty(n, n, dtype=torch.float64)
        registry.initializers["default"].function(initializers.Layer(weight, None, streams.generator("d", seed)), None)
        squares.append(weight.square().mean() * 3 * n)
        ratios.append((weight @ x).relu().square().mean())
    assert torch.stack(squares).mean() == pytest.approx(1, abs=1e-3)
    assert 6 * torch.stack(ratios).mean() == pytest.approx(1, abs=4 * math.sqrt(5 / n / draws))


@pytest.mark.parametrize(
    ("model", "settings", "without", "with_bn"),
    [
        ("mlp", {"hidden": "256,128"}, 235_146, 235_914),
        ("mlp", {"hidden": "512,256"}, 535_818, 537_354),
        ("cnn", {"channels": "4,8"}, 4_266, 4_290),
        ("cnn", {"channels": "2,4", "kernel_size": 5}, 2_226, 2_238),
        ("cnn", {"channels": "8,16"}, 9_098, 9_098 + 2 * 24),
    ],
)
def test_fact_12_bn_adds_two_parameters_a_unit(model, settings, without, with_bn):
    study = Study.make(settings)
    shape = (1, 28, 28)
    assert ensembles.count_parameters(study, model, "none", shape, 10) == without
    assert ensembles.count_parameters(study, model, "batch", shape, 10) == with_bn
    units = sum(study.hidden if model == "mlp" else study.channels)
    assert with_bn - without == 2 * units
