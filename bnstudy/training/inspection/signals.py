"""What a network's signals and gradients look like, layer by layer: one batch forward and backward."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bnstudy.study.schema import OUTPUT
from bnstudy.training.networks import weights
from bnstudy.training.replicas.lanes.supported import ELEMENTWISE

MEASURES = {
    "preactivation_spread": ("standard deviation of what the layer gives, over batch and units", "1"),
    "activation_mean": ("mean of what its activation gives, over batch and units", "1"),
    "activation_spread": ("standard deviation of what its activation gives, over batch and units", "1"),
    "dead": ("share of its units whose ReLU gives 0 for every sample; NaN without a ReLU", "1"),
    "alike": ("share of the preactivation's mean square that all units have in common", "1"),
    "rank": ("stable rank of its activations over the batch: squared Frobenius norm over squared largest", "1"),
    "variance_to_eps": ("median over units of the variance its batch norm sees, over eps; NaN without one", "1"),
    "gradient_norm": ("Euclidean norm of the gradient of its weights", "1"),
    "update_ratio": ("learning rate times gradient norm over weight norm: the first step's share of the weights", "1"),
    "effective_lr": ("learning rate over the squared norm of its weights; what counts where a norm follows", "1"),
}


def signals(network: nn.Module, images: Tensor, labels: Tensor, lr: float) -> tuple[dict[str, dict[str, float]], float]:
    """Every one of :data:`MEASURES` for each weight layer, by its name; and the batch's cross-entropy.

    The network is in training mode afterwards, and its running statistics have moved. Layers come in the order in which
    the network lists them, the last that acts as ``output``; what a layer has no part in (a batch norm, a ReLU) is NaN.
    A weight that is made of other parameters is measured by those.
    """
    network.train()
    network.zero_grad(set_to_none=True)
    layers = weights.weight_layers(network)
    seen: dict[str, dict[str, Any]] = {}
    with _watched(network, {id(layer): name for name, layer in layers.items()}, seen):
        loss = F.cross_entropy(network(images.clone()), labels)
    loss.backward()
    last = next(reversed(seen), None)
    by_layer = {}
    for name, layer in layers.items():
        own = _weights(layer)
        gradient = _norm([p.grad for p in own if p.grad is not None])
        size = _norm(own)
        measures = _described(seen.get(name, {})) | {
            "gradient_norm": gradient,
            "update_ratio": lr * gradient / size if size else np.nan,
            "effective_lr": lr / size**2 if size else np.nan,
        }
        by_layer[OUTPUT if name == last else f"{name}_" if name == OUTPUT else name] = measures
    return by_layer, float(loss.detach())


def _weights(layer: nn.Module) -> list[nn.Parameter]:
    """A layer's weight, or the parameters that it is made of."""
    own = layer._parameters.get("weight")
    return [own] if own is not None else [p for p in layer.parameters() if p.dim() > 1]


def _norm(tensors: Sequence[Tensor]) -> float:
    norms = [t.detach().norm() for t in tensors]
    return float(norms[0] if len(norms) == 1 else torch.stack(norms).norm()) if norms else 0.0


@contextmanager
def _watched(network: nn.Module, names: dict[int, str], seen: dict[str, dict[str, Any]]) -> Iterator[None]:
    """Note what each weight layer gives, and what the norm and activation after it see and give."""
    current: dict[str, Any] = {}

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal current
        if id(module) in names:
            name = names[id(module)]
            current = seen[name] = seen.pop(name, {})  # the last that acts is the last
            current["layer"] = output.detach()
        elif isinstance(module, nn.modules.batchnorm._BatchNorm) and current:
            x = inputs[0].detach()
            over = (0, *range(2, x.dim()))
            current["variance_to_eps"] = float((x.double().var(over, correction=0) / module.eps).median())
        elif isinstance(module, ELEMENTWISE) and current:
            current.setdefault("activation", output.detach())
            current.setdefault("is_relu", isinstance(module, nn.ReLU))

    handles = [module.register_forward_hook(note) for module in network.modules()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _described(seen: dict[str, Any]) -> dict[str, float]:
    """The measures of what was noted of one layer."""
    if "layer" not in seen:
        return {}
    before = seen["layer"].double()
    after = seen.get("activation", before).double()
    measures = {
        "preactivation_spread": float(before.std(correction=0)),
        "activation_mean": float(after.mean()),
        "activation_spread": float(after.std(correction=0)),
        "alike": _alike(before),
        "rank": _stable_rank(after),
        "variance_to_eps": seen.get("variance_to_eps", np.nan),
        "dead": np.nan,
    }
    if seen.get("is_relu"):
        units = after.movedim(1, 0).flatten(1)
        measures["dead"] = float((units == 0).all(1).double().mean())
    return measures


def _alike(x: Tensor) -> float:
    """Of the mean square over batch, units and places, the share that remains when units are averaged."""
    total = x.square().mean()
    return float(x.mean(1).square().mean() / total) if total > 0 else 1.0


def _stable_rank(x: Tensor) -> float:
    rows = x.flatten(1)
    if not torch.isfinite(rows).all():
        return np.nan
    values = torch.linalg.svdvals(rows)
    return float(values.square().sum() / values[0] ** 2) if values[0] > 0 else 0.0
