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


def _rates(parameters: Sequence[Tensor], lr: Tensor) -> list[Tensor]:
    return [lr.to(p.dtype).view(-1, *[1] * (p.dim() - 1)) for p in parameters]


def _gradients(parameters: Sequence[Tensor], weight_decay: float) -> list[Tensor]:
    gradients = []
    for p in parameters:
        assert p.grad is not None
        gradients.append(p.grad.add(p, alpha=weight_decay) if weight_decay else p.grad)
    return gradients


@optimizers.register("sgd", label="SGD with momentum", citation="torch.optim.SGD")
def sgd(parameters: Sequence[Tensor], lr: Tensor, momentum: float, weight_decay: float) -> Step:
    """Stochastic gradient descent: b = momentum b + g, p = p - lr b."""
    import torch

    rates = _rates(parameters, lr)
    buffers = [torch.zeros_like(p) for p in parameters]

    @torch.no_grad()
    def step() -> None:
        for p, g, b, rate in zip(parameters, _gradients(parameters, weight_decay), buffers, rates, strict=True):
            if momentum:
                g = b.mul_(momentum).add_(g)
            p.addcmul_(g, rate, value=-1)

    return step


def _adam(parameters: Sequence[Tensor], lr: Tensor, coupled_decay: float, decoupled_decay: float) -> Step:
    import torch

    beta1, beta2, eps = 0.9, 0.999, 1e-8
    rates = _rates(parameters, lr)
    means = [torch.zeros_like(p) for p in parameters]
    squares = [torch.zeros_like(p) for p in parameters]
    steps = torch.zeros((), dtype=torch.float64, device=lr.device)  # on the device: a recorded step must count too

    @torch.no_grad()
    def step() -> None:
        steps.add_(1)
        bias1, bias2 = 1 - beta1**steps, (1 - beta2**steps).sqrt()
        gradients = _gradients(parameters, coupled_decay)
        for p, g, m, v, rate in zip(parameters, gradients, means, squares, rates, strict=True):
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
