"""The factors of a study, a row each: everything that is about all of them reads this table.

A study has a field and a run an attribute for every row; what a new factor does is applied where it belongs, from the
attribute of the ensemble's runs. ``Study`` and ``Run`` spell the rows once more for type checkers alone.

A model's label may say its own activation (``mlp:256-128:tanh``), which counts before the factor's: then models with
other activations are other models, in tables and figures too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bnstudy.study import registry
from bnstudy.study.fields import Decays, Names, Rates, Sizes
from bnstudy.study.registry import Registry


@dataclass(frozen=True)
class Factor:
    """What is varied.

    Attributes
    ----------
    name : str
        The dimension of the dataset, and the field of a run.
    key : str
        Under which a study lists its levels; the option of the command line is called so too.
    plural : str
        What its levels are called.
    title : str
        What a dataset says of it.
    type : annotated type
        Of the tuple of its levels in a study, and how it may be written.
    default : tuple
        Its levels where a study names none: what studies did before there was such a factor.
    metavar, help : str
        How the option is written, and what it is told as.
    registry : Registry, optional
        What its levels are registered in; of numbers none.
    dtype : str
        Of its levels in a dataset.
    together : bool
        Whether runs of different levels may train in one ensemble.
    always : bool
        Whether it is a dimension of the dataset where it has one level, too; else it is a scalar coordinate then.
    low, high : float
        The range of a number.
    """

    name: str
    key: str
    plural: str
    title: str
    type: Any
    default: tuple[Any, ...]
    metavar: str
    help: str
    registry: Registry | None = None
    dtype: str = "str"
    together: bool = False
    always: bool = True
    low: float = 0.0
    high: float = 1e38

    def text(self, level: Any) -> str:
        """A level as it is told; a number as ``%g`` writes it."""
        return str(level) if self.dtype == "str" else f"{level:g}"


FACTORS = (
    Factor(
        "model", "models", "models", "model", Names, ("mlp", "cnn"), "NAMES", "Models, with commas.",
        registry.models,
    ),
    Factor(
        "norm", "norms", "norms", "normalization layer", Names, ("none", "batch"), "NAMES",
        "Normalization layers, with commas.", registry.norms,
    ),
    Factor(
        "init", "inits", "inits", "weight initialization", Names, ("default",), "LEVELS",
        "Initializers, with commas, as name or name:value, such as default,normal:0.1.", registry.initializers,
        together=True,
    ),
    Factor(
        "optimizer", "optimizers", "optimizers", "optimizer", Names, ("sgd",), "NAMES",
        "Optimizers, with commas, such as sgd,adam.", registry.optimizers, always=False,
    ),
    Factor(
        "lr", "lr", "learning rates", "learning rate", Rates, (0.01,), "NUMBERS",
        "Learning rate; a list makes it a factor.", dtype="float64", together=True, always=False, low=1e-45,
    ),
    Factor(
        "batch_size", "batch_size", "batch size", "samples a step", Sizes, (100,), "NUMBERS",
        "Samples a step; a list makes it a factor.", dtype="int64", always=False, low=1, high=1e12,
    ),
    Factor(
        "weight_decay", "weight_decay", "weight decay", "weight decay", Decays, (0.0,), "NUMBERS",
        "Weight decay; a list makes it a factor.", dtype="float64", always=False,
    ),
    Factor(
        "activation", "activation", "activations", "activation function", Names, ("relu",), "NAMES",
        "Activation, one of `bnstudy list activations`; a list makes it a factor.", registry.activations, always=False,
    ),
)  # fmt: skip
BY_NAME = {factor.name: factor for factor in FACTORS}
REGISTRIES = {factor.key: factor.registry for factor in FACTORS if factor.registry is not None}
