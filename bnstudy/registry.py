"""What can be plugged in, by name: a decorator, metadata, a duplicate error and "did you mean".

The registries live here, below everything else, so that a study can check names without importing what they name.
A registry finds its entries by itself on first use: it imports the module that provides the built-in ones, then every
entry point of the group ``bnstudy.plugins`` (a module that registers entries when it is imported). Other modules of the
user's are named to :func:`load_plugin`; no file that bnstudy reads can name one.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import math
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from bnstudy.errors import InputError

PLUGIN_GROUP = "bnstudy.plugins"
MOST_UNITS = 100_000  # of a layer
SMALLEST, LARGEST = 1.2e-38, 3.4e38  # of single precision, in which networks are trained; beyond is 0, or infinite
MOST_LAYERS = 1000
TOLD_TOGETHER = 4  # equal widths in a row, from which on their number is written


@dataclass(frozen=True)
class Parameter:
    """The value a level may carry after its name, as in ``scaled-normal:0.01``.

    Parameters
    ----------
    symbol : str
        How formulas and help call it.
    default : float, optional
        The value when the level is written without one; such a level keeps its bare name. None: it must be given.
    positive, whole : bool
        Whether only values above zero, or whole numbers, make sense.
    """

    symbol: str
    default: float | None = None
    positive: bool = True
    whole: bool = False

    def parse(self, text: str, level: str) -> float:
        """The value written in `text`; InputError if it is not a finite (if asked, positive or whole) number."""
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or (self.positive and value <= 0):
            wanted = "a finite number above 0" if self.positive else "a finite number"
            raise InputError(f"{level!r}: {self.symbol} must be {wanted}, not {text!r}")
        if value and not SMALLEST <= abs(value) <= LARGEST:
            raise InputError(
                f"{level!r}: in single precision {self.symbol} would be {0 if abs(value) < 1 else 'infinite'}; "
                f"write a value from {SMALLEST:g} to {LARGEST:g}"
            )
        if self.whole and value != int(value):
            raise InputError(f"{level!r}: {self.symbol} must be a whole number, not {text!r}")
        return value


@dataclass(frozen=True)
class Level:
    """One level of a factor: an entry's name and, where it takes one, its value; of a model, what it is built with."""

    family: str
    value: float | None = None
    widths: tuple[int, ...] = ()
    activation: str = ""

    @property
    def label(self) -> str:
        """The canonical spelling, e.g. ``scaled-normal:0.01`` or ``mlp:256-128:tanh``."""
        value = [] if self.value is None else [f"{self.value:g}"]
        widths = [write_widths(self.widths)] if self.widths else []
        return ":".join([self.family, *value, *widths, *([self.activation] if self.activation else [])])


@dataclass(frozen=True)
class Entry:
    """One registered function and what is known about it without calling it."""

    name: str
    function: Callable[..., Any]
    label: str
    citation: str = ""
    parameter: Parameter | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The first line of the function's docstring."""
        return (self.function.__doc__ or "").strip().split("\n")[0]


class Registry(Mapping[str, Entry]):
    """Named entries of one kind.

    Parameters
    ----------
    kind : str
        What an entry is, in the singular, as messages say it.
    provider : str
        The module that registers the built-in entries when it is imported.
    """

    def __init__(self, kind: str, provider: str) -> None:
        self.kind = kind
        self.provider = provider
        self._entries: dict[str, Entry] = {}
        self._complete = False

    def register(
        self, name: str, *, label: str, citation: str = "", parameter: Parameter | None = None, **about: Any
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorator: add a function under `name`. A name that is taken raises ValueError."""

        def add(function: Callable[..., Any]) -> Callable[..., Any]:
            if name in self._entries:
                taken = self._entries[name].function
                raise ValueError(f"{self.kind} {name!r} is already registered by {taken.__module__}.{taken.__name__}")
            self._entries[name] = Entry(name, function, label, citation, parameter, about)
            return function

        return add

    def __getitem__(self, name: str) -> Entry:
        self._discover()
        if name not in self._entries:
            close = difflib.get_close_matches(name, self._entries, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(sorted(self._entries))}"
            hint += " (one of your own needs --plugin)" if not close else ""
            raise InputError(f"no {self.kind} is named {name[:60]!r}; {hint}")
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        self._discover()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        self._discover()
        return iter(self._entries)

    def __len__(self) -> int:
        self._discover()
        return len(self._entries)

    def level(self, text: str) -> Level:
        """Read a level written ``name`` or ``name:value``; InputError says what is wrong with it.

        The value is what the label says: it is rounded as ``%g`` writes it, so that no two values share a label.
        """
        name, colon, written = text.strip().partition(":")
        entry = self[name]
        if entry.parameter is None:
            if colon:
                raise InputError(f"{text!r}: {self.kind} {name!r} takes no value; write just {name!r}")
            return Level(name)
        if not colon:
            if entry.parameter.default is None:
                raise InputError(f"{text!r} needs a value; write {name}:{entry.parameter.symbol}, for example {name}:1")
            return Level(name)
        value = float(f"{entry.parameter.parse(written, text):g}")
        return Level(name) if value == entry.parameter.default else Level(name, value)

    def value(self, level: Level) -> float | None:
        """The number a level stands for: its own, or its entry's default."""
        parameter = self[level.family].parameter
        return parameter.default if level.value is None and parameter else level.value

    def _discover(self) -> None:
        if self._complete:
            return
        self._complete = True  # before the import: the provider itself may look names up
        try:
            importlib.import_module(self.provider)
        except BaseException:
            self._complete = False
            raise
        _load_plugins()


def read_widths(text: str) -> tuple[int, ...]:
    """``256-128`` or ``100x20`` as widths; empty if it is neither."""
    widths: list[int] = []
    for part in text.split("-"):
        width, times, count = part.partition("x")
        numbers = [width, count] if times else [width]
        if not all(n.isdecimal() and n.isascii() and len(n) < 7 and int(n) > 0 for n in numbers):
            return ()
        if int(width) > MOST_UNITS or len(widths) + int(count or 1) > MOST_LAYERS:
            return ()
        widths += [int(width)] * int(count or 1)
    return tuple(widths)


def write_widths(widths: tuple[int, ...]) -> str:
    """Widths as :func:`read_widths` reads them; four or more that are equal as ``100x4``."""
    parts: list[str] = []
    for width, equal in groupby(widths):
        count = len(list(equal))
        parts += [f"{width}x{count}"] if count >= TOLD_TOGETHER else [str(width)] * count
    return "-".join(parts)


class ModelRegistry(Registry):
    """Models: a level may say the widths of its layers, and so their number, and its activation."""

    def level(self, text: str) -> Level:
        """Read ``name``, ``name:256-128``, ``name:100x20`` (20 layers of 100), ``name:tanh`` or both of a kind.

        InputError says what is wrong with it.
        """
        name, *parts = text.strip().split(":")
        widths: tuple[int, ...] = ()
        activation = ""
        entry = self[name]
        for part in parts:
            if not widths and (found := read_widths(part)):
                widths = found
            elif not activation and part in activations:
                activation = part
            else:
                raise InputError(
                    f"{text[:60]!r}: {part[:60]!r} is neither widths, such as 256-128 or 100x20, nor an activation "
                    f"({', '.join(activations)})"
                )
        return Level(entry.name, None, widths, activation)


datasets = Registry("dataset", "bnstudy.datasets")
models = ModelRegistry("model", "bnstudy.models")
activations = Registry("activation", "bnstudy.models")
norms = Registry("norm", "bnstudy.norms")
initializers = Registry("initializer", "bnstudy.inits")
optimizers = Registry("optimizer", "bnstudy.optimizers")
figures = Registry("figure", "bnstudy.figures")

_loaded: list[str] = []  # modules of users that registered entries: of entry points, and named ones
_named: list[str] = []


def _load_plugins() -> None:
    for point in importlib.metadata.entry_points(group=PLUGIN_GROUP):
        if point.value not in _loaded:
            _loaded.append(point.value)
            point.load()


def load_plugin(name: str) -> None:
    """Import a module that registers entries; once more does nothing.

    Raises
    ------
    InputError
        It is no module's name, or cannot be imported; the message says why and where.
    """
    if name in _named:
        return
    if not all(part.isidentifier() for part in name.split(".")):
        raise InputError(f"must be the name of a module, such as my_module, not {name[:60]!r}", "plugin")
    for entries in (datasets, models, activations, norms, initializers, optimizers):
        len(entries)  # ours first: a name that is taken is then the plugin's mistake
    try:
        importlib.import_module(name)
    except (Exception, SystemExit) as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == name.partition(".")[0]
        where = traceback.extract_tb(error.__traceback__)[-1]
        reason = (
            "there is no such module in this folder or among the installed ones" if missing
            else f"{type(error).__name__}: {error} (line {where.lineno} of {where.filename})"
        )  # fmt: skip
        raise InputError(f"{name!r} cannot be imported: {reason}", "plugin") from error
    _named.append(name)


def plugins() -> tuple[str, ...]:
    """The modules that :func:`load_plugin` imported, for whoever has to do the same in another process."""
    return tuple(_named)
