"""The initialization of a whole network: the weights that a level draws, and what it leaves as the network made it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from bnstudy.study.errors import RAISED, DataWarning, InputError, raised_at, reason_of
from bnstudy.study.registry import Level, initializers
from bnstudy.training.networks.initializers import Layer, default
from bnstudy.training.networks.weights import Weight, weight_layers, weights

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

SEVERAL = 16  # values of a weight, from which on it is told whether they look drawn


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
    network made it: :func:`bnstudy.training.networks.weights.untouched` names it.

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
        for weight in weights(module):
            is_output = weight.name == output
            if weight.recurrent and level.family == "default":
                continue  # theirs is another than linear layers' is
            function = default if scope == "hidden" and is_output else entry.function
            where = f"layer {weight.name!r} of shape {tuple(weight.tensor.shape)}"  # before somebody changes it
            try:
                _fill(weight, function, value, seed, is_output)
            except InputError as error:
                raise InputError(f"{level.label!r} and layer {weight.name!r}: {error.problem}", "inits") from None
            except RAISED as error:
                raise InputError(
                    f"{level.label!r} fails on {where}: {reason_of(error)}{raised_at(error)}", "inits"
                ) from error
        if entry.about.get("needs_batch") and batch is not None:
            touched = order if scope == "all" else order[:-1]
            there = {weight.name: weight for weight in weights(module)}
            _unit_variance(module, [there[name] for name in touched if name in there], batch)


def refuse_what_fills_otherwise(module: nn.Module, level: Level, order: Sequence[str] = ()) -> None:
    """InputError if an initializer gives other weights when it is asked again, since it draws from elsewhere, or if it
    fills none, or with what is no finite number.

    The network's weights are filled three times, and are of no use afterwards.

    Warns
    -----
    DataWarning
        Weights of all sorts are the same for every seed, as those of a generator of its own are; or some of a weight's
        values stay as the network made them.
    """
    import torch

    from bnstudy.training import streams

    before = [p.detach().clone() for p in module.parameters()]
    filled, drawn, left = [], [], []
    for attempt, seed in enumerate((0, 0, 1)):
        for p, value in zip(module.parameters(), before, strict=True):
            p.data.copy_(value * (1 - 2 * seed))  # it may go by what is there, which another seed's network has not
        start = [weight.tensor.detach().clone() for weight in weights(module)]
        with streams.kept():
            streams.turn("attempt", attempt)
            initialize(module, level, seed, order=order)
        refuse_not_finite(module, level)
        filled.append([p.detach().clone() for p in module.parameters()])
        drawn.append([weight.tensor.detach().clone() for weight in weights(module)])
        left.append([(now == then) & (then != 0) for now, then in zip(drawn[-1], start, strict=True)])
    for one, other in zip(*filled[:2], strict=True):
        if not torch.equal(one.nan_to_num(), other.nan_to_num()):
            raise InputError(
                f"{level.label!r} gives other weights each time: draw from layer.generator alone, "
                "so that a run can be repeated and both arms draw the same",
                "inits",
            )
    _refuse_unfilled(module, level, [first & other for first, other in zip(left[0], left[2], strict=True)])
    if all(torch.equal(one, other) for one, other in zip(*drawn[1:], strict=True)) and _look_drawn(drawn[0]):
        warnings.warn(
            f"{level.label!r} gives every seed the same weights; if they are to be random, draw from layer.generator",
            DataWarning,
            stacklevel=2,
        )


def refuse_not_finite(module: nn.Module, level: Level) -> None:
    """InputError if a weight or bias that an initializer has filled holds NaN or infinity: nothing would train."""
    import torch

    for weight in weights(module):
        for kind, tensors in (("weight", weight.made_of()), ("bias", [weight.bias])):
            if not all(tensor is None or bool(torch.isfinite(tensor).all()) for tensor in tensors):
                raise InputError(
                    f"{level.label!r} gives layer {weight.name!r} a {kind} of NaN or infinity, with which nothing "
                    "trains; fill it with finite numbers of single precision",
                    "inits",
                )


def _refuse_unfilled(module: nn.Module, level: Level, left: Sequence[Tensor]) -> None:
    """InputError if all of every weight stayed as it was, whatever it was; a warning if some of one did."""
    if left and all(bool(kept.all()) for kept in left):
        raise InputError(f"{level.label!r} fills no weight; change layer.weight in place, as by .copy_(…)", "inits")
    for weight, kept in zip(weights(module), left, strict=True):
        if bool(kept.any()):
            some = f"{int(kept.sum())} of {kept.numel()} weights of layer {weight.name!r}"
            warnings.warn(f"{level.label!r} leaves {some} as it was made", DataWarning, stacklevel=3)
            return


def _look_drawn(tensors: Iterable[Tensor]) -> bool:
    """Whether one of them has hardly a value twice, as no constant, identity or pattern has."""
    return any(len(w.unique()) > w.numel() // 2 for w in tensors if w.numel() >= SEVERAL)


def _fill(weight: Weight, function: Callable[..., object], value: float | None, seed: int, is_output: bool) -> None:
    import torch

    from bnstudy.training import streams

    generator = streams.generator("weights", seed, weight.name)
    bias = None if weight.bias is None else weight.bias.zero_()
    is_own = isinstance(weight.tensor, torch.nn.Parameter)
    tensor = weight.tensor if is_own else weight.tensor.detach().clone()
    before = [(t, (t.shape, t.dtype, t.requires_grad)) for t in (tensor, bias) if t is not None]
    given = function(Layer(tensor, bias, generator, is_output), value)
    if any((t.shape, t.dtype, t.requires_grad) != rest for t, rest in before):
        raise TypeError("it changes the shape or type of what it is to fill, or freezes it")
    if isinstance(given, torch.Tensor) and all(given.data_ptr() != t.data_ptr() for t, _ in before):
        raise TypeError("it gives a tensor, which is not used; change layer.weight in place, as by .copy_(…)")
    if not is_own:
        with streams.kept():  # a parametrization may draw what its weight does not say
            streams.turn("parametrization", seed, weight.name)
            weight.fill(tensor)


def _unit_variance(module: nn.Module, filled: Sequence[Weight], batch: torch.Tensor) -> None:
    import torch

    from bnstudy.training import streams

    remembered = remember(module.modules())
    module.eval()
    for weight in filled:
        seen: list[torch.Tensor] = []
        handle = weight.layer.register_forward_hook(lambda _layer, _inputs, output, seen=seen: seen.append(output))
        with streams.kept():
            module(batch.clone())
        handle.remove()
        spread = seen[0].std() if seen else torch.zeros(())
        if torch.isfinite(spread) and spread > 0:
            now: Any = weight.layer.weight  # as it is now: one that is made of others is computed in each forward
            weight.fill(now / spread)
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
