"""Any ``nn.Module`` as R independent copies in one module.

The fast form *folds* the replicas into the channels. A tensor that is (batch, channels, ...) in the plain network is
(batch, R·channels, ...) here, replica by replica, so that everything between the weight layers (activations, pooling,
flattening, residual sums) runs unchanged, and each weight layer is one kernel call: a convolution with R groups, a
batched product, one batch norm over all channels. Inputs may be shared: where every replica of a group sees the same
batch, the first layer is one wide layer.

A network with a layer that has no folded form, or whose own ``forward`` does not survive folding, falls back to
``torch.func.vmap``, and where that fails to one replica at a time.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn import functional as F


class Replicas(ABC):
    """R independent copies of one network.

    Attributes
    ----------
    size : int
        R, the number of replicas.
    parameters : dict of str to Tensor
        The plain network's parameters by name, each with a leading axis of length R. They are leaves.
    buffers : dict of str to Tensor
        Likewise its buffers.
    """

    size: int
    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]

    @abstractmethod
    def __call__(self, inputs: Tensor) -> Tensor:
        """Outputs of every replica.

        Parameters
        ----------
        inputs : Tensor, shape (groups, batch, ...)
            `groups` divides R: the first R/groups replicas see ``inputs[0]``, the next ``inputs[1]``, and so on.

        Returns
        -------
        Tensor, shape (R, batch, outputs)
        """

    @abstractmethod
    def train(self, mode: bool = True) -> None:
        """Switch between training and evaluation mode."""

    def state(self, replica: int) -> dict[str, Tensor]:
        """One replica's state, as the plain network's ``load_state_dict`` takes it."""
        both = {**self.parameters, **self.buffers}
        return {name: tensor[replica].detach().clone() for name, tensor in both.items()}


def replicate(networks: Sequence[nn.Module], example: Tensor) -> Replicas:
    """Join networks of one structure into one module, in the fastest form that is right for them.

    Parameters
    ----------
    networks : sequence of nn.Module
        R plain networks that differ in their parameters and buffers alone.
    example : Tensor, shape (batch, ...)
        A few inputs (at least two, for batch norm) on which a form that rests on assumptions is tried first.
    """
    if _foldable(networks[0]):
        folded = Folded(networks)
        if _is_plain(networks[0]) or _agrees(Folded, networks, example):
            return folded
    return Vmapped(networks) if _agrees(Vmapped, networks, example) else Looped(networks)


# ------------------------------------------------------------------------ folded


class Folded(Replicas):
    """Replicas folded into the channels."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        self.size = len(networks)
        self.module = _fold(networks)
        self.parameters = dict(self.module.named_parameters())
        self.buffers = dict(self.module.named_buffers())

    def __call__(self, inputs: Tensor) -> Tensor:
        groups, batch = inputs.shape[:2]
        folded = inputs[0] if groups == 1 else inputs.transpose(0, 1).flatten(1, 2)
        outputs = self.module(folded)
        return outputs.view(batch, self.size, -1).transpose(0, 1)

    def train(self, mode: bool = True) -> None:
        self.module.train(mode)


class FoldedLinear(nn.Module):
    """R linear layers: (batch, groups·in) to (batch, R·out), where `groups` divides R."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight, self.bias = _stacked(layers, "weight"), _stacked(layers, "bias")  # (R, out, in), (R, out)

    def forward(self, x: Tensor) -> Tensor:
        assert self.weight is not None
        replicas, outputs, inputs = self.weight.shape
        batch, groups = x.shape[0], x.shape[1] // inputs
        x = x.view(batch, groups, inputs).transpose(0, 1)
        weight = self.weight.view(groups, -1, inputs).transpose(1, 2)
        if self.bias is None:
            y = torch.bmm(x, weight)
        else:
            y = torch.baddbmm(self.bias.view(groups, 1, -1), x, weight)
        return y.transpose(0, 1).reshape(batch, replicas * outputs)


class FoldedConv(nn.Module):
    """R convolutions: (batch, groups·in, ...) to (batch, R·out, ...), where `groups` divides R."""

    def __init__(self, layers: Sequence[nn.Conv1d | nn.Conv2d | nn.Conv3d]) -> None:
        super().__init__()
        self.weight, self.bias = _stacked(layers, "weight"), _stacked(layers, "bias")  # (R, out, in/groups, ...)
        first = layers[0]
        self.in_channels, self.groups = first.in_channels, first.groups
        self.options: dict[str, Any] = {"stride": first.stride, "padding": first.padding, "dilation": first.dilation}
        self.convolve = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[len(first.kernel_size)]

    def forward(self, x: Tensor) -> Tensor:
        assert self.weight is not None
        bias = None if self.bias is None else self.bias.flatten()
        groups = self.groups * (x.shape[1] // self.in_channels)
        return self.convolve(x, self.weight.flatten(0, 1), bias, groups=groups, **self.options)


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
        return F.batch_norm(x, mean, variance, weight, bias, self.training or not tracked, self.momentum, self.eps)


def _stacked(layers: Sequence[nn.Module], name: str) -> nn.Parameter | None:
    parameters = [getattr(layer, name) for layer in layers]
    if parameters[0] is None:
        return None
    return nn.Parameter(torch.stack([p.detach() for p in parameters]), requires_grad=parameters[0].requires_grad)


FOLDED_FORMS: dict[type[nn.Module], Callable[[Any], nn.Module]] = {
    nn.Linear: FoldedLinear,
    nn.Conv1d: FoldedConv,
    nn.Conv2d: FoldedConv,
    nn.Conv3d: FoldedConv,
    nn.BatchNorm1d: FoldedBatchNorm,
    nn.BatchNorm2d: FoldedBatchNorm,
    nn.BatchNorm3d: FoldedBatchNorm,
}

# Layers that treat every channel and sample alike, and so need no folded form.
CHANNELWISE = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Tanh, nn.Sigmoid),
    *(nn.Softplus, nn.Softsign, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.Identity),
    *(nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d),
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
    *(nn.ZeroPad2d, nn.Upsample),
)


def _foldable(network: nn.Module) -> bool:
    return not _has_ties(network) and all(_leaf_foldable(module) for module in network.modules())


def _has_ties(network: nn.Module) -> bool:
    """Whether a layer or parameter is used twice: folding would make two of it."""
    layers = sum(1 for _ in network.named_modules(remove_duplicate=False))
    parameters = sum(1 for _ in network.named_parameters(remove_duplicate=False))
    return layers > len(list(network.modules())) or parameters > len(list(network.parameters()))


def _leaf_foldable(module: nn.Module) -> bool:
    if type(module) in FOLDED_FORMS:
        cumulative = isinstance(module, nn.modules.batchnorm._BatchNorm) and module.momentum is None
        return getattr(module, "padding_mode", "zeros") == "zeros" and not cumulative
    if isinstance(module, nn.Flatten):
        return (module.start_dim, module.end_dim) == (1, -1)
    own = any(True for _ in module.parameters(recurse=False)) or any(True for _ in module.buffers(recurse=False))
    return type(module) in CHANNELWISE or (any(True for _ in module.children()) and not own)


def _is_plain(network: nn.Module) -> bool:
    """Whether only known layers act on the data: no ``forward`` of the user's own."""
    leaves = (*FOLDED_FORMS, *CHANNELWISE, nn.Flatten, nn.Sequential)
    return all(type(module) in leaves for module in network.modules())


def _fold(networks: Sequence[nn.Module]) -> nn.Module:
    """The first network with every weight layer replaced by its folded form."""
    first = networks[0]
    if form := FOLDED_FORMS.get(type(first)):
        return form(networks)
    shell = copy.copy(first)
    shell._modules = {
        name: _fold([network.get_submodule(name) for network in networks]) for name, _ in first.named_children()
    }
    return shell


# --------------------------------------------------------------------- fallbacks


class Vmapped(Replicas):
    """Replicas through ``torch.func.vmap`` over the plain network."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        self.size = len(networks)
        self.parameters, self.buffers = stack_module_state(list(networks))
        self.module = copy.deepcopy(networks[0])

    def __call__(self, inputs: Tensor) -> Tensor:
        shared = inputs.shape[0] == 1
        x = inputs[0] if shared else inputs.repeat_interleave(self.size // inputs.shape[0], dim=0)
        return vmap(self._one, in_dims=(0, 0, None if shared else 0))(self.parameters, self.buffers, x)

    def _one(self, parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(self.module, (parameters, buffers), (x,))

    def train(self, mode: bool = True) -> None:
        self.module.train(mode)


class Looped(Vmapped):
    """Replicas one at a time: right for any network."""

    def __call__(self, inputs: Tensor) -> Tensor:
        parameters = {name: p.unbind() for name, p in self.parameters.items()}
        each = self.size // inputs.shape[0]
        outputs = [
            self._one(
                {name: p[r] for name, p in parameters.items()},
                {name: b[r] for name, b in self.buffers.items()},
                inputs[r // each],
            )
            for r in range(self.size)
        ]
        return torch.stack(outputs)


def _agrees(form: Callable[[Sequence[nn.Module]], Replicas], networks: Sequence[nn.Module], example: Tensor) -> bool:
    """Whether a form runs and gives, in float64, what the networks give alone."""
    networks = [copy.deepcopy(network).double() for network in networks[:3]]
    example = example.double()
    try:
        replicas = form([copy.deepcopy(network) for network in networks])
        outputs = replicas(example[None])
    except Exception:  # whatever the user's forward raises, this form is not for it
        return False
    alone = torch.stack([network(example) for network in networks])
    return outputs.shape == alone.shape and torch.allclose(outputs, alone, rtol=1e-9, atol=1e-12, equal_nan=True)
