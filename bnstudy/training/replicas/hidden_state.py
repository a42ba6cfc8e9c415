"""What a network holds besides parameters: in attributes, in functions, and in what all its kind share.

A copy of a network has attributes of its own, but its functions are the same, and so is what they hold: a closure's
variables, a method's defaults, globals, what a class has.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from functools import partial
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
PLUMBING = {"_parameters", "_modules", "_buffers", "training", *HOOKS}
DEPTH = 6  # to which attributes are looked into; an object counts twice
MOST_LOOKED_AT = 100_000  # values of a module
CONSTANTS = (int, float, complex, str, bytes, type(None), type, ModuleType, BuiltinFunctionType, range, slice)
STATEFUL = (Tensor, nn.Module, torch.Generator)  # of torch's own


def attributes(network: nn.Module) -> list[Any]:
    """What its modules, their classes and functions hold besides parameters, to be compared with itself later.

    A buffer counts as the object it is: one that is changed in place is the same, one that is assigned anew is not.
    """
    snapshot: list[Any] = []
    for module in network.modules():
        own = {name: value for name, value in vars(module).items() if name not in PLUMBING}
        kind = type(module)
        ofclass = {} if kind.__module__.startswith("torch.") else dict(vars(kind))
        snapshot.append([_token(own), _token(ofclass), [_Same(buffer) for buffer in module._buffers.values()],
                      [p.requires_grad for p in module.parameters(recurse=False)],
                      [_token(value) for value in held_by_functions(module)]])  # fmt: skip
    return snapshot


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
    return [_Same(value), len(value) if isinstance(value, (list, tuple, dict, set)) else 0]


def held_by_functions(module: nn.Module) -> list[Any]:
    """What the functions among a module's attributes and of its class hold: closures' variables, and defaults."""
    return [value for function in _functions(module) for value in _held(function)]


def is_constant(value: Any, depth: int = 4) -> bool:
    """Whether something cannot change, nor hold what can."""
    if isinstance(value, MethodType):
        return is_constant(value.__self__, depth) and is_constant(value.__func__, depth)
    if isinstance(value, FunctionType):
        return depth > 0 and all(is_constant(one, depth - 1) for one in _held(value))
    if isinstance(value, (tuple, frozenset)):
        return depth > 0 and all(is_constant(one, depth - 1) for one in value)
    of_torch = type(value).__module__.partition(".")[0] == "torch" and not isinstance(value, STATEFUL)
    return isinstance(value, CONSTANTS) or of_torch


def shared_numbers(network: nn.Module) -> dict[str, Any]:
    """Numbers and tensors that all networks of a kind have in common: in its class, and in globals that it names."""
    numbers: dict[str, Any] = {}
    for kind in {kind for module in network.modules() for kind in _own_kinds(module)}:
        numbers |= _numbers({f"{kind.__name__}.{name}": value for name, value in vars(kind).items()})
    for function in {function for module in network.modules() for function in _functions(module)}:
        there = function.__globals__
        numbers |= _numbers({name: there[name] for name in _names(function.__code__) if name in there})
    return numbers


def refuse_changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """ValueError if a number that all networks share is another one now."""
    for name, value in before.items():
        if after.get(name) != value:
            raise ValueError(f"it changes {name}, which all runs share: keep it in an attribute of the module")


def _functions(module: nn.Module) -> Iterator[FunctionType]:
    values = [value for name, value in vars(module).items() if name not in PLUMBING]
    values += [one for value in values if isinstance(value, (list, tuple)) for one in value]
    values += [one for value in values if isinstance(value, dict) for one in value.values()]
    values += [value for kind in _own_kinds(module) for value in vars(kind).values()]
    return filter(None, map(_function_of, values))


def _function_of(value: Any) -> FunctionType | None:
    if isinstance(value, partial):
        value = value.func
    if isinstance(value, (MethodType, staticmethod, classmethod)):
        value = value.__func__
    if isinstance(value, property):
        value = value.fget
    return value if isinstance(value, FunctionType) else None


def _own_kinds(module: nn.Module) -> Iterator[type]:
    """A module's class and those it derives from, but for torch's."""
    return (kind for kind in type(module).__mro__ if kind.__module__.partition(".")[0] not in ("torch", "builtins"))


def _held(function: FunctionType) -> list[Any]:
    cells = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
    return [*cells, *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]


def _is_filled(cell: CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def _names(code: CodeType) -> Iterator[str]:
    """The globals that some code names, and what is written within it."""
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)


def _numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those values that are numbers or tensors, also within a list or dict of them."""
    tokens = {}
    for name, value in values.items():
        inside: Mapping[Any, Any] = value if isinstance(value, dict) else {}
        if isinstance(value, list):
            inside = dict(enumerate(value))
        for key, one in {name: value, **{f"{name}[{key!r}]": one for key, one in inside.items()}}.items():
            if isinstance(one, (int, float, Tensor)):
                tokens[key] = _token(one)
    return tokens
