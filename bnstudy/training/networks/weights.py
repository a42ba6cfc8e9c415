"""The weights that initializers fill, wherever in a network they stand and whatever they are made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

# In recurrent and attention layers. Of a weight that is normed there are the parts alone, none of which has a fan-in.
RECURRENT = re.compile(r"weight_(ih|hh|hr)(_l\d+(_reverse)?)?|(in|[qkv])_proj_weight")


@dataclass(frozen=True)
class Weight:
    """One weight that an initializer fills.

    Attributes
    ----------
    name : str
        Of the layer, and of the weight where a layer has several: it chooses the random stream.
    layer : nn.Module
        Whose it is.
    tensor : Tensor, shape (out, in, ...)
        To be filled.
    bias : Tensor, shape (out,), or None
        That goes with it.
    recurrent : bool
        Whether the layer has a default of its own that is not that of linear layers.
    """

    name: str
    layer: nn.Module
    tensor: Tensor
    bias: Tensor | None
    recurrent: bool = False

    def fill(self, weight: Tensor) -> bool:
        """Make the layer compute with other values; False where what it is made of does not allow that."""
        from torch.nn.utils import parametrize

        own = self.layer._parameters
        if any(self.tensor is parameter for parameter in own.values()):
            self.tensor.copy_(weight)
        elif parametrize.is_parametrized(self.layer, "weight"):
            try:
                self.layer.weight = weight
            except Exception:  # a parametrization that cannot be turned round, or not for any weight
                return False
        elif "weight_orig" in own:  # pruned, or normed by its spectrum
            self.layer.get_parameter("weight_orig").copy_(weight)
        elif "weight_g" in own and "weight_v" in own:  # a length and a direction
            length = self.layer.get_parameter("weight_g")
            self.layer.get_parameter("weight_v").copy_(weight)
            over = [axis for axis in range(weight.dim()) if length.shape[axis] == 1]
            length.copy_(weight.square().sum(over, keepdim=True).sqrt() if over else weight.abs())
        else:
            return False
        return True

    def made_of(self) -> list[nn.Parameter]:
        """The parameters that make up the weight."""
        own = self.layer._parameters
        if any(self.tensor is parameter for parameter in own.values()):
            return [self.layer.get_parameter(next(name for name, p in own.items() if p is self.tensor))]
        inside = getattr(self.layer, "parametrizations", None)
        parts = [own.get(name) for name in ("weight_orig", "weight_g", "weight_v")]
        return [p for p in parts if p is not None] + ([] if inside is None else list(inside.parameters()))


def weight_layers(module: nn.Module) -> dict[str, nn.Module]:
    """The linear and convolution layers by name, in the module's order."""
    return {name: layer for name, layer in module.named_modules() if isinstance(layer, _kinds())}


def _kinds() -> tuple[type[nn.Module], ...]:
    from torch import nn

    return (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def weights(module: nn.Module) -> Iterator[Weight]:
    """Every weight with a plain fan-in: of linear and convolution layers, and in recurrent and attention layers."""
    from torch import nn

    for name, child in module.named_modules():
        own = child._parameters
        found: list[Weight] = []
        if isinstance(child, _kinds()):
            layer: Any = child
            found = [Weight(name, child, layer.weight, layer.bias)]
        elif isinstance(child, nn.RNNBase | nn.RNNCellBase | nn.MultiheadAttention):
            keys = [key for key, tensor in own.items() if tensor is not None and RECURRENT.fullmatch(key)]
            found = [Weight(f"{name}.{key}", child, own[key], own.get(key.replace("weight", "bias")), True)
                     for key in keys]  # fmt: skip
        # A frozen weight is one that its author has chosen.
        yield from (weight for weight in found if any(p.requires_grad for p in weight.made_of()))


def untouched(module: nn.Module) -> tuple[str, ...]:
    """Names of the parameters that no initializer sets: they begin as the network's own code makes them."""
    import torch

    from bnstudy.training import streams

    reached: set[int] = set()
    with torch.no_grad(), streams.kept():
        for weight in weights(module):
            if weight.fill(weight.tensor.detach().clone()):
                reached |= {id(p) for p in (*weight.made_of(), weight.bias)}
    return tuple(name for name, p in module.named_parameters() if id(p) not in reached and not _is_affine(module, name))


def _is_affine(module: nn.Module, name: str) -> bool:
    """Whether a parameter is a scale or shift of a norm of PyTorch's or ours, which begin at 1 and 0."""
    from torch import nn

    from bnstudy.training.networks.layers import RootMeanSquare, Scalar

    kinds = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm, RootMeanSquare, Scalar)
    return isinstance(module.get_submodule(name.rpartition(".")[0]), kinds)
