"""The loss around a network's weights: how sharp it is, and how far its gradient can be trusted.

All of it on one batch, in training mode, with the batch's own statistics where there is a batch norm.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh
from torch import Tensor, nn
from torch.nn import functional as F

from bnstudy.study.errors import RAISED
from bnstudy.training import streams
from bnstudy.training.replicas.reference import is_finite

MEASURES = {
    "sharpness": ("largest eigenvalue of the Hessian of the batch's loss", "1"),
    "loss_change": ("largest change of the loss along the gradient, over steps of 0.5 to 4 learning rates", "nat"),
    "gradient_change": ("largest Euclidean change of the gradient over the same steps", "1"),
    "smoothness": ("largest change of the gradient over the distance moved, over the same steps", "1"),
}
STEPS = (0.5, 1.0, 2.0, 4.0)  # learning rates
TOLERANCE = 1e-4  # of the eigenvalue, relative
MOST = 300  # products with the Hessian, about


def landscape(network: nn.Module, images: Tensor, labels: Tensor, lr: float) -> dict[str, float]:
    """Every one of :data:`MEASURES`; NaN where the loss is not finite.

    The loss along the gradient and the change of the gradient are those of Santurkar et al. 2018, figure 4, there for
    every step of training. The weights are afterwards as they were; running statistics have moved.
    """
    network.train()
    parameters = [p for p in network.parameters() if p.requires_grad]
    loss, gradient = _gradient(network, parameters, images, labels)
    if not (np.isfinite(loss) and torch.isfinite(gradient).all()):
        return dict.fromkeys(MEASURES, np.nan)
    measures = {"sharpness": sharpness(network, images, labels)}
    begin = [p.detach().clone() for p in parameters]
    size = float(gradient.norm())
    losses, changes, slopes = [], [], []
    for step in STEPS:
        moved = step * lr * gradient
        _set(parameters, begin, moved)
        there, other = _gradient(network, parameters, images, labels)
        change = float((other - gradient).norm())
        losses.append(abs(there - loss))
        changes.append(change)
        slopes.append(change / (step * lr * size) if size else 0.0)
    _set(parameters, begin)
    measures |= {"loss_change": max(losses), "gradient_change": max(changes), "smoothness": max(slopes)}
    return measures


def sharpness(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The largest eigenvalue of the loss's Hessian, by Lanczos on products with it; NaN where none is found."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    count = sum(p.numel() for p in parameters)
    with streams.kept():
        streams.turn("landscape")
        loss = F.cross_entropy(network(images.clone()), labels)
    try:
        first = torch.autograd.grad(loss, parameters, create_graph=True, materialize_grads=True)
    except (RuntimeError, NotImplementedError):  # a layer of which PyTorch knows no second derivative
        return np.nan

    def product(vector: np.ndarray) -> np.ndarray:
        pieces = torch.as_tensor(vector.ravel(), dtype=parameters[0].dtype, device=parameters[0].device)
        parts = pieces.split([p.numel() for p in parameters])
        towards = [part.view_as(p) for part, p in zip(parts, parameters, strict=True)]
        second = torch.autograd.grad(first, parameters, towards, retain_graph=True, materialize_grads=True)
        return torch.cat([g.flatten() for g in second]).double().cpu().numpy()

    # The start is fixed, so that the same network gives the same number.
    start = np.random.default_rng(0).standard_normal(count)
    try:
        image = product(start)
    except (RuntimeError, NotImplementedError):  # likewise
        return np.nan
    if not np.isfinite(image).all():
        return np.nan
    if not image.any():
        return 0.0
    try:
        operator = LinearOperator((count, count), matvec=product, dtype=np.float64)
        values = eigsh(operator, k=1, which="LA", v0=start, tol=TOLERANCE, maxiter=MOST // 20,
                       return_eigenvectors=False)  # fmt: skip
    except ArpackError:
        return np.nan
    return float(values[0])


def _gradient(
    network: nn.Module, parameters: Sequence[nn.Parameter], images: Tensor, labels: Tensor
) -> tuple[float, Tensor]:
    try:
        with streams.kept():  # the same masks wherever one looks
            streams.turn("landscape")
            loss = F.cross_entropy(network(images.clone()), labels)
    except RAISED:  # some networks do not go on with weights that are no numbers
        if is_finite(network):
            raise
        return np.nan, torch.cat([torch.full_like(p, np.nan).flatten() for p in parameters])
    gradients = torch.autograd.grad(loss, parameters, materialize_grads=True)
    return float(loss.detach()), torch.cat([g.flatten() for g in gradients])


@torch.no_grad()
def _set(parameters: Sequence[nn.Parameter], begin: Sequence[Tensor], less: Tensor | None = None) -> None:
    parts = [None] * len(begin) if less is None else less.split([p.numel() for p in begin])
    for p, at, part in zip(parameters, begin, parts, strict=True):
        p.copy_(at if part is None else at - part.view_as(at))
