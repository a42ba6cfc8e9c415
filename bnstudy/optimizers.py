"""Optimizers over replicas: PyTorch's update rules, with one learning rate a replica.

An optimizer is one function ``(parameters, lr, momentum, weight_decay) -> step``. Each parameter has the replicas as
its first axis; `lr` has shape (replicas,). ``step()`` updates the parameters from their gradients, in place. Every
operation is elementwise, so that no replica can reach another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bnstudy.registry import optimizers

if TYPE_CHECKING:
    from torch import Tensor

Step = Callable[[], None]
LARGE = 1 << 14  # values a replica, from which on a tensor is updated replica by replica


def _pieces(tensors: Sequence[Tensor | None]) -> list[Tensor]:
    """Large tensors replica by replica, so that an update's few passes over one find it in the cache; others whole."""
    pieces: list[Tensor] = []
    for tensor in tensors:
        assert tensor is not None
        pieces += tensor.detach().unbind() if _is_large(tensor) else [tensor.detach()]
    return pieces


def _rates(parameters: Sequence[Tensor], lr: Tensor) -> list[Tensor]:
    """The learning rate of each of the parameters' pieces."""
    rates: list[Tensor] = []
    for p in parameters:
        rate = lr.to(p.dtype).view(-1, *[1] * (p.dim() - 1))
        rates += rate.unbind() if _is_large(p) else [rate]
    return rates


def _is_large(tensor: Tensor) -> bool:
    return tensor.device.type == "cpu" and tensor[0].numel() > LARGE


def _decayed(gradient: Tensor, parameter: Tensor, weight_decay: float) -> Tensor:
    return gradient.add(parameter, alpha=weight_decay) if weight_decay else gradient


@optimizers.register("sgd", label="SGD with momentum", citation="torch.optim.SGD")
def sgd(parameters: Sequence[Tensor], lr: Tensor, momentum: float, weight_decay: float) -> Step:
    """Stochastic gradient descent: b = momentum b + g, p = p - lr b."""
    import torch

    rates, pieces = _rates(parameters, lr), _pieces(parameters)
    buffers = [torch.zeros_like(p) for p in pieces]

    @torch.no_grad()
    def step() -> None:
        gradients = _pieces([p.grad for p in parameters])
        for p, g, b, rate in zip(pieces, gradients, buffers, rates, strict=True):
            g = _decayed(g, p, weight_decay)
            if momentum:
                g = b.mul_(momentum).add_(g)
            p.addcmul_(g, rate, value=-1)

    return step


@optimizers.register("plain-sgd", label="SGD", citation="torch.optim.SGD")
def plain_sgd(parameters: Sequence[Tensor], lr: Tensor, momentum: float, weight_decay: float) -> Step:
    """Stochastic gradient descent without momentum: p = p - lr g. The study's momentum is not used."""
    return sgd(parameters, lr, 0.0, weight_decay)


def _adam(parameters: Sequence[Tensor], lr: Tensor, coupled_decay: float, decoupled_decay: float) -> Step:
    import torch

    beta1, beta2, eps = 0.9, 0.999, 1e-8
    rates, pieces = _rates(parameters, lr), _pieces(parameters)
    means = [torch.zeros_like(p) for p in pieces]
    squares = [torch.zeros_like(p) for p in pieces]
    steps = torch.zeros((), dtype=torch.float64, device=lr.device)  # on the device: a recorded step must count too

    @torch.no_grad()
    def step() -> None:
        steps.add_(1)
        bias1, bias2 = 1 - beta1**steps, (1 - beta2**steps).sqrt()
        gradients = _pieces([p.grad for p in parameters])
        for p, g, m, v, rate in zip(pieces, gradients, means, squares, rates, strict=True):
            g = _decayed(g, p, coupled_decay)
            if decoupled_decay:
                p.mul_(1 - rate * decoupled_decay)
            m.lerp_(g, 1 - beta1)
            v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
            p.addcmul_(m / (v.sqrt() / bias2.to(p.dtype)).add_(eps), -rate / bias1.to(p.dtype))

    return step


@optimizers.register("adam", label="Adam", citation="Kingma & Ba 2015; torch.optim.Adam")
def adam(parameters: Sequence[Tensor], lr: Tensor, momentum: float, weight_decay: float) -> Step:
    """Adam with betas 0.9 and 0.999, eps 1e-8; weight decay is added to the gradient. Momentum is not used."""
    return _adam(parameters, lr, weight_decay, 0.0)


@optimizers.register("adamw", label="AdamW", citation="Loshchilov & Hutter 2019; torch.optim.AdamW")
def adamw(parameters: Sequence[Tensor], lr: Tensor, momentum: float, weight_decay: float) -> Step:
    """Adam whose weight decay shrinks the weights directly. Momentum is not used."""
    return _adam(parameters, lr, 0.0, weight_decay)
