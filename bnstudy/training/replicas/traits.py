"""What a network does besides computing: what keeps it from a faster form, and in which order its layers act."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules import module as module_hooks
from torch.overrides import TorchFunctionMode

from bnstudy.training import streams
from bnstudy.training.replicas.folded import is_leaf

WEIGHT_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)

OVER_PLACES = "mean over places"
DEPTH = 6  # to which attributes are looked into; an object counts twice
MOST_LOOKED_AT = 100_000  # values of a module

# What a forward of the user's may do between known layers with replicas among the channels: what treats every value
# alike or works within a channel. Others can mix replicas where no trial sees it, as a limit does that is seldom met.
CHANNELWISE_FUNCTIONS = {
    OVER_PLACES,
    *("relu", "relu_", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "tanh", "sigmoid"),
    *("softplus", "softsign", "hardtanh", "hardswish", "hardsigmoid", "add", "add_", "__add__", "__radd__", "__iadd__"),
    *("sub", "__sub__", "mul", "mul_", "__mul__", "__rmul__", "neg", "__neg__", "flatten", "view", "reshape"),
    *("contiguous", "avg_pool1d", "avg_pool2d", "avg_pool3d", "max_pool1d", "max_pool2d", "max_pool3d"),
    *("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "boolean_dispatch", "_max_pool2d"),
    *("size", "dim", "__get__"),
}
READS = {
    *("item", "tolist", "numpy", "__array__", "__bool__", "__int__", "__float__", "__index__", "__complex__"),
    *("nonzero", "is_nonzero", "equal", "allclose", "__contains__", "unique", "masked_select", "argwhere", "bincount"),
    *("__format__", "__repr__"),
}
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
PLUMBING = {"_parameters", "_modules", "_buffers", "training", *HOOKS}


@dataclass(frozen=True)
class Traits:
    """What was seen of a network on one batch.

    Attributes
    ----------
    layers : tuple of str
        Its linear and convolution layers in the order in which they act.
    obstacle : str
        Why only the reference will do, in words; empty if a faster form may be tried.
    channelwise : bool
        Whether its own code, between known layers, leaves channels apart.
    plain : bool
        Whether it has no code of its own at all.
    draws : bool
        Whether it draws random numbers.
    """

    layers: tuple[str, ...]
    obstacle: str
    channelwise: bool
    plain: bool
    draws: bool


def observe(network: nn.Module, images: Tensor, labels: Tensor) -> Traits:
    """Train a network on one batch, without a step, evaluate it, and note what it does; it is of no use afterwards.

    Raises
    ------
    Exception
        Whatever its forward raises; ValueError if its outputs are not (batch, at least as many as there are classes).
    """
    if not any(p.requires_grad for p in network.parameters()):
        raise ValueError("it has no parameter that can be trained")
    network.train()
    names = {id(module): name for name, module in network.named_modules()}
    watch, before = _Watch(), _attributes(network)
    order: list[str] = []
    with streams.kept(), _hooked(watch, names, order):
        streams.turn("observe")
        start = streams.position()
        with watch:
            logits = network(images)
        layers = tuple(dict.fromkeys(order))
        check_outputs(logits, labels)
        F.cross_entropy(logits, labels).backward()
        network.eval()
        with torch.no_grad(), watch:
            evaluated = network(images)
        check_outputs(evaluated, labels)
        network.train()
        drawn = streams.have_moved(start)
    obstacle = (
        built_specially(network)
        or ("draws random numbers" if drawn else "")
        or (f"reads values ({min(watch.reads)})" if watch.reads else "")
        or ("changes attributes of its own" if _attributes(network) != before else "")
    )
    plain = all(is_leaf(module) or type(module) is nn.Sequential for module in network.modules())
    return Traits(layers, obstacle, watch.functions <= CHANNELWISE_FUNCTIONS, plain, drawn)


def check_outputs(logits: object, labels: Tensor) -> None:
    """ValueError if what a network gives for some samples is not (batch, at least as many as there are classes)."""
    if not isinstance(logits, Tensor) or logits.dim() != 2 or len(logits) != len(labels):
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(f"it gives {shape} for {len(labels)} samples, where (samples, classes) are needed")
    if logits.shape[1] <= int(labels.max()):
        raise ValueError(f"it has {logits.shape[1]} outputs, and there are {int(labels.max()) + 1} classes")


def built_specially(network: nn.Module) -> str:
    """What of a network no copy of it with other tensors has, in words; empty if there is nothing."""
    if any(getattr(module_hooks, f"_global{name}", None) for name in HOOKS):
        return "runs under hooks of all modules"
    for name, module in network.named_modules():
        if any(getattr(module, hooks, None) for hooks in HOOKS):
            return f"has hooks ({name or type(module).__name__})"
        if hasattr(module, "parametrizations"):
            return f"has parametrizations ({name})"
        is_usual = type(module).__call__ is nn.Module.__call__ or type(module).__module__.startswith("torch.")
        if "forward" in vars(module) or not is_usual:
            return f"has a forward put in place of its class's ({name or type(module).__name__})"
        if isinstance(module, torch.jit.ScriptModule) or hasattr(module, "_orig_mod"):
            return "is compiled"
    for name, parameter in network.named_parameters():
        if parameter._backward_hooks or getattr(parameter, "_post_accumulate_grad_hooks", None):
            return f"has hooks ({name})"
        if type(parameter) is not nn.Parameter or not parameter.is_floating_point():
            return f"has parameters of an unusual kind ({name})"
    return ""


class _Watch(TorchFunctionMode):
    """Notes which functions are called outside known layers, and which read values."""

    def __init__(self) -> None:
        super().__init__()
        self.functions: set[str] = set()
        self.reads: set[str] = set()
        self.inside = 0  # known layers that are at work

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = getattr(func, "__name__", str(func))
        if name in READS or (name == "__getitem__" and _is_mask(args[1])) or (name == "where" and len(args) == 1):
            self.reads.add(name)
        if not self.inside:
            self.functions.add(OVER_PLACES if name == "mean" and _over_places(args, kwargs or {}) else name)
        return func(*args, **(kwargs or {}))


def _is_mask(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(part, Tensor) and part.dtype == torch.bool for part in parts)


def _over_places(args: tuple[Any, ...], options: Mapping[str, Any]) -> bool:
    dims = args[1] if len(args) > 1 else options.get("dim")
    chosen = dims if isinstance(dims, (tuple, list)) else (dims,)
    count = args[0].dim()
    return count > 2 and all(isinstance(dim, int) and dim % count >= 2 for dim in chosen)


@contextmanager
def _hooked(watch: _Watch, names: Mapping[int, str], order: list[str]) -> Iterator[None]:
    def enter(module: nn.Module, _inputs: Any) -> None:
        watch.inside += is_leaf(module)
        if isinstance(module, WEIGHT_LAYERS) and id(module) in names:
            order.append(names[id(module)])

    def leave(module: nn.Module, _inputs: Any, _output: Any) -> None:
        watch.inside -= is_leaf(module)

    handles = [
        module_hooks.register_module_forward_pre_hook(enter),
        module_hooks.register_module_forward_hook(leave, always_call=True),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _attributes(network: nn.Module) -> list[Any]:
    """What its modules and their classes hold besides parameters and modules, to be compared with itself later.

    A buffer counts as the object it is: one that is changed in place is the same, one that is assigned anew is not.
    """
    found: list[Any] = []
    for module in network.modules():
        own = {name: value for name, value in vars(module).items() if name not in PLUMBING}
        kind = type(module)
        ofclass = {} if kind.__module__.startswith("torch.") else dict(vars(kind))
        found.append([_token(own), _token(ofclass), [_Same(buffer) for buffer in module._buffers.values()]])
    return found


class _Same:
    """Equal to what holds the very same object (which it keeps, so that no other can take its place in memory)."""

    def __init__(self, value: Any, version: int = 0) -> None:
        self.value, self.version = value, version

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value and self.version == other.version

    __hash__ = None  # type: ignore[assignment]


def _token(value: Any, depth: int = DEPTH, left: list[int] | None = None) -> Any:
    """What stands for a value: equal only if it is the same and holds the same, to a depth and a number."""
    left = left or [MOST_LOOKED_AT]
    left[0] -= 1
    if isinstance(value, (int, float, str, bool, bytes, type(None))):
        return (type(value), repr(value))  # nan is itself
    if isinstance(value, Tensor):
        return _Same(value, value._version)
    if isinstance(value, np.ndarray):
        return [_Same(value), value.dtype.str, value.tobytes()]
    if depth and left[0] > 0:
        if isinstance(value, dict):
            return [(_token(name, 0, left), _token(item, depth - 1, left)) for name, item in value.items()]
        if isinstance(value, (list, tuple, set, frozenset, deque)):
            return [_token(item, depth - 1, left) for item in value]
        plain = not isinstance(value, (nn.Module, type, ModuleType)) and not callable(value)
        if plain and hasattr(value, "__dict__"):
            return [_Same(value), _token(vars(value), depth - 1, left)]
    return [_Same(value), len(value) if isinstance(value, Sized) and not isinstance(value, nn.Module) else 0]
