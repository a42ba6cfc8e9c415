"""The networks: functions of (inputs, classes, blocks), for pictures of 1×8×8 and ten classes."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, parametrize, prune
from torch.utils.checkpoint import checkpoint

NETWORKS: dict[str, Callable[..., nn.Module]] = {}
DRAW: set[str] = set()  # those that draw random numbers in training
SLOW: set[str] = set()  # those of which two runs must do


def network(*marks: set[str]) -> Callable[[Callable[..., nn.Module]], Callable[..., nn.Module]]:
    """Decorator: one network of the zoo."""

    def add(function: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
        name = function.__name__.replace("_", "-")
        NETWORKS[name] = function
        for mark in marks:
            mark.add(name)
        return function

    return add


class Own(nn.Module):
    """Parts by name, and a forward of them."""

    def __init__(self, forward: Callable[[nn.Module, Tensor], Tensor], **parts: nn.Module) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)
        self.function = forward

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


def conv(inputs: int = 1, outputs: int = 4, kernel: int = 3, **options) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, **options)


def bn(channels: int = 4, **options) -> nn.Module:
    return nn.BatchNorm2d(channels, **options)


def head(features: int = 256) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(features, 10))


def chain(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers)


# ------------------------------------------------------------------ what mixes replicas that are folded


@network()
def layer_norm_of_the_sample(inputs, classes, blocks):
    return Own(lambda net, x: net.head(F.relu(F.layer_norm(y := net.conv(x), y.shape[1:]))), conv=conv(), head=head())


@network()
def group_norm_of_one_group(inputs, classes, blocks):
    return Own(lambda net, x: net.head(F.relu(F.group_norm(net.conv(x), 1))), conv=conv(), head=head())


@network()
def group_norm_module_twice(inputs, classes, blocks):
    return chain(conv(), nn.GroupNorm(2, 4), nn.ReLU(), conv(4, 4), nn.GroupNorm(4, 4), nn.ReLU(), head())


@network()
def centred_over_channels(inputs, classes, blocks):
    def forward(net, x):
        x = net.conv(x)
        return net.head(F.relu(x - x.mean(1, keepdim=True)))

    return Own(forward, conv=conv(), head=head())


@network()
def gated_by_a_mean_over_channels(inputs, classes, blocks):
    def forward(net, x):
        x = net.conv(x)
        return net.head(x * torch.sigmoid(x.mean(1, keepdim=True)))

    return Own(forward, conv=conv(), head=head())


@network()
def squeeze_and_excitation(inputs, classes, blocks):
    def forward(net, x):
        x = F.relu(net.norm(net.conv(x)))
        gate = torch.sigmoid(net.up(F.relu(net.down(x.mean((2, 3))))))
        return net.head(x * gate[:, :, None, None])

    return Own(forward, conv=conv(), norm=bn(), down=nn.Linear(4, 2), up=nn.Linear(2, 4), head=head())


@network()
def concatenated(inputs, classes, blocks):
    return Own(lambda net, x: net.head(F.relu(torch.cat([net.left(x), net.right(x)], 1))),
               left=conv(1, 2), right=conv(1, 3, 5), head=head(320))  # fmt: skip


@network()
def densely_connected(inputs, classes, blocks):
    def forward(net, x):
        x = torch.cat([x, F.relu(net.first(x))], 1)
        return net.head(torch.cat([x, F.relu(net.norm(net.second(x)))], 1))

    return Own(forward, first=conv(1, 3), second=conv(4, 4), norm=bn(), head=head(512))


@network()
def pooled_features(inputs, classes, blocks):
    return chain(nn.Flatten(), nn.Linear(64, 30), nn.AdaptiveAvgPool1d(6), nn.ReLU(), nn.Linear(6, 10))


@network()
def pooled_odd_features(inputs, classes, blocks):
    return chain(nn.Flatten(), nn.Linear(64, 31), nn.MaxPool1d(2), nn.ReLU(), nn.Linear(15, 10))


@network()
def limited_by_the_largest_value(inputs, classes, blocks):
    def forward(net, x):
        x = net.conv(x)
        return net.head(x / x.abs().amax().clamp(min=3.0))  # seldom reached

    return Own(forward, conv=conv(), head=head())


@network()
def softmax_over_channels(inputs, classes, blocks):
    return chain(conv(), nn.Softmax2d(), head())


@network()
def maxout(inputs, classes, blocks):
    def forward(net, x):
        return net.head(net.conv(x).unflatten(1, (2, 2)).amax(2))

    return Own(forward, conv=conv(), head=head(128))


@network()
def channel_shuffle(inputs, classes, blocks):
    return chain(conv(), nn.ChannelShuffle(2), conv(4, 4, groups=2), nn.ReLU(), head())


@network()
def pixel_shuffle(inputs, classes, blocks):
    return chain(conv(1, 8), nn.PixelShuffle(2), nn.ReLU(), head(512))


@network()
def local_response(inputs, classes, blocks):
    return chain(conv(), nn.LocalResponseNorm(3, alpha=0.1), nn.ReLU(), head())


@network()
def gated_linear_units(inputs, classes, blocks):
    return chain(nn.Flatten(), nn.Linear(64, 24), nn.GLU(), nn.Linear(12, 10))


@network()
def unit_length_features(inputs, classes, blocks):
    return Own(lambda net, x: net.out(3 * F.normalize(net.hidden(x.flatten(1)))), hidden=nn.Linear(64, 12),
               out=nn.Linear(12, 10))  # fmt: skip


# ------------------------------------------------------------------ another network in evaluation


@network()
def softmax_in_evaluation(inputs, classes, blocks):
    return Own(_evaluated, body=chain(conv(), nn.ReLU(), head()))


def _evaluated(net: nn.Module, x: Tensor) -> Tensor:
    logits = net.body(x)
    return logits if net.training else F.softmax(logits, 1)


@network()
def halved_in_training(inputs, classes, blocks):
    return Own(lambda net, x: net.body(x) / (2 if net.training else 1), body=chain(conv(), nn.Tanh(), head()))


@network()
def batch_statistics_in_evaluation(inputs, classes, blocks):
    return chain(conv(), bn(track_running_stats=False), nn.ReLU(), head())


@network()
def second_head_in_training(inputs, classes, blocks):
    def forward(net, x):
        x = F.relu(net.conv(x))
        return net.head(x) + 0.3 * net.other(x) if net.training else net.head(x)

    return Own(forward, conv=conv(), head=head(), other=head())


# ------------------------------------------------------------------ hooks, parametrizations, classes of one's own


@network()
def forward_hook(inputs, classes, blocks):
    net = chain(conv(), nn.ReLU(), head())
    net[0].register_forward_hook(lambda module, args, output: 0.5 * output)
    return net


@network()
def forward_pre_hook(inputs, classes, blocks):
    net = chain(conv(), nn.ReLU(), head())
    net[0].register_forward_pre_hook(lambda module, args: (args[0] - 0.5,))
    return net


@network()
def clipped_gradients(inputs, classes, blocks):
    net = chain(conv(), nn.ReLU(), head())
    for p in net.parameters():
        p.register_hook(lambda g: g.clamp(-0.01, 0.01))
    return net


@network()
def gradients_changed_when_they_are_there(inputs, classes, blocks):
    net = chain(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 10))

    def halve(p):
        p.grad.mul_(0.5)

    for p in net.parameters():
        p.register_post_accumulate_grad_hook(halve)
    return net


@network()
def backward_hook(inputs, classes, blocks):
    net = chain(conv(), nn.ReLU(), head())
    net[2].register_full_backward_hook(lambda module, given, taken: tuple(None if g is None else 2 * g for g in given))
    return net


@network()
def pruned(inputs, classes, blocks):
    net = chain(conv(), nn.ReLU(), head())
    prune.l1_unstructured(net[0], "weight", amount=0.5)
    return net


@network()
def randomly_pruned(inputs, classes, blocks):
    net = chain(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
    prune.random_unstructured(net[1], "weight", amount=0.7)
    return net


@network()
def old_weight_norm(inputs, classes, blocks):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return chain(nn.utils.weight_norm(conv()), nn.ReLU(), head())


@network()
def new_weight_norm(inputs, classes, blocks):
    return chain(parametrizations.weight_norm(conv()), nn.ReLU(), head())


@network()
def spectral_norm(inputs, classes, blocks):
    return chain(nn.Flatten(), parametrizations.spectral_norm(nn.Linear(64, 16)), nn.ReLU(), nn.Linear(16, 10))


@network()
def old_spectral_norm(inputs, classes, blocks):
    return chain(nn.Flatten(), nn.utils.spectral_norm(nn.Linear(64, 16)), nn.ReLU(), nn.Linear(16, 10))


@network()
def orthogonal_weights(inputs, classes, blocks):
    return chain(nn.Flatten(), parametrizations.orthogonal(nn.Linear(64, 16)), nn.ReLU(), nn.Linear(16, 10))


class Symmetric(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.triu() + x.triu(1).mT


@network()
def a_parametrization_of_its_own(inputs, classes, blocks):
    layer = nn.Linear(16, 16)
    parametrize.register_parametrization(layer, "weight", Symmetric())
    return chain(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), layer, nn.ReLU(), nn.Linear(16, 10))


class NormThenRelu(nn.BatchNorm2d):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(super().forward(x))


@network()
def a_batch_norm_that_rectifies(inputs, classes, blocks):
    return chain(conv(), NormThenRelu(4), head())


class Scaled(nn.Linear):
    def __init__(self, *sizes: int) -> None:
        super().__init__(*sizes)
        self.extra = nn.Parameter(torch.randn(sizes[1]))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.extra


@network()
def a_linear_layer_with_a_parameter_more(inputs, classes, blocks):
    return chain(nn.Flatten(), Scaled(64, 12), nn.ReLU(), nn.Linear(12, 10))


class Flat(nn.Flatten):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).abs()


@network()
def a_flatten_of_its_own(inputs, classes, blocks):
    return chain(conv(), Flat(), nn.Linear(256, 10))


@network()
def a_forward_put_in_place(inputs, classes, blocks):
    net = chain(conv(), nn.ReLU(), head())
    plain = net[0].forward
    net[0].forward = lambda x: plain(x) + 1
    return net


@network()
def a_class_made_inside(inputs, classes, blocks):
    class Inside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = chain(conv(), nn.ReLU())
            self.head = head()

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.body(x))

    return Inside()


# ------------------------------------------------------------------ what a network does to itself


class Remembering(nn.Module):
    """A running mean of its own, kept in one of several ways."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.body, self.head, self.how = conv(), head(), how
        if how == "attribute":
            self.m = torch.zeros(4)
        elif how != "count":
            self.register_buffer("m", torch.zeros(4), persistent=how != "hidden")
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(x)
        if self.how == "count":
            self.calls += self.training
            return self.head(x if self.calls < 3 else x.tanh())
        if self.training:
            mean = x.detach().mean((0, 2, 3))
            if self.how == "in place":
                self.m.mul_(0.9).add_(0.1 * mean)
            else:
                self.m = 0.9 * self.m + 0.1 * mean
        return self.head(F.relu(x - self.m[:, None, None]))


@network()
def a_buffer_assigned_anew(inputs, classes, blocks):
    return Remembering("anew")


@network()
def a_buffer_changed_in_place(inputs, classes, blocks):
    return Remembering("in place")


@network()
def a_buffer_that_is_not_stored(inputs, classes, blocks):
    return Remembering("hidden")


@network()
def an_attribute_that_changes(inputs, classes, blocks):
    return Remembering("attribute")


@network()
def a_count_of_its_calls(inputs, classes, blocks):
    return Remembering("count")


@network()
def weights_kept_at_unit_length(inputs, classes, blocks):
    def forward(net, x):
        net.hidden.weight.data = F.normalize(net.hidden.weight.data)
        return net.out(F.relu(net.hidden(x.flatten(1))))

    return Own(forward, hidden=nn.Linear(64, 12), out=nn.Linear(12, 10))


# ------------------------------------------------------------------ reading values


@network()
def reads_a_mean(inputs, classes, blocks):
    def forward(net, x):
        x = net.conv(x)
        return net.head(x * (1.0 if x.mean().item() > 0 else 0.5))

    return Own(forward, conv=conv(), head=head())


@network()
def branches_on_its_inputs(inputs, classes, blocks):
    return Own(lambda net, x: net.left(x) if x.sum() > 0 else net.right(x), left=head(64), right=head(64))


@network()
def selects_by_a_mask(inputs, classes, blocks):
    def forward(net, x):
        x = net.hidden(x.flatten(1))
        y = x.clone()
        y[y < 0] = 0.1 * y[y < 0]
        return net.out(y)

    return Own(forward, hidden=nn.Linear(64, 12), out=nn.Linear(12, 10))


@network()
def the_largest_few(inputs, classes, blocks):
    def forward(net, x):
        x = net.hidden(x.flatten(1))
        return net.out(torch.zeros_like(x).scatter(1, (best := x.topk(4)).indices, best.values))

    return Own(forward, hidden=nn.Linear(64, 12), out=nn.Linear(12, 10))


# ------------------------------------------------------------------ random numbers


@network(DRAW)
def dropout(inputs, classes, blocks):
    return chain(nn.Flatten(), nn.Linear(64, 24), nn.ReLU(), nn.Dropout(0.5), nn.Linear(24, 10))


@network(DRAW)
def dropout_of_channels(inputs, classes, blocks):
    return chain(conv(), bn(), nn.ReLU(), nn.Dropout2d(0.3), conv(4, 4), nn.ReLU(), nn.Dropout2d(0.3), head())


@network(DRAW)
def functional_dropout(inputs, classes, blocks):
    return Own(lambda net, x: net.out(F.dropout(F.relu(net.hidden(x.flatten(1))), 0.4, net.training)),
               hidden=nn.Linear(64, 24), out=nn.Linear(24, 10))  # fmt: skip


@network(DRAW)
def noise_on_the_inputs(inputs, classes, blocks):
    return Own(lambda net, x: net.body(x + 0.3 * torch.randn_like(x) if net.training else x), body=head(64))


@network(DRAW)
def leaky_by_chance(inputs, classes, blocks):
    return chain(conv(), nn.RReLU(), head())


@network(DRAW)
def stochastic_depth(inputs, classes, blocks):
    def forward(net, x):
        x = F.relu(net.stem(x))
        for block in (net.one, net.two):
            if not net.training or float(torch.rand(())) < 0.7:
                x = x + block(x)
        return net.head(x)

    return Own(forward, stem=conv(), one=chain(conv(4, 4), bn(), nn.ReLU()), two=chain(conv(4, 4), nn.ReLU()),
               head=head())  # fmt: skip


# ------------------------------------------------------------------ layers that no initializer knows


@network()
def transposed_convolution(inputs, classes, blocks):
    return chain(conv(1, 3, stride=2), nn.ReLU(), nn.ConvTranspose2d(3, 2, 2, stride=2), nn.ReLU(), head(128))


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.Module], **options) -> None:
        super().__init__()
        self.rows = kind(8, 12, batch_first=True, **options)
        self.head = nn.LazyLinear(10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rows(x[:, 0])[0][:, -1])


@network()
def lstm(inputs, classes, blocks):
    return Recurrent(nn.LSTM)


@network()
def gru_in_both_directions(inputs, classes, blocks):
    return Recurrent(nn.GRU, num_layers=2, bidirectional=True)


@network()
def plain_recurrent(inputs, classes, blocks):
    return Recurrent(nn.RNN)


@network()
def lstm_with_projection(inputs, classes, blocks):
    return Recurrent(nn.LSTM, proj_size=5)


@network()
def recurrent_cells(inputs, classes, blocks):
    def forward(net, x):
        state = x.new_zeros(len(x), 9)
        for row in x[:, 0].unbind(1):
            state = net.cell(row, state)
        return net.head(state)

    return Own(forward, cell=nn.GRUCell(8, 9), head=nn.Linear(9, 10))


@network()
def embedded_pixels(inputs, classes, blocks):
    def forward(net, x):
        which = (x.flatten(1) > 0).long() + torch.arange(64, device=x.device) * 2
        return net.head(F.relu(net.table(which).mean(1)))

    return Own(forward, table=nn.Embedding(128, 12), head=nn.Linear(12, 10))


@network()
def sparse_gradients(inputs, classes, blocks):
    return Own(lambda net, x: net.head(net.table((x.flatten(1) > 0).long()).flatten(1)),
               table=nn.Embedding(2, 2, sparse=True), head=nn.Linear(128, 10))  # fmt: skip


@network()
def attention(inputs, classes, blocks):
    def forward(net, x):
        x = net.embed(x[:, 0])
        return net.head(net.attend(x, x, x, need_weights=False)[0].mean(1))

    return Own(forward, embed=nn.Linear(8, 12), attend=nn.MultiheadAttention(12, 3, batch_first=True),
               head=nn.Linear(12, 10))  # fmt: skip


@network()
def transformer_encoder(inputs, classes, blocks):
    layer = nn.TransformerEncoderLayer(12, 3, 24, dropout=0.0, batch_first=True)
    return Own(lambda net, x: net.head(net.encoder(net.embed(x[:, 0]) + net.place.weight).mean(1)),
               embed=nn.Linear(8, 12), place=nn.Embedding(8, 12),
               encoder=nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), head=nn.Linear(12, 10))  # fmt: skip


@network(DRAW)
def transformer_encoder_with_dropout(inputs, classes, blocks):
    layer = nn.TransformerEncoderLayer(12, 3, 24, dropout=0.2, batch_first=True, norm_first=True)
    return Own(lambda net, x: net.head(net.encoder(net.embed(x[:, 0])).mean(1)), embed=nn.Linear(8, 12),
               encoder=nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), head=nn.Linear(12, 10))  # fmt: skip


class Bare(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.2 * torch.randn(64, 12))
        self.shift = nn.Parameter(torch.rand(12))
        self.out = nn.Linear(12, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(F.relu(x.flatten(1) @ self.weight + self.shift))


@network()
def bare_parameters(inputs, classes, blocks):
    return Bare()


class Listed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.ParameterList(
            nn.Parameter(torch.from_numpy(np.random.normal(0, 0.2, sizes)).float()) for sizes in ((64, 16), (16, 10))
        )
        self.scale = nn.ParameterDict({"out": nn.Parameter(torch.tensor(1.0 + random.random()))})

    def forward(self, x: Tensor) -> Tensor:
        return self.scale["out"] * (F.relu(x.flatten(1) @ self.weights[0]) @ self.weights[1])


@network()
def parameters_in_lists_drawn_by_numpy(inputs, classes, blocks):
    return Listed()


@network()
def learned_leaks(inputs, classes, blocks):
    return chain(conv(), nn.PReLU(4), conv(4, 4), nn.PReLU(), head())


@network()
def bilinear(inputs, classes, blocks):
    return Own(lambda net, x: net.head(net.pair(x[:, 0, 0], x[:, 0, 4])), pair=nn.Bilinear(8, 8, 12),
               head=nn.Linear(12, 10))  # fmt: skip


# ------------------------------------------------------------------ tied, frozen, unused, lazy


@network()
def one_layer_twice(inputs, classes, blocks):
    net = Own(lambda net, x: net.out(F.relu(net.again(F.relu(net.inner(F.relu(net.first(x.flatten(1)))))))),
              first=nn.Linear(64, 8), inner=nn.Linear(8, 8), out=nn.Linear(8, 10))  # fmt: skip
    net.again = net.inner
    return net


@network()
def tied_weights(inputs, classes, blocks):
    net = Own(lambda net, x: net.out(F.relu(net.up(F.relu(net.down(x.flatten(1)))))),
              down=nn.Linear(64, 64, bias=False), up=nn.Linear(64, 64), out=nn.Linear(64, 10))  # fmt: skip
    net.up.weight = net.down.weight
    return net


@network()
def used_and_transposed(inputs, classes, blocks):
    return Own(lambda net, x: net.out(F.relu(F.linear(F.relu(net.code(x.flatten(1))), net.code.weight.t()))),
               code=nn.Linear(64, 8), out=nn.Linear(64, 10))  # fmt: skip


@network()
def one_batch_norm_in_two_places(inputs, classes, blocks):
    norm = bn()
    return Own(lambda net, x: net.head(net.second(net.body(net.first(net.stem(x))))), stem=conv(), first=norm,
               body=chain(nn.ReLU(), conv(4, 4)), second=norm, head=head())  # fmt: skip


@network()
def frozen_layer(inputs, classes, blocks):
    net = chain(conv(), bn(), nn.ReLU(), conv(4, 4), nn.ReLU(), head())
    net[0].requires_grad_(False)
    net[1].weight.requires_grad_(False)
    return net


@network()
def frozen_but_for_the_head(inputs, classes, blocks):
    net = chain(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
    net[1].requires_grad_(False)
    return net


@network()
def unused_layer(inputs, classes, blocks):
    return Own(lambda net, x: net.head(F.relu(net.conv(x))), conv=conv(), spare=conv(), head=head())


@network()
def lazy_layers(inputs, classes, blocks):
    return chain(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(10))


@network()
def output_listed_first(inputs, classes, blocks):
    return Own(
        lambda net, x: net.out(F.relu(net.hidden(x.flatten(1)))), out=nn.Linear(16, 10), hidden=nn.Linear(64, 16)
    )


# ------------------------------------------------------------------ shapes


@network()
def grouped(inputs, classes, blocks):
    return chain(conv(1, 6), nn.ReLU(), conv(6, 4, groups=2), nn.ReLU(), head())


@network()
def depthwise_separable(inputs, classes, blocks):
    return chain(conv(), bn(), nn.ReLU(), conv(4, 4, groups=4), conv(4, 6, 1), bn(6), nn.ReLU(), head(384))


@network()
def one_dimension(inputs, classes, blocks):
    return chain(nn.Flatten(1, 2), nn.Conv1d(8, 6, 3, padding=1), nn.BatchNorm1d(6), nn.ReLU(), nn.Flatten(),
                 nn.Linear(48, 10))  # fmt: skip


@network()
def three_dimensions(inputs, classes, blocks):
    return chain(nn.Unflatten(1, (1, 1)), nn.Conv3d(1, 3, (1, 3, 3), padding=(0, 1, 1)), nn.BatchNorm3d(3), nn.ReLU(),
                 nn.AvgPool3d((1, 2, 2)), nn.Flatten(), nn.Linear(48, 10))  # fmt: skip


@network()
def strided_dilated_reflected(inputs, classes, blocks):
    return chain(nn.Conv2d(1, 4, 3, padding=2, dilation=2, padding_mode="reflect"), nn.ReLU(),
                 nn.Conv2d(4, 5, 3, stride=2, padding=1), nn.ReLU(), nn.MaxPool2d(2), head(20))  # fmt: skip


@network()
def linear_layers_on_pictures(inputs, classes, blocks):
    return chain(nn.Linear(8, 6), nn.ReLU(), head(48))


@network()
def batch_norm_first(inputs, classes, blocks):
    return chain(nn.BatchNorm2d(1), conv(), nn.ReLU(), head())


@network()
def batch_norm_last(inputs, classes, blocks):
    return chain(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 10), nn.BatchNorm1d(10))


@network()
def cumulative_batch_norm(inputs, classes, blocks):
    return chain(conv(), bn(momentum=None, eps=0.01), nn.ReLU(), head())


@network()
def instance_norm(inputs, classes, blocks):
    return chain(conv(), nn.InstanceNorm2d(4, affine=True, track_running_stats=True), nn.ReLU(), head())


@network()
def all_convolutions(inputs, classes, blocks):
    return chain(conv(), nn.ReLU(), conv(4, 10, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())


@network()
def lenet(inputs, classes, blocks):
    return chain(conv(1, 6, 5), nn.Sigmoid(), nn.AvgPool2d(2), nn.Conv2d(6, 8, 3), nn.Sigmoid(), nn.AvgPool2d(2),
                 nn.Flatten(), nn.Linear(8, 16), nn.Sigmoid(), nn.Linear(16, 10))  # fmt: skip


@network()
def residual(inputs, classes, blocks):
    return Own(lambda net, x: net.head((y := F.relu(net.stem(x))) + net.block(y)), stem=conv(),
               block=chain(conv(4, 4), bn(), nn.ReLU()), head=chain(nn.AvgPool2d(2), head(64)))  # fmt: skip


@network()
def mixture_of_experts(inputs, classes, blocks):
    def forward(net, x):
        x = x.flatten(1)
        outputs = torch.stack([expert(x) for expert in net.experts], 1)
        return net.out((F.softmax(net.gate(x), 1)[:, :, None] * outputs).sum(1))

    return Own(forward, experts=nn.ModuleList(nn.Linear(64, 12) for _ in range(3)), gate=nn.Linear(64, 3),
               out=nn.Linear(12, 10))  # fmt: skip


@network()
def mlp_mixer(inputs, classes, blocks):
    def forward(net, x):
        x = net.embed(x[:, 0])
        x = x + net.across(net.first(x).mT).mT
        return net.out((x + net.within(net.second(x))).mean(1))

    return Own(forward, embed=nn.Linear(8, 6), first=nn.LayerNorm(6), across=nn.Linear(8, 8), second=nn.RMSNorm(6),
               within=nn.Linear(6, 6), out=nn.Linear(6, 10))  # fmt: skip


@network()
def filter_in_the_frequencies(inputs, classes, blocks):
    class Filtered(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(8, 5, dtype=torch.cfloat))
            self.out = head(64)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(torch.fft.irfft2(torch.fft.rfft2(x) * self.weight, s=(8, 8)))

    return Filtered()


@network()
def hypernetwork(inputs, classes, blocks):
    def forward(net, x):
        weight = net.make(net.code.weight).view(10, 64)
        return F.linear(x.flatten(1), weight)

    return Own(forward, code=nn.Embedding(1, 3), make=nn.Linear(3, 640))


class Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.sign(x)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


@network()
def straight_through_signs(inputs, classes, blocks):
    return Own(lambda net, x: net.out(Straight.apply(net.hidden(x.flatten(1)))), hidden=nn.Linear(64, 20),
               out=nn.Linear(20, 10))  # fmt: skip


@network()
def recomputed_in_the_backward_pass(inputs, classes, blocks):
    return Own(lambda net, x: net.head(checkpoint(net.body, x, use_reentrant=False)),
               body=chain(conv(), bn(), nn.ReLU()), head=head())  # fmt: skip


@network()
def deep_and_narrow(inputs, classes, blocks):
    sizes = [64, *[8] * 6]
    layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.BatchNorm1d(b), nn.SELU())]
    return nn.Sequential(OrderedDict([("flatten", nn.Flatten()), *((f"l{i}", one) for i, one in enumerate(layers)),
                                      ("out", nn.Linear(8, 10))]))  # fmt: skip


# ------------------------------------------------------------------ what only some steps show


@network()
def inputs_changed_in_place(inputs, classes, blocks):
    def forward(net, x):
        x -= 0.5
        x[:, :, :2, :2] = 0
        return net.head(F.relu(net.conv(x)))

    return Own(forward, conv=conv(), head=head())


class Thawing(nn.Module):
    """Its first layer is frozen for an epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head, self.epoch = conv().requires_grad_(False), head(), 0

    def train(self, mode: bool = True) -> Thawing:
        self.epoch += mode
        self.conv.requires_grad_(self.epoch > 1)
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.conv(x)))


@network()
def thawed_later(inputs, classes, blocks):
    return Thawing()


@network()
def a_parameter_held_by_a_function(inputs, classes, blocks):
    gain = nn.Parameter(torch.ones(1))
    net = Own(lambda net, x: net.head(net.scaled(F.relu(net.conv(x)))), conv=conv(), head=head())
    net.gain, net.scaled = gain, lambda x: gain * x
    return net


@network()
def a_count_held_by_a_function(inputs, classes, blocks):
    steps = 0

    def forward(net, x):
        nonlocal steps
        steps += net.training
        return net.head(torch.tanh(net.conv(x)) * (2 if steps > 4 else 1))

    return Own(forward, conv=conv(), head=head())


@network()
def large_gradients_clipped_in_forward(inputs, classes, blocks):
    def forward(net, x):
        x = torch.tanh(net.conv(x))
        if x.requires_grad:
            x.register_hook(lambda g: g.clamp(-0.02, 0.02))
        return net.head(x)

    return Own(forward, conv=conv(), head=head())


@network(DRAW)
def dropout_from_the_fifth_step(inputs, classes, blocks):
    def forward(net, x):
        net.steps += net.training
        x = torch.tanh(net.conv(x))
        return net.head(net.drop(x) if net.steps > 4 else x)

    net = Own(forward, conv=conv(), drop=nn.Dropout(0.3), head=head())
    net.steps = 0
    return net


@network()  # its masks are the step's, not its layers'
def dropout_recomputed_in_the_backward_pass(inputs, classes, blocks):
    body = chain(nn.Tanh(), nn.Dropout(0.3), conv(4, 4), nn.Tanh(), nn.Dropout(0.2))
    return Own(lambda net, x: net.head(checkpoint(net.body, net.conv(x), use_reentrant=False)), conv=conv(), body=body,
               head=head())  # fmt: skip


@network()
def double_precision_inside(inputs, classes, blocks):
    return Own(lambda net, x: net.head(torch.tanh(net.wide(x.flatten(1).double())).to(x)),
               wide=nn.Linear(64, 20).double(), head=nn.Linear(20, 10))  # fmt: skip


@network()
def scripted(inputs, classes, blocks):
    return chain(conv(), torch.jit.script(chain(nn.ReLU(), conv(4, 4), nn.ReLU())), head())


@network()
def with_a_norm_of_the_arm(inputs, classes, blocks):
    return blocks.swap_norms(chain(conv(bias=False), bn(), nn.ReLU(), conv(4, 4, bias=False), bn(), nn.ReLU(), head()))


@network(SLOW)
def resnet_18(inputs, classes, blocks):
    net = torchvision.models.resnet18(num_classes=10)
    net.conv1 = nn.Conv2d(1, 64, 3, padding=1, bias=False)
    return blocks.swap_norms(net)
