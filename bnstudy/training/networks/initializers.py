"""Initializers: what the weights of a layer are drawn from before training.

An initializer is one function of one layer, registered here. It is handed a :class:`Layer` whose bias is zero and
fills the weight in place; it may fill the bias too. Draws come from `layer.generator` alone, which belongs to the
layer's name and the run's seed: two arms, and two scales, draw the same numbers. What is `amiss` with networks that
start so, and `exactly` how, its entry may say as a clause, or as a function of the level's value that gives one.

``torch`` is imported where it is used, so that names can be checked without it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bnstudy.study.errors import InputError
from bnstudy.study.registry import Parameter, initializers

if TYPE_CHECKING:
    from torch import Generator, Tensor

HE = "He et al. 2015, Delving deep into rectifiers"
GLOROT = "Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural networks"
SAXE = "Saxe et al. 2014, Exact solutions to the nonlinear dynamics of learning in deep linear neural networks"
LECUN = "LeCun et al. 1998, Efficient backprop"
MARTENS = "Martens 2010, Deep learning via Hessian-free optimization"
XIAO = "Xiao et al. 2018, Dynamical isometry and a mean field theory of CNNs"
MISHKIN = "Mishkin & Matas 2016, All you need is a good init"
DEVIATION_WITHIN_TWO = 0.8796256610342398  # of a standard normal cut at -2 and 2: sqrt(1 - 4 phi(2) / (2 Phi(2) - 1))
ALIKE = "all weights are equal"
PYTORCH = "PyTorch, torch.nn.Linear and torch.nn.Conv2d: kaiming_uniform_ with a = sqrt(5)"


@dataclass(frozen=True)
class Layer:
    """One linear or convolution layer as an initializer sees it.

    Examples
    --------
    >>> import torch
    >>> from bnstudy.plugins import Layer, initializers
    >>> layer = Layer(torch.empty(3, 4), torch.zeros(3), torch.Generator().manual_seed(1))
    >>> initializers["constant"].function(layer, 0.5)
    >>> layer.fan_in, layer.fan_out, float(layer.weight.mean())
    (4, 3, 0.5)
    """

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


def _size(scale: float) -> str:
    return "weights are too small" if scale < 1 else "weights are too large" if scale > 1 else ""


def _times(scale: float) -> str:
    return (
        f"weights are {max(scale, 1 / scale):,.4g} times too {'small' if scale < 1 else 'large'}" if scale != 1 else ""
    )


@initializers.register("default", label="PyTorch's default", role="well", citation=PYTORCH)
def default(layer: Layer, value: None = None) -> None:
    """Weight and bias from U(-b, b), b = 1/sqrt(fan_in)."""
    bound = 1 / math.sqrt(layer.fan_in)
    layer.weight.uniform_(-bound, bound, generator=layer.generator)
    if layer.bias is not None:
        layer.bias.uniform_(-bound, bound, generator=layer.generator)


@initializers.register(
    "scaled-normal", label="He normal, scaled", parameter=Parameter("S"), role=_role_of_scale, amiss=_size,
    exactly=_times, citation=HE,
)  # fmt: skip
def scaled_normal(layer: Layer, scale: float) -> None:
    """Weight from N(0, (S sqrt(2/fan_in))^2), so that S = 1 is He's."""
    # Multiplied afterwards: every scale is the same draw, times the scale.
    layer.weight.normal_(generator=layer.generator).mul_(scale * math.sqrt(2 / layer.fan_in))


@initializers.register("zero", label="all zero", amiss=ALIKE, exactly="all weights are zero")
def zero(layer: Layer, value: None = None) -> None:
    """Weight 0: every unit of a layer is the same, and stays so."""
    layer.weight.zero_()


@initializers.register("zero-hidden", label="hidden weights zero", amiss="hidden weights are zero")
def zero_hidden(layer: Layer, value: None = None) -> None:
    """Hidden weights 0; biases and the output layer as PyTorch's default."""
    default(layer)
    if not layer.is_output:
        layer.weight.zero_()


@initializers.register(
    "large-variance", label="large variance", parameter=Parameter("σ", default=1.0), amiss="weights are too large",
    exactly=lambda sigma: f"weights are too large (standard deviation {sigma:g})",
)  # fmt: skip
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


@initializers.register("constant", label="constant", parameter=Parameter("c", positive=False), amiss=ALIKE,
                       exactly=lambda c: f"all weights are {c:g}")  # fmt: skip
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


def _centred(layer: Layer) -> Tensor:
    """N(0, 2/fan_in), as He's; a tensor of its own."""
    import torch

    drawn = torch.empty_like(layer.weight).normal_(generator=layer.generator)
    return drawn.mul_(math.sqrt(2 / layer.fan_in))


@initializers.register(
    "truncated-normal", label="He normal, truncated", parameter=Parameter("S", default=1.0), role=_role_of_scale,
    amiss=_size, exactly=_times,
    citation=HE,
)  # fmt: skip
def truncated_normal(layer: Layer, scale: float) -> None:
    """A normal cut at two of its deviations, widened so that the deviation is still S sqrt(2/fan_in)."""
    from torch.nn.init import trunc_normal_

    trunc_normal_(layer.weight, 0.0, 1.0, -2.0, 2.0, generator=layer.generator)
    layer.weight.mul_(scale * math.sqrt(2 / layer.fan_in) / DEVIATION_WITHIN_TWO)


@initializers.register("lecun", label="LeCun normal", role="well", citation=LECUN)
def lecun(layer: Layer, value: None = None) -> None:
    """Weight from N(0, 1/fan_in): the gain of a linear unit, too small under ReLU by sqrt(2) a layer."""
    scaled_normal(layer, math.sqrt(0.5))


@initializers.register(
    "sparse", label="sparse", parameter=Parameter("k", default=15.0, whole=True), citation=MARTENS
)  # fmt: skip
def sparse(layer: Layer, connections: float) -> None:
    """Each unit has k inputs of weight N(0, 1), chosen at random, and 0 from the others."""
    import torch

    rows = layer.weight.flatten(1)
    chosen = torch.empty_like(rows).uniform_(generator=layer.generator).argsort(1)[:, : int(connections)]
    drawn = torch.empty_like(rows).normal_(generator=layer.generator)
    layer.weight.copy_(torch.zeros_like(rows).scatter_(1, chosen, drawn.gather(1, chosen)).view_as(layer.weight))


@initializers.register(
    "delta-orthogonal", label="delta-orthogonal", parameter=Parameter("gain", default=1.0), role="well", citation=XIAO
)
def delta_orthogonal(layer: Layer, gain: float) -> None:
    """A convolution passes its centre alone, times an orthonormal matrix; a linear layer is orthogonal."""
    import torch
    from torch.nn.init import orthogonal_

    if any(side % 2 == 0 for side in layer.weight.shape[2:]):
        sides = "×".join(map(str, layer.weight.shape[2:]))
        raise InputError(f"a kernel of {sides} has no centre; it needs odd sides")
    centre = torch.empty(layer.weight.shape[:2], dtype=layer.weight.dtype, device=layer.weight.device)
    orthogonal_(centre, gain=gain, generator=layer.generator)
    layer.weight.zero_()
    taps = layer.weight.flatten(2) if layer.weight.dim() > 2 else layer.weight.unsqueeze(2)
    taps[..., taps.shape[2] // 2] = centre


@initializers.register("shifted-mean", label="shifted mean", parameter=Parameter("m", default=1.0, positive=False))
def shifted_mean(layer: Layer, shift: float) -> None:
    """Weight from N(m s, s^2) with He's s = sqrt(2/fan_in): every unit sees much the same sum."""
    layer.weight.copy_(_centred(layer)).add_(shift * math.sqrt(2 / layer.fan_in))


@initializers.register(
    "dead-biases", label="dead biases", parameter=Parameter("b", default=10.0), amiss="units are dead"
)
def dead_biases(layer: Layer, depth: float) -> None:
    """He's weights, and hidden biases of -b: no ReLU lets anything through, unless a norm takes the bias away."""
    layer.weight.copy_(_centred(layer))
    if layer.bias is not None and not layer.is_output:
        layer.bias.fill_(-depth)
