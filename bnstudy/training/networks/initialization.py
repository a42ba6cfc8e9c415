"""The initialization of a whole network: the weights that a level draws, and what it leaves as the network made it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bnstudy.study.errors import RAISED, DataWarning, InputError, raised_at, reason_of
from bnstudy.study.registry import Level, initializers
from bnstudy.training.networks.initializers import Layer, default

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


# In recurrent and attention layers. Of a weight that is normed there are the parts alone, none of which has a fan-in.
RECURRENT = re.compile(r"weight_(ih|hh|hr)(_l\d+(_reverse)?)?|(in|[qkv])_proj_weight")
SEVERAL = 16  # values of a weight, from which on it is told whether they look drawn


@dataclass(frozen=True)
class Slot:
    """One weight that an initializer fills.

    Attributes
    ----------
    name : str
        Of the layer, and of the weight where a layer has several: it chooses the random stream.
    layer : nn.Module
        Whose it is.
    weight : Tensor, shape (out, in, ...)
        To be filled.
    bias : Tensor, shape (out,), or None
        That goes with it.
    recurrent : bool
        Whether the layer has a default of its own that is not that of linear layers.
    """

    name: str
    layer: nn.Module
    weight: Tensor
    bias: Tensor | None
    recurrent: bool = False

    def fill(self, weight: Tensor) -> bool:
        """Make the layer compute with a weight; False where what it is made of does not allow that."""
        from torch.nn.utils import parametrize

        own = self.layer._parameters
        if any(self.weight is parameter for parameter in own.values()):
            self.weight.copy_(weight)
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
        if any(self.weight is parameter for parameter in own.values()):
            return [self.layer.get_parameter(next(name for name, p in own.items() if p is self.weight))]
        inside = getattr(self.layer, "parametrizations", None)
        parts = [own.get(name) for name in ("weight_orig", "weight_g", "weight_v")]
        return [p for p in parts if p is not None] + ([] if inside is None else list(inside.parameters()))


def weight_layers(module: nn.Module) -> dict[str, nn.Module]:
    """The linear and convolution layers by name, in the module's order."""
    return {name: layer for name, layer in module.named_modules() if isinstance(layer, _kinds())}


def _kinds() -> tuple[type[nn.Module], ...]:
    from torch import nn

    return (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def slots(module: nn.Module) -> Iterator[Slot]:
    """Every weight with a plain fan-in: of linear and convolution layers, and in recurrent and attention layers."""
    from torch import nn

    for name, child in module.named_modules():
        own = child._parameters
        weights: list[Slot] = []
        if isinstance(child, _kinds()):
            layer: Any = child
            weights = [Slot(name, child, layer.weight, layer.bias)]
        elif isinstance(child, nn.RNNBase | nn.RNNCellBase | nn.MultiheadAttention):
            keys = [key for key, weight in own.items() if weight is not None and RECURRENT.fullmatch(key)]
            weights = [Slot(f"{name}.{key}", child, own[key], own.get(key.replace("weight", "bias")), True)
                     for key in keys]  # fmt: skip
        # A frozen weight is one that its author has chosen.
        yield from (slot for slot in weights if any(p.requires_grad for p in slot.made_of()))


def untouched(module: nn.Module) -> tuple[str, ...]:
    """Names of the parameters that no initializer sets: they begin as the network's own code makes them."""
    import torch

    from bnstudy.training import streams

    reached: set[int] = set()
    with torch.no_grad(), streams.kept():
        for slot in slots(module):
            if slot.fill(slot.weight.detach().clone()):
                reached |= {id(p) for p in (*slot.made_of(), slot.bias)}
    return tuple(name for name, p in module.named_parameters() if id(p) not in reached and not _is_affine(module, name))


def _is_affine(module: nn.Module, name: str) -> bool:
    """Whether a parameter is a scale or shift of a norm of PyTorch's or ours, which begin at 1 and 0."""
    from torch import nn

    from bnstudy.training.networks.layers import RootMeanSquare, Scalar

    kinds = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm, RootMeanSquare, Scalar)
    return isinstance(module.get_submodule(name.rpartition(".")[0]), kinds)


def initialize(
    module: nn.Module,
    level: Level,
    seed: int,
    scope: str = "all",
    batch: Tensor | None = None,
    order: Sequence[str] = (),
) -> None:
    """Fill every weight of `module` with a plain fan-in, in place.

    Weights come from `level`; their biases are zero unless the initializer sets them. With ``scope="hidden"`` the
    output layer keeps PyTorch's default. All else (norms' scales, other layers' parameters, buffers) stays as the
    network made it: :func:`untouched` names it.

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
    order : sequence of str, optional
        The linear and convolution layers in the order in which they act, as
        :func:`bnstudy.training.replicas.observe` finds it; the last is the output layer. By default the order in which
        the module lists them.
    """
    import torch

    entry = initializers[level.family]
    value = initializers.value(level)
    order = tuple(order) or tuple(weight_layers(module))
    output = order[-1] if order else ""
    with torch.no_grad():
        for slot in slots(module):
            is_output = slot.name == output
            if slot.recurrent and level.family == "default":
                continue  # theirs is another than linear layers' is
            function = default if scope == "hidden" and is_output else entry.function
            where = f"layer {slot.name!r} of shape {tuple(slot.weight.shape)}"  # as it is before somebody changes it
            try:
                _fill(slot, function, value, seed, is_output)
            except InputError as error:
                raise InputError(f"{level.label!r} and layer {slot.name!r}: {error.problem}", "inits") from None
            except RAISED as error:
                raise InputError(
                    f"{level.label!r} fails on {where}: {reason_of(error)}{raised_at(error)}", "inits"
                ) from error
        if entry.about.get("needs_batch") and batch is not None:
            touched = order if scope == "all" else order[:-1]
            there = {slot.name: slot for slot in slots(module)}
            _unit_variance(module, [there[name] for name in touched if name in there], batch)


def refuse_other_draws(module: nn.Module, level: Level, order: Sequence[str] = ()) -> None:
    """InputError if an initializer gives other weights when it is asked again: it draws from elsewhere.

    The network's weights are filled three times, and are of no use afterwards.

    Warns
    -----
    DataWarning
        Weights of all sorts are the same for every seed, as those of a generator of its own are.
    """
    import torch

    from bnstudy.training import streams

    before = [p.detach().clone() for p in module.parameters()]
    filled, weights = [], []
    for attempt, seed in enumerate((0, 0, 1)):
        for p, value in zip(module.parameters(), before, strict=True):
            p.data.copy_(value * (1 - 2 * seed))  # it may go by what is there, which another seed's network has not
        with streams.kept():
            streams.turn("attempt", attempt)
            initialize(module, level, seed, order=order)
        filled.append([p.detach().clone() for p in module.parameters()])
        weights.append([slot.weight.detach().clone() for slot in slots(module)])
    for one, other in zip(*filled[:2], strict=True):
        if not torch.equal(one.nan_to_num(), other.nan_to_num()):
            raise InputError(
                f"{level.label!r} gives other weights each time: draw from layer.generator alone, "
                "so that a run can be repeated and both arms draw the same",
                "inits",
            )
    if all(torch.equal(one, other) for one, other in zip(*weights[1:], strict=True)) and _look_drawn(weights[0]):
        warnings.warn(
            f"{level.label!r} gives every seed the same weights; if they are to be random, draw from layer.generator",
            DataWarning,
            stacklevel=2,
        )


def _look_drawn(weights: Iterable[Tensor]) -> bool:
    """Whether one of them has hardly a value twice, as no constant, identity or pattern has."""
    return any(len(w.unique()) > w.numel() // 2 for w in weights if w.numel() >= SEVERAL)


def _fill(slot: Slot, function: Callable[..., object], value: float | None, seed: int, is_output: bool) -> None:
    import torch

    from bnstudy.training import streams

    generator = streams.generator("weights", seed, slot.name)
    bias = None if slot.bias is None else slot.bias.zero_()
    is_own = isinstance(slot.weight, torch.nn.Parameter)
    weight = slot.weight if is_own else slot.weight.detach().clone()
    before = [(t, (t.shape, t.dtype, t.requires_grad)) for t in (weight, bias) if t is not None]
    given = function(Layer(weight, bias, generator, is_output), value)
    if any((t.shape, t.dtype, t.requires_grad) != rest for t, rest in before):
        raise TypeError("it changes the shape or type of what it is to fill, or freezes it")
    if isinstance(given, torch.Tensor) and all(given.data_ptr() != t.data_ptr() for t, _ in before):
        raise TypeError("it gives a tensor, which is not used; change layer.weight in place, as by .copy_(…)")
    if not is_own:
        with streams.kept():  # a parametrization may draw what its weight does not say
            streams.turn("parametrization", seed, slot.name)
            slot.fill(weight)


def _unit_variance(module: nn.Module, filled: Sequence[Slot], batch: torch.Tensor) -> None:
    import torch

    from bnstudy.training import streams

    remembered = remember(module.modules())
    module.eval()
    for slot in filled:
        seen: list[torch.Tensor] = []
        handle = slot.layer.register_forward_hook(lambda _layer, _inputs, output, seen=seen: seen.append(output))
        with streams.kept():
            module(batch.clone())
        handle.remove()
        spread = seen[0].std() if seen else torch.zeros(())
        if torch.isfinite(spread) and spread > 0:
            weight: Any = slot.layer.weight  # as it is now: one that is made of others is computed in each forward
            slot.fill(weight / spread)
    recall(remembered)


Remembered = list[tuple["nn.Module", dict[str, Any], dict[str, tuple["Tensor", "Tensor"]]]]


def remember(modules: Iterable[nn.Module]) -> Remembered:
    """Modules' attributes, their mode among them, and buffers, for :func:`recall`."""
    return [
        (module, dict(vars(module)), {name: (b, b.clone()) for name, b in module._buffers.items() if b is not None})
        for module in modules
    ]


def recall(remembered: Remembered) -> None:
    """Put back what modules have assigned anew since, and their buffers' values."""
    for module, attributes, buffers in remembered:
        vars(module).update(attributes)
        for name, (buffer, value) in buffers.items():
            module._buffers[name] = buffer.copy_(value)
