"""Models: plain ``nn.Module``s that know nothing about replicas, built by one function each.

A model is one function ``(inputs, classes, blocks) -> nn.Module``. Its layers have names that are the same in every
arm, since a layer's name chooses the random stream of its weights.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from bnstudy.study.errors import InputError, told_as
from bnstudy.study.registry import Level, activations, models
from bnstudy.training.networks import initialization
from bnstudy.training.networks.blocks import Blocks, Layers

if TYPE_CHECKING:
    from torch import Tensor, nn

Shape = tuple[int, int, int]  # channels, height, width


def _sequential(layers: Layers) -> nn.Module:
    from torch import nn

    return nn.Sequential(OrderedDict((name, layer) for name, layer in layers if layer is not None))


@models.register("mlp", label="MLP", has_space=False)
def mlp(inputs: Shape, classes: int, blocks: Blocks) -> nn.Module:
    """Linear-Norm-ReLU for each hidden width, then Linear."""
    from torch import nn

    layers: Layers = [("flatten", nn.Flatten())]
    width = inputs[0] * inputs[1] * inputs[2]
    for i, units in enumerate(blocks.hidden, start=1):
        layers += blocks.unit("linear", i, nn.Linear(width, units), spatial=0)
        width = units
    return _sequential([*layers, ("output", nn.Linear(width, classes))])


def _check_cnn(study: Any, inputs: Shape, level: Level) -> None:
    side = min(inputs[1:])
    if side >> len(level.widths or study.channels) == 0:
        most = side.bit_length() - 1
        raise InputError(f"images of {side} pixels can be halved {most} times: give at most {most} widths", "channels")
    if study.kernel_size % 2 == 0:
        raise InputError(f"must be odd, so that padding keeps the image size, not {study.kernel_size}", "kernel_size")


@models.register("cnn", label="CNN", check=_check_cnn)
def cnn(inputs: Shape, classes: int, blocks: Blocks) -> nn.Module:
    """Conv-Norm-ReLU-AvgPool for each width, then Reshape-Linear. Padding keeps the size; pooling halves it."""
    from torch import nn

    layers: Layers = []
    channels, height, width = inputs
    for i, filters in enumerate(blocks.channels, start=1):
        convolution = nn.Conv2d(channels, filters, blocks.kernel_size, padding=blocks.kernel_size // 2)
        layers += [*blocks.unit("conv", i, convolution, spatial=2), (f"pool{i}", nn.AvgPool2d(2))]
        channels, height, width = filters, height // 2, width // 2
    return _sequential([*layers, ("flatten", nn.Flatten()), ("output", nn.Linear(channels * height * width, classes))])


@models.register("residual-mlp", label="residual MLP", has_space=False, has_branches=True)
def residual_mlp(inputs: Shape, classes: int, blocks: Blocks) -> nn.Module:
    """Linear, then for each hidden width x + branch(x), then ReLU-Linear; a branch is Linear-Norm-ReLU-Linear.

    Where the width changes, a linear layer stands in the shortcut.
    """
    from torch import nn

    from bnstudy.training.networks.layers import Residual

    width = blocks.hidden[0]
    layers: Layers = [("flatten", nn.Flatten()), ("stem", nn.Linear(inputs[0] * inputs[1] * inputs[2], width))]
    for i, units in enumerate(blocks.hidden, start=1):
        inner = blocks.unit("linear", 1, nn.Linear(width, units), spatial=0)
        end = blocks.branch_end(units, spatial=0)
        branch = _sequential([*inner, ("linear2", nn.Linear(units, units)), ("end", end)])
        shortcut = nn.Linear(width, units, bias=False) if units != width else None
        layers.append((f"block{i}", Residual(branch, shortcut)))
        width = units
    last = ("activation", activations[blocks.activation].function())
    return _sequential([*layers, last, ("output", nn.Linear(width, classes))])


def build(model: str, norm: str, settings: Any, inputs: Shape, classes: int, seed: int = 0) -> nn.Module:
    """The plain network of one arm, as its own code makes it.

    Parameters
    ----------
    model, norm : str
        Levels of the two factors; a model's own widths and activation count before the study's, of which the first
        counts.
    settings : Study
        Where `hidden`, `channels`, `kernel_size`, `activation`, `norm_eps` and `norm_momentum` are read.
    inputs : tuple of int
        Channels, height and width of a sample.
    classes : int
        Number of outputs.
    seed : int
        Of the run: what the code draws (the first values of what no initializer sets) comes from the stream
        ``("network", seed)``, and is the same in both arms.

    Raises
    ------
    InputError
        The model's function raises, or gives no module; the message says where.
    """
    from torch import nn

    from bnstudy.training import streams

    level = models.level(model)
    blocks = Blocks(
        norm, level.widths or settings.hidden, level.widths or settings.channels, settings.kernel_size,
        level.activation or settings.activation[0], settings.norm_eps, settings.norm_momentum,
    )  # fmt: skip
    with streams.kept():
        streams.turn("network", seed)
        with told_as(f"{model!r} with norm {norm!r} cannot be built", "models"):
            network = models[level.family].function(inputs, classes, blocks)
            if not isinstance(network, nn.Module):
                raise TypeError(f"it gives a {type(network).__name__}, not a torch.nn.Module")
            _materialize(network, inputs)
    return network


def _materialize(network: nn.Module, inputs: Shape) -> None:
    """Let lazy layers learn their sizes from a batch of zeros, which changes nothing else."""
    import torch
    from torch.nn.parameter import is_lazy

    tensors = [*network.parameters(), *network.buffers()]
    if not any(map(is_lazy, tensors)):
        return
    before = [(tensor, tensor.detach().clone()) for tensor in tensors if not is_lazy(tensor)]
    modes = [(module, module.training) for module in network.modules()]
    usual = [module for module, _ in modes if not any(map(is_lazy, _own_tensors(module)))]
    with torch.no_grad():
        remembered = initialization.remember(usual)
        network.eval()
        network(torch.zeros(2, *inputs))
        initialization.recall(remembered)
        for module, training in modes:
            module.training = training
        for tensor, value in before:
            tensor.copy_(value)


def _own_tensors(module: nn.Module) -> list[Tensor]:
    own = [*module._parameters.values(), *module._buffers.values()]
    return [tensor for tensor in own if tensor is not None]
