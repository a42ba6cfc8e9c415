"""Models: plain ``nn.Module``s that know nothing about replicas, built by one function each.

A model is one function ``(inputs, classes, settings) -> nn.Module``. Its layers have names that are the same in every
arm, since a layer's name chooses the random stream of its weights.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bnstudy.errors import InputError
from bnstudy.registry import activations, models, norms

if TYPE_CHECKING:
    from torch import nn

Shape = tuple[int, int, int]  # channels, height, width


@dataclass(frozen=True)
class Blocks:
    """What models are built from: the settings of a study for one arm."""

    norm: str = "none"
    hidden: tuple[int, ...] = (256, 128)
    channels: tuple[int, ...] = (4, 8)
    kernel_size: int = 3
    activation: str = "relu"

    def norm_layer(self, channels: int, spatial: int) -> nn.Module | None:
        """A new layer for the norm slot, or None where the arm has none."""
        level = norms.level(self.norm)
        return norms[level.family].function(channels, spatial, norms.value(level))

    def activation_layer(self) -> nn.Module:
        """A new activation layer."""
        return activations[self.activation].function()


def _sequential(layers: list[tuple[str, nn.Module | None]]) -> nn.Module:
    from torch import nn

    return nn.Sequential(OrderedDict((name, layer) for name, layer in layers if layer is not None))


@models.register("mlp", label="MLP")
def mlp(inputs: Shape, classes: int, blocks: Blocks) -> nn.Module:
    """Linear-Norm-ReLU for each hidden width, then Linear."""
    from torch import nn

    layers: list[tuple[str, nn.Module | None]] = [("flatten", nn.Flatten())]
    width = inputs[0] * inputs[1] * inputs[2]
    for i, units in enumerate(blocks.hidden, start=1):
        layers += [
            (f"linear{i}", nn.Linear(width, units)),
            (f"norm{i}", blocks.norm_layer(units, spatial=0)),
            (f"activation{i}", blocks.activation_layer()),
        ]
        width = units
    return _sequential([*layers, ("output", nn.Linear(width, classes))])


def _check_cnn(study: Any, inputs: Shape) -> None:
    side = min(inputs[1:])
    if side >> len(study.channels) == 0:
        most = side.bit_length() - 1
        raise InputError(f"images of {side} pixels can be halved {most} times: give at most {most} widths", "channels")
    if study.kernel_size % 2 == 0:
        raise InputError(f"must be odd, so that padding keeps the image size, not {study.kernel_size}", "kernel_size")


@models.register("cnn", label="CNN", check=_check_cnn)
def cnn(inputs: Shape, classes: int, blocks: Blocks) -> nn.Module:
    """Conv-Norm-ReLU-AvgPool for each width, then Reshape-Linear. Padding keeps the size; pooling halves it."""
    from torch import nn

    layers: list[tuple[str, nn.Module | None]] = []
    channels, height, width = inputs
    for i, filters in enumerate(blocks.channels, start=1):
        layers += [
            (f"conv{i}", nn.Conv2d(channels, filters, blocks.kernel_size, padding=blocks.kernel_size // 2)),
            (f"norm{i}", blocks.norm_layer(filters, spatial=2)),
            (f"activation{i}", blocks.activation_layer()),
            (f"pool{i}", nn.AvgPool2d(2)),
        ]
        channels, height, width = filters, height // 2, width // 2
    return _sequential([*layers, ("flatten", nn.Flatten()), ("output", nn.Linear(channels * height * width, classes))])


@activations.register("relu", label="ReLU")
def relu() -> nn.Module:
    """max(0, x)."""
    from torch import nn

    return nn.ReLU()


@activations.register("tanh", label="tanh")
def tanh() -> nn.Module:
    """The hyperbolic tangent."""
    from torch import nn

    return nn.Tanh()


@activations.register("sigmoid", label="sigmoid")
def sigmoid() -> nn.Module:
    """1/(1 + exp(-x))."""
    from torch import nn

    return nn.Sigmoid()


@activations.register("gelu", label="GELU")
def gelu() -> nn.Module:
    """x times the normal distribution function of x."""
    from torch import nn

    return nn.GELU()


def build(model: str, norm: str, settings: Any, inputs: Shape, classes: int) -> nn.Module:
    """The plain network of one arm.

    Parameters
    ----------
    model, norm : str
        Levels of the two factors.
    settings : Study
        Where `hidden`, `channels`, `kernel_size` and `activation` are read.
    inputs : tuple of int
        Channels, height and width of a sample.
    classes : int
        Number of outputs.
    """
    import torch

    level = models.level(model)
    blocks = Blocks(norm, settings.hidden, settings.channels, settings.kernel_size, settings.activation)
    with torch.random.fork_rng(devices=[]):  # layers draw weights as they are made; ours are set later
        return models[level.family].function(inputs, classes, blocks)
