"""What can be plugged in, by name: a decorator, metadata, a duplicate error and "did you mean".

The registries live here, below everything else, so that a study can check names without importing what they name.
A registry finds its entries by itself on first use: it imports the module that provides the built-in ones, then every
entry point of the group ``bnstudy.plugins`` (a module that registers entries when it is imported). Other modules of the
user's are named to :func:`load_plugin`; no file that bnstudy reads can name one. An installed plugin that cannot be
loaded is told of and passed over: it must not stop what has no need of it.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bnstudy.study import kinds, plugin_modules
from bnstudy.study.errors import InputError
from bnstudy.study.levels import Level, Parameter, read_widths
from bnstudy.study.sources import Origin, origin_of
from bnstudy.study.synonyms import hint

TOPICS = {  # that are explained where a name is not there
    "dataset": "own-data", "model": "own-model", "initializer": "own-initializer", "norm": "own-treatment",
    "optimizer": "own-treatment",
}  # fmt: skip
Function = TypeVar("Function", bound=Callable[..., Any])  # a decorated one keeps its type


@dataclass(frozen=True)
class Entry:
    """One registered function and what is known about it without calling it."""

    name: str
    function: Callable[..., Any]
    label: str
    citation: str = ""
    parameter: Parameter | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    origin: Origin | None = None  # of the user's module that registered it; None: it comes with bnstudy

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
    told : str
        What its entries are and how one is added; it becomes the registry's docstring.
    needed : tuple of str
        What an entry has to say of itself besides its label.
    optional : tuple of str
        What it may say.
    """

    def __init__(
        self, kind: str, provider: str, told: str = "", needed: tuple[str, ...] = (), optional: tuple[str, ...] = ()
    ) -> None:
        self.__doc__ = told
        self.kind = kind
        self.provider = provider
        self.needed = needed
        self.optional = optional
        self._entries: dict[str, Entry] = {}
        self._complete = False
        self._is_looking = False

    def register(
        self,
        name: str,
        *,
        label: str,
        citation: str = "",
        parameter: Parameter | None = None,
        **about: Callable[[Any], Any] | object,  # the first so that a lambda among them has a type
    ) -> Callable[[Function], Function]:
        """Decorator: add a function under `name`.

        Parameters
        ----------
        name : str
            As studies and options write it: without blanks, commas and colons.
        label : str
            As figures and tables write it.
        citation : str
            Where it comes from.
        parameter : Parameter, optional
            The value that a level may carry after its name; without one it takes none.
        **about
            What else is to be known of it without calling it; each kind says what.

        Returns
        -------
        callable
            The decorator, which gives the function back as it is.

        Raises
        ------
        ValueError
            The name is taken, or cannot be written in a list of levels.
        TypeError
            Something that every entry of this kind has to say is not said, or something that none can say is.
        """
        if not re.fullmatch(r"[^\s,:]+", str(name)) or not isinstance(name, str):
            raise ValueError(f"{self.kind} {name!r}: a name is text without blanks, commas and colons")
        if missing := [f"{key}=" for key in self.needed if key not in about]:
            raise TypeError(f"{self.kind} {name!r} is registered without {', '.join(missing)}")
        there = ("label", "citation", "parameter", *self.needed, *self.optional)
        for key in about:
            if key not in there:
                known = hint(key, there, f"there are: {', '.join(there)}")
                raise TypeError(f"{self.kind} {name!r} is registered with {key}=, which says nothing; {known}")

        def add(function: Function) -> Function:
            if not callable(function):
                raise TypeError(f"{self.kind} {name!r} is registered with {function!r}, which is no function")
            origin = origin_of(function)
            if origin:
                importlib.import_module(self.provider)  # first, so that a name that is taken is the user's mistake
            if name in self._entries:
                taken = self._entries[name].function
                by = f"{taken.__module__}.{getattr(taken, '__name__', type(taken).__name__)}"
                raise ValueError(f"{self.kind} {name!r} is already registered by {by}")
            self._entries[name] = Entry(name, function, label, citation, parameter, about, origin)
            return function

        return add

    def __getitem__(self, name: str) -> Entry:
        self._discover()
        if name not in self._entries:
            listed = f"there are: {', '.join(sorted(self._entries))} (one of your own needs --plugin)"
            told = hint(name, self._entries, listed)
            topic = TOPICS.get(self.kind) if told == listed else None
            raise InputError(f"no {self.kind} is named {name[:60]!r}; {told}", topic=topic)
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        self._discover()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        self._discover()
        return iter(list(self._entries))  # another thread may register one meanwhile

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
        with _discovery:
            if self._complete or self._is_looking:  # the modules being imported may look names up themselves
                return
            is_outermost = not any(registry._is_looking for registry in _ALL)
            self._is_looking = True
            try:
                importlib.import_module(self.provider)
                plugin_modules.load_installed(_ALL)
                self._complete = is_outermost  # else a plugin is still being imported, which may add to it
            finally:
                self._is_looking = False


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

    def activated(self, text: str, activation: str) -> str:
        """A model's label with an activation in it: its own, where it says one, else this."""
        level = self.level(text)
        return Level(level.family, None, level.widths, level.activation or activation).label


datasets = Registry(
    "dataset", "bnstudy.training.datasets.builtin", kinds.DATASETS, ("shape", "classes", "train_size", "test_size"),
    ("check", "digest", "ink", "label_names", "note"),
)  # fmt: skip
models = ModelRegistry(
    "model", "bnstudy.training.networks.models", kinds.MODELS, (), ("check", "has_branches", "has_space")
)
activations = Registry("activation", "bnstudy.training.networks.activations", kinds.ACTIVATIONS)
norms = Registry("norm", "bnstudy.training.networks.norms", kinds.NORMS, (), ("needs_space", "place"))
initializers = Registry(
    "initializer", "bnstudy.training.networks.initializers", kinds.INITIALIZERS, (),
    ("role", "amiss", "exactly", "needs_batch"),
)  # fmt: skip
optimizers = Registry("optimizer", "bnstudy.training.optimizers", kinds.OPTIMIZERS, (), ("descent",))
figures = Registry("figure", "bnstudy.analysis.figures", kinds.FIGURES, ("caption", "applies"), ("of_scores", "table"))

_ALL = (datasets, models, activations, norms, initializers, optimizers, figures)
_discovery = threading.RLock()  # held by the one thread that imports what registers


def load_plugin(name: str) -> None:
    """Import a module that registers entries; once more does nothing.

    Raises
    ------
    InputError
        It is no module's name, or cannot be imported; the message says why and where.
    """
    len(initializers)  # the installed ones come first
    plugin_modules.load(name, _ALL)


def registered_by(name: str) -> bool:
    """Whether the origin of this name has registered anything that a study may use."""
    used = (registry for registry in _ALL if registry is not figures)
    return any(entry.origin and entry.origin.name == name for registry in used for entry in registry.values())
