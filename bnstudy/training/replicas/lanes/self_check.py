"""Whether what was built computes what PyTorch does: tiny networks, once a process."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.sgd import sgd

Form = Callable[[Sequence[nn.Module]], Any]


def is_right(form: Form, dtype: torch.dtype, tolerance: float) -> bool:
    """Whether the lanes give PyTorch's outputs, gradients, running statistics and steps of descent."""
    draw = torch.Generator().manual_seed(7)
    networks = [_tiny(draw).to(dtype) for _ in range(2)]
    inputs = torch.randn(5, 1, 4, 4, generator=draw).to(dtype)
    return _learns_alike(form, networks, inputs, tolerance) and _descends_alike(form, networks, inputs, tolerance)


def _learns_alike(form: Form, networks: Sequence[nn.Module], inputs: Tensor, tolerance: float) -> bool:
    lanes = form(copy.deepcopy(networks))
    together, alone = lanes(inputs[None]), torch.stack([network(inputs) for network in networks])
    for outputs in (together, alone):
        (outputs * torch.linspace(1, 2, outputs.numel(), dtype=inputs.dtype).view_as(outputs)).sum().backward()
    pairs: list[tuple[Any, list[Any]]] = [(together, [*alone])]
    for name, parameter in lanes.parameters.items():
        pairs.append((parameter.grad, [network.get_parameter(name).grad for network in networks]))
    for name, buffer in lanes.buffers.items():
        pairs.append((buffer, [network.get_buffer(name) for network in networks]))
    return all(torch.allclose(one, torch.stack(other), rtol=tolerance, atol=tolerance) for one, other in pairs)


def _descends_alike(form: Form, networks: Sequence[nn.Module], inputs: Tensor, tolerance: float) -> bool:
    """Of the last layers alone, on inputs that are mostly one value, which they are made to be."""
    inputs, labels, rate, background = inputs.clamp(min=0.5), torch.arange(len(inputs)) % 4, 0.5, 0.5
    layers = [copy.deepcopy(list(network.modules())[-1]) for network in networks]
    chains = [nn.Sequential(nn.Flatten(), layer) for layer in layers]
    lanes = form(copy.deepcopy(chains))
    lanes.background = background
    lanes.descend(torch.full((len(chains),), rate), 0.9, 0.1)
    weights: list[Tensor] = [layer.get_parameter("weight") for layer in layers]
    velocities: list[Tensor | None] = [None] * len(weights)
    for _ in range(2):
        lanes.learn(inputs[None], labels[None], [0] * len(chains))
        losses = [F.cross_entropy(chain(inputs), labels) for chain in chains]
        gradients = torch.autograd.grad(losses, weights)
        with torch.no_grad():
            sgd(weights, list(gradients), velocities, weight_decay=0.1, momentum=0.9, lr=rate, dampening=0.0,
                nesterov=False, maximize=False)  # fmt: skip
    moved = torch.stack(weights)
    return torch.allclose(lanes.parameters["1.weight"], moved, rtol=tolerance, atol=tolerance)


def _tiny(draw: torch.Generator) -> nn.Sequential:
    """Convolutions with a norm of the batch and one of each sample, pooling and a linear layer; weights of its own."""
    with torch.random.fork_rng(devices=[]):  # PyTorch's own first values, which are replaced
        network = nn.Sequential(
            nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.AvgPool2d(2),
            nn.Conv2d(3, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.Tanh(), nn.Flatten(), nn.Linear(16, 4),
        )  # fmt: skip
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw))
    return network
