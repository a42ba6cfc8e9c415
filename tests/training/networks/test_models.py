"""Norms swapped in networks of any kind: the arms differ by the norm and by nothing else, or are refused."""

from __future__ import annotations

from functools import partial

import pytest
from bnstudy.study import registry
from bnstudy.study.errors import InputError
from bnstudy.study.study import Study
from bnstudy.training import assembly
from bnstudy.training.networks import blocks, norms
from bnstudy.training.networks.layers import RootMeanSquare
from torch import nn
from torch.nn import functional as F


def chain(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers)


def swap(norm: str, network: nn.Module, **settings) -> nn.Module:
    return blocks.Blocks(norm, **settings).swap_norms(network)


def study_of(**settings) -> Study:
    return Study.make({"dataset": "digits", "models": "net", **settings})


@pytest.mark.parametrize("options", [
    {}, {"affine": False}, {"track_running_stats": False}, {"momentum": None}, {"eps": 0.01, "momentum": 0.3},
])  # fmt: skip
def test_the_arm_batch_keeps_a_batch_norm_as_it_is(options):
    norm = nn.BatchNorm2d(4, **options)
    assert swap("batch", chain(nn.Conv2d(1, 4, 3), norm))[1] is norm
    assert all(getattr(norm, name) == value for name, value in options.items())


def test_a_studys_eps_and_momentum_count_where_they_are_not_the_usual():
    norm = swap("batch", chain(nn.BatchNorm2d(4, eps=0.01, momentum=0.3), nn.ReLU()), norm_eps=0.1)[0]
    assert (norm.eps, norm.momentum) == (0.1, 0.3)
    assert swap("layer", chain(nn.BatchNorm2d(4, eps=0.01), nn.ReLU()))[0].eps == 0.01


@pytest.mark.parametrize("norm", ["layer", "group:2", "instance", "rms", "batch-no-affine"])
@pytest.mark.parametrize("affine", [True, False])
def test_another_norm_takes_over_scale_and_shift(norm, affine):
    batch = nn.BatchNorm2d(4, eps=0.01, momentum=None, affine=affine, track_running_stats=False)
    if affine:
        nn.init.zeros_(batch.weight)
        nn.init.constant_(batch.bias, 0.5)
        batch.bias.requires_grad_(False)
    (made,) = swap(norm, chain(batch))
    assert made.eps == 0.01
    if norm == "batch-no-affine":
        assert (made.affine, made.momentum, made.track_running_stats) == (False, None, False)
        return
    assert (made.weight is not None) == affine
    if affine:
        assert (made.weight == 0).all()
        if not isinstance(made, RootMeanSquare):
            assert (made.bias == 0.5).all()
            assert not made.bias.requires_grad


def test_a_batch_norm_under_two_names_is_replaced_under_both():
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = self.second = nn.BatchNorm2d(4)
            self.inner = chain(nn.Conv2d(1, 4, 3), self.first)

    for norm, kind in (("none", nn.Identity), ("layer", nn.GroupNorm)):
        net = swap(norm, Net())
        assert type(net.first) is kind
        assert net.first is net.second is net.inner[1]
        assert not [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]


@pytest.mark.parametrize("norm", ["none", "batch", "layer", "group:2", "rms", "batch-no-affine"])
def test_three_dimensions(norm, digits, register):
    def net(inputs, classes, blocks):
        body = chain(nn.Unflatten(1, (1, 1)), nn.Conv3d(1, 4, (1, 3, 3)), nn.BatchNorm3d(4), nn.ReLU())
        return chain(blocks.swap_norms(body), nn.Flatten(), nn.Linear(144, 10))

    register(registry.models, "net")(net)
    assembly.check(study_of(norms=norm), digits)


def test_lazy_batch_norms_are_kept_left_out_or_told(digits, register):
    def net(inputs, classes, blocks):
        return chain(blocks.swap_norms(chain(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.ReLU())), nn.Flatten(),
                     nn.LazyLinear(10))  # fmt: skip

    register(registry.models, "net")(net)
    assembly.check(study_of(norms="none,batch"), digits)
    with pytest.raises(InputError, match="layer '1' is lazy: say its channels, for 'layer'"):
        assembly.check(study_of(norms="layer"), digits)


class Rectified(nn.BatchNorm2d):
    def forward(self, x):
        return F.relu(super().forward(x))


def hooked() -> nn.Module:
    norm = nn.BatchNorm2d(4)
    norm.register_forward_hook(lambda module, args, output: output + 1)
    return norm


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
@pytest.mark.parametrize(("make", "told"), [
    (partial(Rectified, 4), "layer '0.1' is a Rectified, which does more"),
    (partial(nn.SyncBatchNorm, 4), "layer '0.1' is a SyncBatchNorm"),
    (hooked, "layer '0.1' has hooks"),
])  # fmt: skip
def test_what_does_more_than_normalize_is_refused_by_name(norm, make, told):
    with pytest.raises(InputError, match=told):
        swap(norm, chain(chain(nn.Conv2d(1, 4, 3), make())))


def test_a_network_that_is_a_batch_norm_has_no_place_for_another():
    with pytest.raises(InputError, match="nothing but a batch norm"):
        swap("layer", nn.BatchNorm2d(4))


# ------------------------------------------------------------------ equal arms


def forgetful(inputs, classes, blocks):
    return chain(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))


def swapped(inputs, classes, blocks):
    return blocks.swap_norms(forgetful(inputs, classes, blocks))


@pytest.mark.parametrize(("make", "wanted"), [(forgetful, "none,batch"), (swapped, "layer,group:1"),
                                              (swapped, "none,instance,group:4")])  # fmt: skip
def test_equal_arms_are_refused(make, wanted, digits, register):
    register(registry.models, "net")(make)
    with pytest.raises(InputError, match=r"'net' is the same network with norm '.*' as with '.*': there is no effect"):
        assembly.check(study_of(norms=wanted), digits)


def test_arms_that_differ_are_not(digits, register):
    register(registry.models, "net")(swapped)
    assembly.check(study_of(norms="none,batch,batch-no-affine,layer,group:2,instance,rms"), digits)
    assembly.check(study_of(models="mlp,cnn", norms="none,batch,batch-after,layer"), digits)


def test_arms_may_differ_in_what_they_compute_alone(digits, register):
    """A norm without parameters, or chosen in the forward."""

    def net(inputs, classes, blocks):
        class Net(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.out = nn.Linear(64, 10)

            def forward(self, x):
                x = x.flatten(1)
                return self.out(x if blocks.norm == "none" else F.layer_norm(x, (64,)))

        return Net()

    register(registry.models, "net")(net)
    assembly.check(study_of(norms="none,layer"), digits)


# ------------------------------------------------------------------ one value to normalize


@pytest.mark.parametrize(("norm", "hidden", "over"), [("group:64", "64,32", "group"), ("layer", "1", "sample")])
def test_a_group_of_one_feature_is_refused(norm, hidden, over, digits):
    study = Study.make({"dataset": "digits", "norms": norm, "models": "mlp", "hidden": hidden})
    with pytest.raises(InputError, match=f"one value a {over} to normalize at layer 'norm1' of 'mlp'"):
        assembly.check(study, digits)


@pytest.mark.parametrize("body", [
    lambda: chain(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8)),
    lambda: chain(nn.Conv2d(1, 8, 3), nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(8)),
])  # fmt: skip
def test_instance_norm_of_single_values_is_refused(body, digits, register):
    def net(inputs, classes, blocks):
        return chain(blocks.swap_norms(body()), nn.Flatten(), nn.Linear(8, 10))

    register(registry.models, "net")(net)
    with pytest.raises(InputError, match=r"norm 'instance' has one value a channel to normalize at layer '0\.2'"):
        assembly.check(study_of(norms="instance"), digits)


def test_a_slot_says_what_a_batch_norm_had():
    slot = norms.Slot(None, 4, 3, 0.01, None, False, False)
    made = registry.norms["batch"].function(slot)
    assert type(made) is nn.BatchNorm3d
    assert (made.eps, made.momentum, made.affine, made.track_running_stats) == (0.01, None, False, False)
