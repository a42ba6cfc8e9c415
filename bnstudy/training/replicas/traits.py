"""What a network does besides computing: what keeps it from a faster form, and in which order its layers act."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules import module as module_hooks
from torch.overrides import TorchFunctionMode

from bnstudy.training import streams
from bnstudy.training.replicas.folded import is_leaf
from bnstudy.training.replicas.hidden_state import (
    HOOKS,
    attributes,
    held_by_functions,
    is_constant,
    refuse_changed,
    shared_numbers,
)
from bnstudy.training.replicas.reference import BY_LAYER, BY_STEP

WEIGHT_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)

PASSES = 2  # in which a network is to draw again what it seemed to draw
OVER_PLACES = "mean over places"

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
# What makes a network do something to a tensor that another form's tensors would not do.
CHANGES = {"register_hook", "register_post_accumulate_grad_hook", "__set__"}


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
    draws : {"", "by step", "by layer"}
        Whether it draws random numbers or may do so in a later step, and from which streams; see
        :class:`~bnstudy.training.replicas.reference.Reference`.
    """

    layers: tuple[str, ...]
    obstacle: str
    channelwise: bool
    plain: bool
    draws: str


def observe(network: nn.Module, images: Tensor, labels: Tensor) -> Traits:
    """Train a network on one batch, without a step, evaluate it, and note what it does; it is of no use afterwards.

    Raises
    ------
    Exception
        Whatever its forward raises; ValueError if its outputs are not (batch, at least as many as there are classes).
    """
    if not any(p.requires_grad for p in network.parameters()):
        raise ValueError("it has no parameter that can be trained")
    for name, p in network.named_parameters():
        if p.dtype in (torch.float16, torch.bfloat16):
            raise ValueError(
                f"its parameter {name!r} is of {p.dtype}, in which no optimizer's step is exact: keep it in float32, "
                "and compute in half precision under torch.autocast"
            )
    network.train()
    names = {id(module): name for name, module in network.named_modules()}
    parameters = dict(network.named_parameters())
    watch, before, shared = _Watch(), attributes(network), shared_numbers(network)
    order: list[str] = []
    with streams.kept(), _hooked(watch, names, order):
        drawn, recomputes = _pass(network, images, labels, watch)
        layers = tuple(dict.fromkeys(order))
        changes = attributes(network) != before
    drawn = _drawn_again(network, images, labels, drawn)
    refuse_changed(shared, shared_numbers(network))
    for name, p in network.named_parameters():
        if parameters.get(name) is not p:
            raise ValueError(
                f"it makes its parameter {name!r} in its forward, where no optimizer knows of it: make it in __init__, "
                "or use one of torch's lazy layers"
            )
    obstacle = (
        built_specially(network, images.dtype)
        or ("draws random numbers" if drawn else "")
        or (f"reads values ({min(watch.reads)})" if watch.reads else "")
        or ("changes attributes of its own" if changes else "")
        or ("changes or hooks tensors" if watch.functions & CHANGES else "")
    )
    # What changes or reads may draw later. Where a part is computed again for the backward pass, its layers must draw
    # what they drew before: the step's stream is put back there, a layer's would not be.
    draws = (BY_STEP if recomputes else BY_LAYER) if drawn or changes or watch.reads else ""
    plain = all(is_leaf(module) or type(module) is nn.Sequential for module in network.modules())
    return Traits(layers, obstacle, watch.functions <= CHANNELWISE_FUNCTIONS, plain, draws)


def _pass(
    network: nn.Module, images: Tensor, labels: Tensor, watch: _Watch | None = None
) -> tuple[frozenset[str], bool]:
    """Train on a batch and evaluate it: whose generators moved, and whether the backward pass calls modules again."""
    watch = watch or _Watch()
    streams.turn("observe")
    start, own = streams.position(), images.clone()  # it may change what it is given
    with watch:
        logits = network(own)
    check_outputs(logits, labels)
    calls = watch.calls
    F.cross_entropy(logits, labels).backward()
    recomputes = watch.calls > calls
    network.eval()
    own = images.clone()
    with torch.no_grad(), watch:
        evaluated = network(own)
    check_outputs(evaluated, labels)
    network.train()
    return streams.moved(start), recomputes


def _drawn_again(network: nn.Module, images: Tensor, labels: Tensor, drawn: frozenset[str]) -> frozenset[str]:
    """Whose generators a network draws from, of those that moved as it ran.

    Other threads of the process may have drawn meanwhile, as those of a Dask worker do; the network does so every time.
    ValueError if it draws from generators that they share, since what it gets would be left to chance.
    """
    for _ in range(PASSES if drawn else 0):
        with streams.kept():
            drawn &= _pass(network, images, labels)[0]
    shared = drawn & {"NumPy", "Python"}
    if shared and threading.current_thread() is not threading.main_thread():
        raise ValueError(
            f"it draws from {' and '.join(sorted(shared))}'s global generator, from which other threads draw, too: "
            "draw from torch's, or train without a cluster and in the main thread"
        )
    return drawn


def check_outputs(logits: object, labels: Tensor, classes: int | None = None) -> None:
    """ValueError if what a network gives for some samples is not (batch, classes), or no fewer than labels."""
    if not isinstance(logits, Tensor) or logits.dim() != 2 or len(logits) != len(labels):
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(f"it gives {shape} for {len(labels)} samples, where (samples, classes) are needed")
    least = classes or int(labels.max()) + 1
    if logits.shape[1] < least or (classes and logits.shape[1] > classes):
        raise ValueError(f"it has {logits.shape[1]} outputs, and there are {least} classes")


def built_specially(network: nn.Module, dtype: torch.dtype) -> str:
    """What of a network for inputs of a type no copy of it with other tensors has, in words; empty if nothing."""
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
        if any(not is_constant(value) for value in held_by_functions(module)):
            return f"has a function that holds tensors or other objects ({name or type(module).__name__})"
    for name, parameter in network.named_parameters():
        if parameter._backward_hooks or getattr(parameter, "_post_accumulate_grad_hooks", None):
            return f"has hooks ({name})"
        if type(parameter) is not nn.Parameter or not parameter.is_floating_point():
            return f"has parameters of an unusual kind ({name})"
    for name, tensor in (*network.named_parameters(), *network.named_buffers()):
        if tensor.is_floating_point() and tensor.dtype != dtype:
            return f"has a precision of its own ({name})"
    return ""


class _Watch(TorchFunctionMode):
    """Notes which functions are called outside known layers, and which read values."""

    def __init__(self) -> None:
        super().__init__()
        self.functions: set[str] = set()
        self.reads: set[str] = set()
        self.inside = 0  # known layers that are at work
        self.calls = 0  # of any of the network's modules

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = getattr(func, "__name__", str(func))
        if name in READS or (name == "__getitem__" and _is_mask(args[1])) or (name == "where" and len(args) == 1):
            self.reads.add(name)
        if not self.inside or name in CHANGES:
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
        watch.calls += id(module) in names
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
