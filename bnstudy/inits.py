"""Initializers: what the weights of a layer are drawn from before training.

An initializer is one function of one layer, registered here. It is handed a :class:`Layer` whose bias is zero and
fills the weight in place; it may fill the bias too. Draws come from `layer.generator` alone, which belongs to the
layer's name and the run's seed: two arms, and two scales, draw the same numbers.

``torch`` is imported where it is used, so that names can be checked without it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bnstudy.registry import Level, Parameter, initializers

if TYPE_CHECKING:
    import torch
    from torch import Generator, Tensor, nn

HE = "He et al. 2015, Delving deep into rectifiers"
GLOROT = "Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural networks"
SAXE = "Saxe et al. 2014, Exact solutions to the nonlinear dynamics of learning in deep linear neural networks"
MISHKIN = "Mishkin & Matas 2016, All you need is a good init"
PYTORCH = "PyTorch, torch.nn.Linear and torch.nn.Conv2d: kaiming_uniform_ with a = sqrt(5)"


@dataclass(frozen=True)
class Layer:
    """One linear or convolution layer as an initializer sees it."""

    weight: Tensor  # (out, in) or (out, in per group, height, width)
    bias: Tensor | None  # (out,), zero
    generator: Generator
    is_output: bool = False

    @property
    def fan_in(self) -> int:
        """Inputs that feed one unit."""
        return self.weight[0].numel()

    @property
    def fan_out(self) -> int:
        """Units that one input feeds."""
        return self.weight.shape[0] * self.weight[0, 0].numel()


def _role_of_scale(scale: float) -> str:
    return "well" if 0.5 <= scale <= 2 else "poor"


@initializers.register("default", label="PyTorch's default", role="well", citation=PYTORCH)
def default(layer: Layer, value: None = None) -> None:
    """Weight and bias from U(-b, b), b = 1/sqrt(fan_in)."""
    bound = 1 / math.sqrt(layer.fan_in)
    layer.weight.uniform_(-bound, bound, generator=layer.generator)
    if layer.bias is not None:
        layer.bias.uniform_(-bound, bound, generator=layer.generator)


@initializers.register(
    "scaled-normal", label="He normal, scaled", parameter=Parameter("S"), role=_role_of_scale, citation=HE
)
def scaled_normal(layer: Layer, scale: float) -> None:
    """Weight from N(0, (S sqrt(2/fan_in))^2), so that S = 1 is He's."""
    # Multiplied afterwards: every scale is the same draw, times the scale.
    layer.weight.normal_(generator=layer.generator).mul_(scale * math.sqrt(2 / layer.fan_in))


@initializers.register("zero", label="all zero")
def zero(layer: Layer, value: None = None) -> None:
    """Weight 0: every unit of a layer is the same, and stays so."""
    layer.weight.zero_()


@initializers.register("zero-hidden", label="hidden weights zero")
def zero_hidden(layer: Layer, value: None = None) -> None:
    """Hidden weights 0; biases and the output layer as PyTorch's default."""
    default(layer)
    if not layer.is_output:
        layer.weight.zero_()


@initializers.register("large-variance", label="large variance", parameter=Parameter("σ", default=1.0))
def large_variance(layer: Layer, sigma: float) -> None:
    """Weight from N(0, σ^2) whatever the fan-in."""
    layer.weight.normal_(generator=layer.generator).mul_(sigma)


@initializers.register("normal", label="normal", parameter=Parameter("σ"))
def normal(layer: Layer, sigma: float) -> None:
    """Weight from N(0, σ^2) whatever the fan-in."""
    large_variance(layer, sigma)


@initializers.register("uniform", label="uniform", parameter=Parameter("a"))
def uniform(layer: Layer, bound: float) -> None:
    """Weight from U(-a, a) whatever the fan-in."""
    layer.weight.uniform_(-1, 1, generator=layer.generator).mul_(bound)


@initializers.register("constant", label="constant", parameter=Parameter("c", positive=False))
def constant(layer: Layer, value: float) -> None:
    """Every weight c: symmetric, as zero is."""
    layer.weight.fill_(value)


@initializers.register("xavier", label="Xavier uniform", role="well", citation=GLOROT)
def xavier(layer: Layer, value: None = None) -> None:
    """Weight from U(-b, b), b = sqrt(6/(fan_in + fan_out))."""
    uniform(layer, math.sqrt(6 / (layer.fan_in + layer.fan_out)))


@initializers.register("he-fan-out", label="He normal, fan-out", role="poor", citation=HE)
def he_fan_out(layer: Layer, value: None = None) -> None:
    """Weight from N(0, 2/fan_out): keeps the gradients' variance rather than the signal's."""
    large_variance(layer, math.sqrt(2 / layer.fan_out))


@initializers.register(
    "orthogonal", label="orthogonal", parameter=Parameter("gain", default=1.0), role="well", citation=SAXE
)
def orthogonal(layer: Layer, gain: float) -> None:
    """Weight, as a matrix (out, fan_in), a gain times rows or columns that are orthonormal."""
    from torch.nn.init import orthogonal_

    orthogonal_(layer.weight, gain=gain, generator=layer.generator)


@initializers.register("lsuv", label="layer-sequential unit variance", role="well", needs_batch=True, citation=MISHKIN)
def lsuv(layer: Layer, value: None = None) -> None:
    """Orthogonal, then each layer in turn divided by its outputs' standard deviation on a batch."""
    orthogonal(layer, 1.0)


# ---------------------------------------------------------------------- a whole module


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
                layer = Layer(child.weight, bias, streams.generator("weights", seed, name), name == output)
                if scope == "hidden" and layer.is_output:
                    default(layer)
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
