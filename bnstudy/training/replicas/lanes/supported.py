"""Which networks the lanes can take: chains of the layers that their kernel knows."""

from __future__ import annotations

from typing import Any

from torch import nn

from bnstudy.training.networks.layers import RootMeanSquare, StandardizedConv2d, StandardizedLinear
from bnstudy.training.replicas.folded import has_ties

MOST_CHANNELS = 64  # beyond it a convolution library is not starved

WEIGHT_LAYERS = (nn.Linear, nn.Conv2d, StandardizedLinear, StandardizedConv2d)  # and no kinds of them: those may differ

# Layers that treat every value alike.
ELEMENTWISE = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Tanh, nn.Sigmoid),
    *(nn.Softplus, nn.Softsign, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.Identity),
)

POOLING = (nn.AvgPool2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)


def layers_of(network: nn.Module) -> list[nn.Module]:
    """The layers of nested ``nn.Sequential``s, in order; anything else is one layer."""
    if type(network) is nn.Sequential:
        return [layer for child in network for layer in layers_of(child)]
    return [network]


def has_convolutions(network: nn.Module) -> bool:
    """Whether there are any in a chain."""
    return any(isinstance(layer, nn.Conv2d) for layer in layers_of(network))


def is_known(network: nn.Module) -> bool:
    """Whether a network is a chain of what the kernel and elementwise layers can do, with convolutions that are small
    enough to starve a library, and ends in a vector."""
    layers = layers_of(network)
    channels = [layer.out_channels for layer in layers if isinstance(layer, nn.Conv2d)]
    if has_ties(network) or max(channels, default=0) > MOST_CHANNELS:
        return False
    flat, before = False, None
    for layer in layers:
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            kind = nn.BatchNorm1d if flat else nn.BatchNorm2d
            fits = type(layer) is kind and isinstance(before, nn.Conv2d | nn.Linear) and is_usual_norm(layer)
        elif type(layer) in (nn.GroupNorm, RootMeanSquare):
            fits = isinstance(before, nn.Conv2d | nn.Linear)
        elif type(layer) is nn.Flatten:
            fits = not flat and (layer.start_dim, layer.end_dim) == (1, -1)
            flat = True
        elif isinstance(layer, nn.Linear) and type(layer) in WEIGHT_LAYERS:
            fits = flat
        elif isinstance(layer, nn.Conv2d) and type(layer) in WEIGHT_LAYERS:
            fits = not flat and is_plain_convolution(layer)
        elif type(layer) in POOLING:
            fits = not flat and before is not None and not getattr(layer, "return_indices", False)
        else:
            fits = type(layer) in ELEMENTWISE and before is not None
        if not fits:
            return False
        before = layer
    return flat and any(isinstance(layer, WEIGHT_LAYERS) for layer in layers)


def is_usual_norm(layer: nn.modules.batchnorm._BatchNorm) -> bool:
    """Whether a batch norm tracks statistics that move by a fixed share."""
    return layer.track_running_stats and layer.momentum is not None


def is_plain_convolution(layer: nn.Conv2d) -> bool:
    """Square, alike in both directions, all channels together, padded with zeros."""
    side = layer.kernel_size[0]
    padding: Any = layer.padding
    return (
        layer.kernel_size == (side, side)
        and len(set(layer.stride)) == 1
        and (side % 2 == 1 if padding == "same" else padding == "valid" or len(set(padding)) == 1)
        and layer.dilation == (1, 1)
        and (layer.groups, layer.padding_mode) == (1, "zeros")
    )


def is_halving(layer: nn.Module) -> bool:
    """Whether a layer takes the means of 2x2 values, which the kernel does with what it follows."""
    if type(layer) is not nn.AvgPool2d:
        return False
    sizes = {layer.kernel_size, layer.stride}
    return sizes <= {2, (2, 2)} and layer.padding in (0, (0, 0)) and not layer.ceil_mode and not layer.divisor_override
