"""Norms: each against its formula, where it stands, and what it does not depend on."""

from __future__ import annotations

import pytest
import torch
from bnstudy.study import registry
from bnstudy.study.errors import InputError
from bnstudy.study.study import Study, unfit
from bnstudy.training.networks import blocks, initialization, models
from bnstudy.training.networks.layers import (
    RootMeanSquare,
    Scalar,
    StandardizedConv2d,
    StandardizedLinear,
    standardized_weight,
)
from torch import nn
from torch.nn import functional as F


def build(norm: str, model: str = "mlp", **settings) -> nn.Module:
    study = Study.make({"dataset": "digits", "models": model, "norms": norm, **settings})
    return models.build(model, norm, study, (1, 8, 8), 10)


def names(network: nn.Module) -> list[str]:
    return [name for name, _ in network.named_children()]


def first_unit(model: str) -> list[str]:
    return ["linear1", "norm1", "activation1"] if model == "mlp" else ["conv1", "norm1", "activation1", "pool1"]


SOMEWHERE = [(norm, model) for norm in registry.norms for model in ("mlp", "cnn") if not unfit(model, norm)]


@pytest.mark.parametrize(("norm", "model"), SOMEWHERE)
def test_where_it_stands(norm, model):
    found = [name for name in names(build(norm, model)) if name.endswith("1")]
    wanted = first_unit(model)
    place = registry.norms[norm].about.get("place", "before")
    if norm == "none" or place == "weight":
        wanted.remove("norm1")
    elif place == "after":
        wanted[1:3] = ["activation1", "norm1"]
    assert found == wanted


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(16, 8, 5, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 3 + 1


def norm_of(norm: str, model: str = "cnn", **settings) -> nn.Module:
    """The second norm of the CNN (8 channels), or the first of an MLP of 8 units."""
    network = build(norm, model, hidden="8,4", **settings)
    return network.get_submodule("norm2" if model == "cnn" else "norm1").double()


@pytest.mark.parametrize(
    ("norm", "over"),
    [("batch", (0, 2, 3)), ("batch-no-affine", (0, 2, 3)), ("batch-after", (0, 2, 3)), ("layer", (1, 2, 3)),
     ("instance", (2, 3))],
)  # fmt: skip
def test_mean_0_and_variance_1_over_its_axes(x, norm, over):
    y = norm_of(norm)(x)
    assert y.mean(over).abs().max() < 1e-12
    assert torch.allclose(y.var(over, correction=0), torch.ones(()).double(), atol=1e-5)


@pytest.mark.parametrize(("groups", "found"), [(2, 2), (4, 4), (3, 1), (6, 2), (100, 4)])
def test_groups_divide_the_channels(x, groups, found):
    norm = norm_of(f"group:{groups}")
    assert norm.num_groups == found
    y = norm(x).unflatten(1, (found, -1))
    assert y.mean((2, 3, 4)).abs().max() < 1e-12


def test_on_vectors_layer_is_pytorchs_layer_norm_and_rms_its_rms_norm(x):
    vectors = x.flatten(1)[:, :8]
    assert torch.allclose(norm_of("layer", "mlp")(vectors), F.layer_norm(vectors, (8,)))
    assert torch.allclose(norm_of("rms", "mlp")(vectors), F.rms_norm(vectors, (8,), eps=1e-5))


def test_rms_divides_by_the_root_mean_square(x):
    norm = RootMeanSquare(8, 1e-12).double()
    with torch.no_grad():
        norm.weight[3] = 2
    y = norm(x)
    root = x.square().mean((1, 2, 3)).sqrt()
    assert torch.allclose(y[:, 3], 2 * x[:, 3] / root.view(-1, 1, 1))
    assert torch.allclose(y[:, 0], x[:, 0] / root.view(-1, 1, 1))


def test_without_affine_it_has_no_parameters():
    assert not list(norm_of("batch-no-affine").parameters())
    assert len(list(norm_of("batch").parameters())) == 2


@pytest.mark.parametrize("norm", ["batch", "batch-after", "batch-no-affine", "layer", "group", "instance", "rms"])
def test_eps_and_momentum_are_the_studys(norm):
    made = norm_of(norm, norm_eps=0.25, norm_momentum=0.5)
    assert made.eps == 0.25
    if norm.startswith("batch"):
        assert made.momentum == 0.5


@pytest.mark.parametrize("shape", [(20, 30), (8, 4, 3, 3)])
def test_standardized_weights_have_mean_0_and_hes_deviation(shape):
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64) * 0.01 + 1
    found = standardized_weight(weight, tuple(range(1, weight.dim()))).flatten(1)
    assert found.mean(1).abs().max() < 1e-12
    assert torch.allclose(found.square().mean(1), torch.tensor(2 / found.shape[1]).double(), rtol=1e-5)


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_standardized_layers_do_not_feel_the_scale_of_their_weights(model):
    network = build("weight-standardization", model).double()
    images = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    before = network(images)
    layers = [layer for layer in network if isinstance(layer, StandardizedLinear | StandardizedConv2d)]
    assert len(layers) == 2
    with torch.no_grad():
        for layer in layers:
            layer.weight.mul_(100)
    assert torch.allclose(network(images), before, rtol=1e-4)
    assert type(network.output) is nn.Linear


def test_a_norm_of_feature_maps_needs_them():
    with pytest.raises(InputError, match="'instance' takes feature maps, and 'mlp' has none"):
        Study.make({"norms": "none,instance"})
    assert Study.make({"norms": "none,instance", "models": "cnn"}).norms == ("none", "instance")


DEEP = {"hidden": ",".join(["32"] * 20)}


def deep(norm: str) -> tuple[nn.Module, torch.Tensor]:
    """A residual network of 20 branches under He's initialization, and images."""
    network = build(norm, "residual-mlp", **DEEP)
    initialization.initialize(network, registry.initializers.level("scaled-normal:1"), 0)
    return network, torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(4))


def test_a_residual_network_adds_its_branches_to_what_they_take():
    network, images = deep("none")
    x = network.stem(network.flatten(images))
    first = network.block1
    inner = first.branch.linear2(F.relu(first.branch.linear1(x)))
    assert torch.allclose(first(x), x + inner)
    assert build("batch", "residual-mlp", hidden="32,16").block2.shortcut.weight.shape == (16, 32)


def test_skipinit_begins_as_the_identity_and_none_grows_as_a_power_of_the_depth():
    plain, images = deep("none")
    skip, _ = deep("skipinit")
    sizes = []
    for network in (plain, skip):
        x = network.stem(network.flatten(images))
        begin = x
        for name, block in network.named_children():
            if name.startswith("block"):
                x = block(x)
        sizes.append((x.square().mean() / begin.square().mean()).item())
    assert sizes[1] == 1.0
    assert 3**17 < sizes[0] < 3**22  # He: a branch gives twice the mean square it takes (theory.md, 15), so 3^20


def test_skipinit_learns_its_factors():
    network, images = deep("skipinit")
    labels = torch.arange(64) % 10
    F.cross_entropy(network(images), labels).backward()
    ends = [block.branch.end for name, block in network.named_children() if name.startswith("block")]
    assert len(ends) == 20
    assert all(end.weight.item() == 0 and end.weight.grad.abs().item() > 0 for end in ends)


def test_skipinit_needs_branches():
    with pytest.raises(InputError, match="'skipinit' ends residual branches, and 'mlp' has none"):
        Study.make({"norms": "none,skipinit"})
    assert Study.make({"norms": "none,skipinit", "models": "residual-mlp"}).norms == ("none", "skipinit")


def test_in_a_network_of_the_users_skipinit_takes_the_norms_that_end_branches():
    resnet = pytest.importorskip("torchvision").models.resnet18(num_classes=10)
    built = blocks.Blocks("skipinit")
    with pytest.raises(InputError, match="which batch norms do"):
        built.swap_norms(resnet)
    swapped = built.swap_norms(resnet, ends=["bn2"])
    kinds = {name: type(layer) for name, layer in swapped.named_modules()}
    assert {kind for name, kind in kinds.items() if name.endswith("bn2")} == {Scalar}
    assert {kind for name, kind in kinds.items() if name.endswith("bn1")} == {nn.Identity}
