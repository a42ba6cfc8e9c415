"""The report's networks in JAX: `jit` over `scan` over `vmap`, eight replicas, one process a core.

The data, the batches and their order, the initial weights and the updates are those of the other contestants. A
convolution is either XLA's, or a product with the patches of its input.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from bnstudy.training.running.shared_data import Shared
from rows import Row
from torch import nn

REPLICAS, LR, MOMENTUM, EPS = 8, 0.01, 0.9, 1e-5
Parameters = list[dict[str, Any]]


def train(row: Row, shared: Shared, patches: bool, core: int) -> tuple[float, float]:
    """Seconds of an epoch of all replicas on one core, and seconds until the first has been compiled and run."""
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[core]})
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    import jax
    import jax.numpy as jnp

    data = shared.open()
    forward = _network(row, patches)
    parameters = _stacked([row.network(seed=seed) for seed in range(REPLICAS)])
    images, labels = (jnp.asarray(values.numpy()) for values in data.train)
    steps = len(labels) // row.batch
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0)).numpy()
    batches = jnp.asarray(order[: steps * row.batch].reshape(steps, row.batch))

    def loss(own: Parameters, x: Any, y: Any) -> Any:
        logits = forward(own, x, True)
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1).mean()

    def step(state: Any, which: Any) -> Any:
        own, velocity = state
        value, gradient = jax.vmap(jax.value_and_grad(loss), (0, None, None))(own, images[which], labels[which])
        velocity = jax.tree.map(lambda v, g: MOMENTUM * v + g, velocity, gradient)
        return (jax.tree.map(lambda p, v: p - LR * v, own, velocity), velocity), value

    @jax.jit
    def epoch(state: Any, batches: Any) -> Any:
        return jax.lax.scan(step, state, batches)

    test = [jnp.asarray(values.numpy()) for values in data.test]
    size = min(1000, len(test[1]))

    @jax.jit
    def evaluate(own: Parameters, x: Any, y: Any) -> Any:
        logits = jax.vmap(lambda p: forward(p, x, False))(own)
        return (logits.argmax(-1) == y).sum(1), -jnp.take_along_axis(jax.nn.log_softmax(logits), y[None, :, None], 2)

    def both(state: Any) -> Any:
        state, _ = epoch(state, batches)
        for start in range(0, len(test[1]) - size + 1, size):
            part = slice(start, start + size)
            jax.block_until_ready(evaluate(state[0], test[0][part], test[1][part]))
        return jax.block_until_ready(state)

    started = time.perf_counter()
    state = both((parameters, jax.tree.map(jnp.zeros_like, parameters)))
    compiled = time.perf_counter()
    both(state)
    return time.perf_counter() - compiled, compiled - started


def _stacked(networks: list[nn.Module]) -> Parameters:
    """The weight layers' parameters, each with a leading axis of replicas."""
    import jax.numpy as jnp

    layers = [[m for m in network.modules() if list(m.parameters(recurse=False))] for network in networks]
    return [
        {name: jnp.asarray(np.stack([dict(m.named_parameters())[name].detach().numpy() for m in same])) for name, _ in
         same[0].named_parameters()}
        for same in zip(*layers, strict=True)
    ]  # fmt: skip


def _network(row: Row, patches: bool) -> Callable[[Parameters, Any, bool], Any]:
    """A chain of convolutions, products, batch norms, ReLU and pooling, as the plain network has them."""
    import jax
    import jax.numpy as jnp

    layers = [m for m in row.network().modules() if not list(m.children())]

    def conv(w: Any, x: Any) -> Any:
        if not patches:
            return jax.lax.conv_general_dilated(x, w, (1, 1), "SAME")
        height, width = x.shape[2:]
        padded = jnp.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        rows = [padded[:, :, i : i + height, j : j + width] for i in range(3) for j in range(3)]
        return jnp.einsum("ock,nckhw->nohw", w.reshape(*w.shape[:2], 9), jnp.stack(rows, 2))

    def forward(parameters: Parameters, x: Any, training: bool) -> Any:
        own = iter(parameters)
        for layer in layers:
            shape = (1, -1) + (1,) * (x.ndim - 2)
            if isinstance(layer, nn.Conv2d):
                p = next(own)
                x = conv(p["weight"], x) + p["bias"].reshape(shape)
            elif isinstance(layer, nn.Linear):
                p = next(own)
                x = x.reshape(len(x), -1) @ p["weight"].T + p["bias"]
            elif isinstance(
                layer, nn.BatchNorm1d | nn.BatchNorm2d
            ):  # the batch's statistics in both modes: as much work
                p = next(own)
                axes = (0, *range(2, x.ndim))
                mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
                scaled = p["weight"].reshape(shape) / jnp.sqrt(variance + EPS)
                x = (x - mean) * scaled + p["bias"].reshape(shape)
            elif isinstance(layer, nn.ReLU):
                x = jnp.maximum(x, 0)
            elif isinstance(layer, nn.AvgPool2d):
                n, c, h, w = x.shape
                x = x[:, :, : h // 2 * 2, : w // 2 * 2].reshape(n, c, h // 2, 2, w // 2, 2).mean((3, 5))
            elif isinstance(layer, nn.Flatten):
                x = x.reshape(len(x), -1)
            else:
                raise NotImplementedError(layer)
        return x

    return forward
