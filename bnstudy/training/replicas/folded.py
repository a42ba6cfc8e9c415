"""Replicas folded into the channels.

A tensor that is (batch, channels, ...) in the plain network is (batch, R·channels, ...) here, replica by replica, so
that everything between the weight layers (activations, pooling, flattening, residual sums) runs unchanged, and each
weight layer is one kernel call: a convolution with R groups, a batched product, one batch norm over all channels.
Inputs may be shared: where every replica of a group sees the same batch, the first layer is one wide layer.

Between linear layers the batch is the axis that lies contiguous in memory: no product needs a transposed copy.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bnstudy.training.networks.layers import (
    RootMeanSquare,
    Scalar,
    StandardizedConv2d,
    StandardizedLinear,
    standardized_weight,
)
from bnstudy.training.replicas.base import Replicas


class Folded(Replicas):
    """Replicas folded into the channels."""

    name = "folded"

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        self.size = len(networks)
        self.module = fold(networks)
        self.parameters = dict(self.module.named_parameters())
        self.buffers = dict(self.module.named_buffers())

    def __call__(self, inputs: Tensor, groups: Sequence[int] | None = None) -> Tensor:
        inputs = self._evenly(inputs, groups)
        different, batch = inputs.shape[:2]
        folded = inputs[0] if different == 1 else inputs.transpose(0, 1).flatten(1, 2)
        outputs = self.module(folded)
        return outputs.view(batch, self.size, -1).transpose(0, 1)

    def train(self, mode: bool = True) -> None:
        self.module.train(mode)


class FoldedLinear(nn.Module):
    """R linear layers: (batch, groups·in) to (batch, R·out), where `groups` divides R."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight, self.bias = _stacked(layers, "weight"), _stacked(layers, "bias")  # (R, out, in), (R, out)

    def used_weight(self) -> Tensor:
        """The weights as they enter the product: (R, out, in)."""
        assert self.weight is not None
        return self.weight

    def forward(self, x: Tensor) -> Tensor:
        used = self.used_weight()
        replicas, outputs, inputs = used.shape
        batch, groups = x.shape[0], x.shape[1] // inputs
        if groups == 1:
            weight, bias = used.flatten(0, 1), None if self.bias is None else self.bias.view(-1, 1)
            y = weight @ x.t() if bias is None else torch.addmm(bias, weight, x.t())
        else:
            x = x.view(batch, groups, inputs).permute(1, 2, 0)
            weight = used.view(groups, -1, inputs)
            bias = None if self.bias is None else self.bias.view(groups, -1, 1)
            y = torch.bmm(weight, x) if bias is None else torch.baddbmm(bias, weight, x)
        return y.view(replicas * outputs, batch).t()


class FoldedConv(nn.Module):
    """R convolutions: (batch, groups·in, ...) to (batch, R·out, ...), where `groups` divides R."""

    def __init__(self, layers: Sequence[nn.Conv1d | nn.Conv2d | nn.Conv3d]) -> None:
        super().__init__()
        self.weight, self.bias = _stacked(layers, "weight"), _stacked(layers, "bias")  # (R, out, in/groups, ...)
        first = layers[0]
        self.in_channels, self.groups = first.in_channels, first.groups
        self.options: dict[str, Any] = {"stride": first.stride, "padding": first.padding, "dilation": first.dilation}
        self.convolve = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[len(first.kernel_size)]

    def used_weight(self) -> Tensor:
        """The weights as they enter the convolution: (R, out, in/groups, ...)."""
        assert self.weight is not None
        return self.weight

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.flatten()
        groups = self.groups * (x.shape[1] // self.in_channels)
        return self.convolve(x, self.used_weight().flatten(0, 1), bias, groups=groups, **self.options)


class FoldedStandardizedLinear(FoldedLinear):
    """R linear layers whose weights are standardized."""

    def used_weight(self) -> Tensor:
        return standardized_weight(super().used_weight(), (2,))


class FoldedStandardizedConv(FoldedConv):
    """R convolutions whose weights are standardized."""

    def used_weight(self) -> Tensor:
        return standardized_weight(super().used_weight(), (2, 3, 4))


class FoldedBatchNorm(nn.Module):
    """R batch norms: one over R·channels channels, each with its own statistics."""

    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor

    def __init__(self, layers: Sequence[nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d]) -> None:
        super().__init__()
        self.weight, self.bias = _stacked(layers, "weight"), _stacked(layers, "bias")  # (R, channels)
        first = layers[0]
        self.eps, self.momentum = first.eps, first.momentum or 0.0
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            buffers = [getattr(layer, name) for layer in layers]
            self.register_buffer(name, None if buffers[0] is None else torch.stack(buffers))

    def forward(self, x: Tensor) -> Tensor:
        tracked = self.running_mean is not None
        if self.training and tracked:
            self.num_batches_tracked.add_(1)
        per_channel = (self.running_mean, self.running_var, self.weight, self.bias)
        mean, variance, weight, bias = (None if t is None else t.view(-1) for t in per_channel)
        # Whatever follows a linear layer is stored batch last: one image of one row to the batch norm.
        flat = x.dim() == 2
        y = x.t()[None] if flat else x
        y = F.batch_norm(y, mean, variance, weight, bias, self.training or not tracked, self.momentum, self.eps)
        return y[0].t() if flat else y


class FoldedGroupNorm(nn.Module):
    """R group norms: one over R times as many groups."""

    def __init__(self, layers: Sequence[nn.GroupNorm]) -> None:
        super().__init__()
        self.weight, self.bias = _stacked(layers, "weight"), _stacked(layers, "bias")  # (R, channels)
        self.replicas, self.groups, self.eps = len(layers), len(layers) * layers[0].num_groups, layers[0].eps

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = (None if t is None else t.view(-1) for t in (self.weight, self.bias))
        return F.group_norm(x, self.groups, weight, bias, self.eps)


class FoldedRootMeanSquare(nn.Module):
    """R root mean squares, each over its own channels."""

    def __init__(self, layers: Sequence[RootMeanSquare]) -> None:
        super().__init__()
        self.weight = _stacked(layers, "weight")  # (R, channels)
        self.shape, self.eps = (len(layers), layers[0].channels), layers[0].eps

    def forward(self, x: Tensor) -> Tensor:
        apart = x.unflatten(1, self.shape)  # (batch, R, channels, ...)
        square = apart.square().mean(tuple(range(2, apart.dim())), keepdim=True)
        normed = apart * (square + self.eps).rsqrt()
        if self.weight is not None:
            normed = normed * self.weight.view(*self.shape, *[1] * (apart.dim() - 3))
        return normed.flatten(1, 2)


class FoldedScalar(nn.Module):
    """R scalars, each times its own channels."""

    def __init__(self, layers: Sequence[Scalar]) -> None:
        super().__init__()
        self.weight = _stacked(layers, "weight")  # (R, 1)

    def forward(self, x: Tensor) -> Tensor:
        assert self.weight is not None
        apart = x.unflatten(1, (len(self.weight), -1))  # (batch, R, channels, ...)
        return (apart * self.weight.view(-1, *[1] * (apart.dim() - 2))).flatten(1, 2)


def _stacked(layers: Sequence[nn.Module], name: str) -> nn.Parameter | None:
    parameters = [getattr(layer, name) for layer in layers]
    if parameters[0] is None:
        return None
    return nn.Parameter(torch.stack([p.detach() for p in parameters]), requires_grad=parameters[0].requires_grad)


Form = Callable[[Any], nn.Module]  # of the same layer of every replica
FOLDED_FORMS: dict[type[nn.Module], Form] = {
    nn.Linear: FoldedLinear,
    nn.Conv1d: FoldedConv,
    nn.Conv2d: FoldedConv,
    nn.Conv3d: FoldedConv,
    nn.BatchNorm1d: FoldedBatchNorm,
    nn.BatchNorm2d: FoldedBatchNorm,
    nn.BatchNorm3d: FoldedBatchNorm,
    nn.GroupNorm: FoldedGroupNorm,
    RootMeanSquare: FoldedRootMeanSquare,
    Scalar: FoldedScalar,
    StandardizedLinear: FoldedStandardizedLinear,
    StandardizedConv2d: FoldedStandardizedConv,
}

# Layers that treat every channel and sample alike, and so need no folded form.
CHANNELWISE = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Tanh, nn.Sigmoid),
    *(nn.Softplus, nn.Softsign, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.Identity),
    *(nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d),
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
    *(nn.ZeroPad2d, nn.Upsample),
)


def foldable(network: nn.Module) -> bool:
    """Whether every layer has a folded form, or needs none."""
    return not has_ties(network) and all(_is_foldable(module) for module in network.modules())


def is_leaf(module: nn.Module) -> bool:
    """Whether a module is one of the layers that are known here: of that very class, since a kind of it may differ."""
    return type(module) in FOLDED_FORMS or type(module) in CHANNELWISE or type(module) is nn.Flatten


def has_ties(network: nn.Module) -> bool:
    """Whether a layer or parameter is used twice: folding would make two of it."""
    layers = sum(1 for _ in network.named_modules(remove_duplicate=False))
    parameters = sum(1 for _ in network.named_parameters(remove_duplicate=False))
    return layers > len(list(network.modules())) or parameters > len(list(network.parameters()))


def _is_foldable(module: nn.Module) -> bool:
    if type(module) in FOLDED_FORMS:
        cumulative = isinstance(module, nn.modules.batchnorm._BatchNorm) and module.momentum is None
        return getattr(module, "padding_mode", "zeros") == "zeros" and not cumulative
    if type(module) is nn.Flatten:
        return (module.start_dim, module.end_dim) == (1, -1)
    own = any(True for _ in module.parameters(recurse=False)) or any(True for _ in module.buffers(recurse=False))
    return type(module) in CHANNELWISE or (any(True for _ in module.children()) and not own)


def fold(networks: Sequence[nn.Module], forms: Mapping[type[nn.Module], Form] | None = None) -> nn.Module:
    """The first network with every weight layer replaced by its folded form, or by another one that is given."""
    first, forms = networks[0], FOLDED_FORMS if forms is None else forms
    if form := forms.get(type(first)):
        return form(networks)
    shell = copy.copy(first)
    shell._modules = {
        name: fold([network.get_submodule(name) for network in networks], forms) for name, _ in first.named_children()
    }
    return shell
