"""Optimizers over replicas: PyTorch's update rules, with one learning rate a replica.

An optimizer is one function ``(parameters, lr, momentum, weight_decay) -> step``. Each parameter has the replicas as
its first axis; `lr` has shape (replicas,). ``step()`` updates the parameters from their gradients, in place. Every
operation is elementwise, so that no replica can reach another. A parameter whose gradient is None is passed over, as
PyTorch's optimizers do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bnstudy.study.registry import optimizers

if TYPE_CHECKING:
    from torch import Tensor

Step = Callable[[], None]
LARGE = 1 << 14  # values a replica, from which on a tensor is updated piece by piece


@dataclass
class Piece:
    """A part of a parameter that is updated at once, with its learning rate and what the optimizer remembers of it.

    `rate` is a view of `lr`, or a copy of it in the parameter's precision. Nothing is remembered before the first
    gradient: a frozen parameter costs no memory.
    """

    values: Tensor
    rate: Tensor
    lr: Tensor
    kept: int
    memory: list[Tensor] = field(default_factory=list)


def _pieces(parameters: Sequence[Tensor], lr: Tensor, memory: int) -> list[list[Piece]]:
    """Every parameter's pieces, each to be given some tensors of zeros like it.

    Large ones are cut where they lie apart, mostly replica by replica, so that an update's few passes over one find it
    in the cache.
    """
    cut = []
    for p in parameters:
        each = lr.view(-1, *[1] * (p.dim() - 1))
        parts = zip(_cut(p.detach(), p), _cut(_spread(each, p), p), _cut(each, p), strict=True)
        cut.append([Piece(values, rate, own, memory) for values, rate, own in parts])
    return cut


def _spread(rate: Tensor, like: Tensor) -> Tensor:
    """The rates (replicas, 1, ...) in a parameter's precision.

    Where replicas lie innermost, as lanes do, there is one for each value that lies together: an update then goes along
    whole rows, not replica by replica.
    """
    rate = rate.to(like.dtype)
    if like.stride(0) != 1 or like.dim() < 3 or not _is_large(like):
        return rate
    axis = _apart(like)
    order = sorted(range(like.dim()), key=like.stride, reverse=True)
    shape = [1 if i == axis else size for i, size in enumerate(like.shape)]
    laid = rate.expand(shape).permute(order).contiguous()
    return laid.permute([order.index(i) for i in range(like.dim())])


def _gradients(parameters: Sequence[Tensor], pieces: Sequence[list[Piece]]) -> Iterator[tuple[Piece, Tensor]]:
    """Every piece with its gradient; those of parameters that have none are left out."""
    import torch

    for p, cut in zip(parameters, pieces, strict=True):
        if p.grad is not None:
            for piece, gradient in zip(cut, _cut(p.grad.detach(), p), strict=True):
                if piece.rate.data_ptr() != piece.lr.data_ptr():
                    piece.rate.copy_(piece.lr)  # whoever made this optimizer may change the rates as it goes
                if not piece.memory:
                    piece.memory = [torch.zeros_like(piece.values) for _ in range(piece.kept)]
                yield piece, gradient


def _together(found: Iterator[tuple[Piece, Tensor]]) -> Iterator[tuple[list[Piece], list[Tensor]]]:
    """Pieces and gradients that are updated by the same calls: small ones, of which a call takes longer than its work,
    all at once."""
    small: list[tuple[Piece, Tensor]] = []
    for piece, gradient in found:
        if piece.values.numel() > LARGE:
            yield [piece], [gradient]
        else:
            small.append((piece, gradient))
    if small:
        yield [piece for piece, _ in small], [gradient for _, gradient in small]


def _cut(tensor: Tensor, like: Tensor) -> Sequence[Tensor]:
    if not _is_large(like):
        return [tensor]
    axis = _apart(like)
    together = max(1, LARGE * like.shape[axis] // like.numel())
    if tensor.shape[axis] == 1:  # what is the same for all pieces
        return [tensor] * -(-like.shape[axis] // together)
    return tensor.split(together, axis)


def _is_large(tensor: Tensor) -> bool:
    return tensor.device.type == "cpu" and tensor[0].numel() > LARGE


def _apart(tensor: Tensor) -> int:
    """The axis along which values lie farthest apart: cut there, each piece lies together."""
    return max(range(tensor.dim()), key=tensor.stride)


def _decayed(gradient: Tensor, parameter: Tensor, weight_decay: float) -> Tensor:
    return gradient.add(parameter, alpha=weight_decay) if weight_decay else gradient


@optimizers.register("sgd", label="SGD with momentum", citation="torch.optim.SGD", descent=lambda momentum: momentum)
def sgd(parameters: Sequence[Tensor], lr: Tensor, momentum: float, weight_decay: float) -> Step:
    """Stochastic gradient descent: b = momentum b + g, p = p - lr b."""
    import torch

    pieces = _pieces(parameters, lr, memory=1)

    @torch.no_grad()
    def step() -> None:
        for some, gs in _together(_gradients(parameters, pieces)):
            gs = [_decayed(g, piece.values, weight_decay) for g, piece in zip(gs, some, strict=True)]
            if momentum:
                kept = [piece.memory[0] for piece in some]
                torch._foreach_mul_(kept, momentum)
                torch._foreach_add_(kept, gs)
                gs = kept
            torch._foreach_addcmul_([piece.values for piece in some], gs, [piece.rate for piece in some], value=-1)

    return step


@optimizers.register("plain-sgd", label="SGD", citation="torch.optim.SGD", descent=lambda momentum: 0.0)
def plain_sgd(parameters: Sequence[Tensor], lr: Tensor, momentum: float, weight_decay: float) -> Step:
    """Stochastic gradient descent without momentum: p = p - lr g. The study's momentum is not used."""
    return sgd(parameters, lr, 0.0, weight_decay)


def _adam(parameters: Sequence[Tensor], lr: Tensor, coupled_decay: float, decoupled_decay: float) -> Step:
    import torch

    beta1, beta2, eps = 0.9, 0.999, 1e-8
    pieces = _pieces(parameters, lr, memory=2)
    # On the device: a recorded step must count too. Each parameter counts the steps in which it had a gradient.
    steps = [torch.zeros((), dtype=torch.float64, device=lr.device) for _ in parameters]

    @torch.no_grad()
    def step() -> None:
        for parameter, count, cut in zip(parameters, steps, pieces, strict=True):
            if parameter.grad is None:
                continue
            count.add_(1)
            bias1, bias2 = 1 - beta1**count, (1 - beta2**count).sqrt()
            for piece, g in _gradients([parameter], [cut]):
                p, (m, v) = piece.values, piece.memory
                g = _decayed(g, p, coupled_decay)
                if decoupled_decay:
                    p.mul_(1 - piece.rate * decoupled_decay)
                m.lerp_(g, 1 - beta1)
                v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
                p.addcmul_(m / (v.sqrt() / bias2.to(p.dtype)).add_(eps), -piece.rate / bias1.to(p.dtype))

    return step


@optimizers.register("adam", label="Adam", citation="Kingma & Ba 2015; torch.optim.Adam")
def adam(parameters: Sequence[Tensor], lr: Tensor, momentum: float, weight_decay: float) -> Step:
    """Adam with betas 0.9 and 0.999, eps 1e-8; weight decay is added to the gradient. Momentum is not used."""
    return _adam(parameters, lr, weight_decay, 0.0)


@optimizers.register("adamw", label="AdamW", citation="Loshchilov & Hutter 2019; torch.optim.AdamW")
def adamw(parameters: Sequence[Tensor], lr: Tensor, momentum: float, weight_decay: float) -> Step:
    """Adam whose weight decay shrinks the weights directly. Momentum is not used."""
    return _adam(parameters, lr, 0.0, weight_decay)
