"""The initialization of a whole network: every parameter and buffer it has, from named random streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bnstudy import inits
from bnstudy.registry import Level, initializers

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


def weight_layers(module: nn.Module) -> dict[str, nn.Module]:
    """The linear and convolution layers by name, in the module's order; the last is the output layer."""
    from torch import nn

    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    return {name: layer for name, layer in module.named_modules() if isinstance(layer, kinds)}


def initialize(module: nn.Module, level: Level, seed: int, scope: str = "all", batch: Tensor | None = None) -> None:
    """Set every parameter and buffer of `module`, in place.

    Weights come from `level`; biases are zero unless the initializer sets them; a norm's γ is 1, its β 0, its running
    statistics fresh. With ``scope="hidden"`` the output layer keeps PyTorch's default.

    Parameters
    ----------
    module : torch.nn.Module
        One plain network.
    level : Level
        The initializer and its value.
    seed : int
        The run's seed; the streams are ``("weights", seed, layer name)``.
    scope : {"all", "hidden"}
        Which layers the initializer touches.
    batch : Tensor, shape (n, channels, height, width), optional
        Inputs for initializers that look at data (lsuv).

    Raises
    ------
    TypeError
        The module has parameters of its own in a layer that cannot reset them: nothing would set them.
    """
    import torch

    from bnstudy import streams

    entry = initializers[level.family]
    value = initializers.value(level)
    layers = weight_layers(module)
    output = list(layers)[-1] if layers else ""
    with torch.no_grad():
        for name, child in module.named_modules():
            if name in layers:
                bias = child.bias.zero_() if isinstance(child.bias, torch.Tensor) else None
                layer = inits.Layer(child.weight, bias, streams.generator("weights", seed, name), name == output)
                if scope == "hidden" and layer.is_output:
                    inits.default(layer)
                else:
                    entry.function(layer, value)
            elif any(True for _ in child.parameters(recurse=False)) or any(True for _ in child.buffers(recurse=False)):
                _reset_other(name, child)
        if entry.about.get("needs_batch") and batch is not None:
            last = {} if scope == "all" else {output}
            _unit_variance(module, {name: child for name, child in layers.items() if name not in last}, batch)


def _reset_other(name: str, child: nn.Module) -> None:
    reset = getattr(child, "reset_parameters", None)
    if reset is None:
        raise TypeError(f"layer {name!r} ({type(child).__name__}) has parameters but no reset_parameters()")
    reset()


def _unit_variance(module: nn.Module, layers: dict[str, nn.Module], batch: torch.Tensor) -> None:
    import torch

    training = module.training
    module.eval()  # no running statistics are touched while we look
    for layer in layers.values():
        seen: list[torch.Tensor] = []
        handle = layer.register_forward_hook(lambda _layer, _inputs, output, seen=seen: seen.append(output))
        module(batch)
        handle.remove()
        spread = seen[0].std()
        if torch.isfinite(spread) and spread > 0:
            layer.get_parameter("weight").div_(spread)
    module.train(training)
