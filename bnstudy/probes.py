"""What a network's signals look like before it trains: one batch forward and backward, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn
from torch.nn import functional as F

from bnstudy import initialization, models, provenance, registry, streams
from bnstudy.data import Data
from bnstudy.replicas.chain import ELEMENTWISE
from bnstudy.study import Study

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
}
CELL = ("model", "norm", "init", "seed")
OUTPUT = "output"  # the last weight layer, whatever a network calls it


def probe(study: Study, data: Data) -> xr.Dataset:
    """Measure every cell of a study at its first seed, optimizer and learning rate, without training it.

    Parameters
    ----------
    study : Study
        What is asked; its first batch size is the batch.
    data : Data
        The study's.

    Returns
    -------
    Dataset
        :data:`MEASURES` over model, norm, init, seed and ``layer``, the weight layers in the order in which they act;
        NaN where a network has no layer of that name. ``initial_loss`` over the same without ``layer``.
    """
    seeds = study.seeds[:1]
    labels = list(product(study.models, study.norms, study.inits, seeds))
    found = [_probe_one(study, *cell, data) for cell in labels]
    layers = [*dict.fromkeys(layer for measured, _ in found for layer in measured if layer != OUTPUT), OUTPUT]
    sizes = (len(study.models), len(study.norms), len(study.inits), len(seeds))
    variables: dict[str, Any] = {}
    for name, (long_name, units) in MEASURES.items():
        values = [[measured.get(layer, {}).get(name, np.nan) for layer in layers] for measured, _ in found]
        about = {"long_name": long_name, "units": units}
        variables[name] = ((*CELL, "layer"), np.array(values).reshape(*sizes, -1), about)
    losses = np.array([loss for _, loss in found]).reshape(sizes)
    variables["initial_loss"] = (CELL, losses, {"long_name": "cross-entropy of the batch", "units": "nat"})
    coords = {"model": list(study.models), "norm": list(study.norms), "init": list(study.inits), "seed": list(seeds),
              "layer": layers, "init_role": ("init", [study.roles[init] for init in study.inits])}  # fmt: skip
    attributes = {
        "title": f"Probe of {study.title or study.name}", "study": study.to_toml(), "study_hash": study.digest,
        "dataset": study.dataset, "lr": study.lr[0], **provenance.attributes("cpu"),
    }  # fmt: skip
    return xr.Dataset(variables, coords, attributes)


def _probe_one(
    study: Study, model: str, norm: str, init: str, seed: int, data: Data
) -> tuple[dict[str, dict[str, float]], float]:
    """What each weight layer shows, by its name; and the loss."""
    images, labels = data.train
    batch = streams.batch_order(seed, 1, len(labels))[: study.batch_size[0]]
    network = models.build(model, norm, study, data.shape, data.classes)
    level = registry.initializers.level(init)
    initialization.initialize(network, level, seed, study.init_scope, images[: study.batch_size[0]])
    network.train()
    layers = initialization.weight_layers(network)
    last = list(layers)[-1]
    seen: dict[str, dict[str, Any]] = {}
    with _watched(network, {id(layer): name for name, layer in layers.items()}, seen):
        loss = F.cross_entropy(network(images[batch]), labels[batch])
    loss.backward()
    found = {}
    for name, layer in layers.items():
        weight = layer.get_parameter("weight")
        gradient = 0.0 if weight.grad is None else float(weight.grad.norm())
        size = float(weight.detach().norm())
        about = _described(seen.get(name, {}))
        about |= {"gradient_norm": gradient, "update_ratio": study.lr[0] * gradient / size if size else np.nan}
        found[OUTPUT if name == last else name] = about
    return found, float(loss.detach())


@contextmanager
def _watched(network: nn.Module, names: dict[int, str], seen: dict[str, dict[str, Any]]) -> Iterator[None]:
    """Note what each weight layer gives, and what the norm and activation after it see and give."""
    current: dict[str, Any] = {}

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal current
        if id(module) in names:
            current = seen.setdefault(names[id(module)], {})
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
    found = {
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
        found["dead"] = float((units == 0).all(1).double().mean())
    return found


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
