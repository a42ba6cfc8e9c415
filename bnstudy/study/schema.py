"""Names, dimensions, units and descriptions of everything stored: the one contract between the two towers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from bnstudy.study.factors import FACTORS

CELL_DIMS = tuple(factor.name for factor in FACTORS if factor.always)
RUN_DIMS = (*CELL_DIMS, "seed")
# Dimensions, before the seed, of studies that have several levels of them; scalar coordinates of others.
FURTHER_DIMS = tuple(factor.name for factor in FACTORS if not factor.always)
CURVE_DIMS = (*RUN_DIMS, "epoch")
ARM_DIMS = ("model", "norm")
MOST_EPOCHS, MOST_SECONDS = 1e9, 1e12  # that anybody could have trained
OUTPUT = "output"  # how the last weight layer is called, whatever a network calls it


class Status(IntEnum):
    """What became of a run."""

    PENDING = 0
    DONE = 1
    DIVERGED = 2
    FAILED = 3


def with_further(dims: Sequence[str], further: Sequence[str]) -> tuple[str, ...]:
    """Dimensions with further factors put in before the seed; those without a seed as they are."""
    at = list(dims).index("seed") if "seed" in dims else None
    return tuple(dims) if at is None else (*dims[:at], *further, *dims[at:])


STATUS_MEANINGS = " ".join(status.name.lower() for status in Status)


@dataclass(frozen=True)
class Variable:
    """One stored variable: where it lies, what it is, its range, and what stands where nothing was measured."""

    name: str
    dims: tuple[str, ...]
    long_name: str
    units: str = "1"
    dtype: str = "float32"
    fill: Any = math.nan
    attrs: dict[str, Any] = field(default_factory=dict)
    low: float = 0.0
    high: float = math.inf

    @property
    def is_whole(self) -> bool:
        """Whether its values are whole numbers."""
        return self.dtype.startswith("int")

    @property
    def may_lack(self) -> bool:
        """Whether some of its values may be NaN: not of labels, nor where something else stands for what is missing."""
        return not self.is_whole and self.dims != (self.name,)

    def over(self, further: Sequence[str]) -> tuple[str, ...]:
        """Its dimensions in a study with further factors."""
        return with_further(self.dims, further)


CURVES = (
    Variable("train_loss", CURVE_DIMS, "training cross-entropy, running mean over the epoch in training mode", "nat"),
    Variable("train_accuracy", CURVE_DIMS, "training accuracy, running mean over the epoch in training mode", high=1),
    Variable("test_loss", CURVE_DIMS, "test cross-entropy at the epoch's end, evaluation mode", "nat"),
    Variable("test_accuracy", CURVE_DIMS, "test accuracy at the epoch's end, evaluation mode", high=1),
    Variable("grad_norm", CURVE_DIMS, "Euclidean norm of the gradient of all parameters at the epoch's last batch"),
    Variable(
        "weight_norm", CURVE_DIMS, "Euclidean norm of all weights (no biases, no affine terms) at the epoch's end"
    ),
)

VALIDATION_CURVES = (
    Variable("validation_loss", CURVE_DIMS, "validation cross-entropy at the epoch's end, evaluation mode", "nat"),
    Variable("validation_accuracy", CURVE_DIMS, "validation accuracy at the epoch's end, evaluation mode", high=1),
)

STATUS = Variable(
    "status",
    RUN_DIMS,
    "what became of the run",
    dtype="int8",
    fill=int(Status.PENDING),
    attrs={"flag_values": [int(status) for status in Status], "flag_meanings": STATUS_MEANINGS},
    high=max(Status),
)

PER_RUN = (
    STATUS,
    Variable(
        "diverged_epoch",
        RUN_DIMS,
        "first epoch whose training loss is not finite; -1 where there is none",
        dtype="int32",
        fill=-1,
        low=-1,
        high=MOST_EPOCHS,
    ),
    Variable(
        "train_seconds",
        RUN_DIMS,
        "the run's share of its ensemble's training and evaluation time",
        "s",
        low=1e-12,
        high=MOST_SECONDS,
    ),
)

PER_ARM = (
    Variable("n_parameters", ARM_DIMS, "trainable parameters", dtype="int64", fill=0, high=1e15),
    Variable(
        "epoch_seconds_alone", ARM_DIMS, "training time per epoch of the plain model alone, one thread on a CPU", "s",
        low=1e-12, high=MOST_SECONDS,
    ),
)  # fmt: skip

COORDS = (
    *(Variable(f.name, (f.name,), f.title, dtype=f.dtype, low=f.low, high=f.high) for f in FACTORS),
    Variable("seed", ("seed",), "random seed, shared by every cell", dtype="int64", high=2**62),
    Variable("epoch", ("epoch",), "epochs trained", "epoch", dtype="int32", low=0, high=MOST_EPOCHS),
    Variable("init_family", ("init",), "initializer without its value", dtype="str"),
    Variable(
        "init_value",
        ("init",),
        "value of the initializer level; NaN where it takes none",
        dtype="float64",
        low=-1e39,
        high=1e39,
    ),
    Variable("init_role", ("init",), "role of the level, declared before anything ran: well or poor", dtype="str"),
)


def role_of(condition: str) -> Variable:
    """The coordinate that holds the roles of the levels of a condition other than the init."""
    return Variable(f"{condition}_role", (condition,), "role of the level, declared before anything ran: well or poor",
                    dtype="str")  # fmt: skip


LAYER = Variable("layer", ("layer",), "weight layer", dtype="str")
LOOKED = ("gradient_norm", "preactivation_spread")  # of what was looked at in training, what others are measured by


@dataclass(frozen=True)
class Attribute:
    """An attribute of a dataset that is read again: what kind it is of, and the range of a number."""

    name: str
    is_text: bool = True
    is_whole: bool = False
    low: float = 0.0
    high: float = 1.0


ATTRIBUTES = (
    *(
        Attribute(name)
        for name in (
            "title", "study_name", "study", "study_hash", "dataset", "amendments", "preregistered", "sealed",
            "treatment", "control", "condition", "reference", "looks", "created", "device", "kernel", "machine",
            "instructions", "versions", "environment", "git_commit", "content_sha256",
        )
    ),
    Attribute("classes", is_text=False, is_whole=True, low=2, high=1e9),
    Attribute("test_size", is_text=False, is_whole=True, low=1, high=1e12),
    Attribute("runs_finished", is_text=False, is_whole=True, high=1e9),
    Attribute("runs_planned", is_text=False, is_whole=True, low=1, high=1e9),
    Attribute("target_accuracy", is_text=False),
    Attribute("alpha", is_text=False),
    Attribute("mainly_times", is_text=False, low=1, high=1000),
    Attribute("margin", is_text=False, high=10),
    Attribute("equivalence_epochs", is_text=False, high=MOST_EPOCHS),
    Attribute("equivalence_accuracy", is_text=False),
)  # fmt: skip


def curves(validation: bool) -> tuple[Variable, ...]:
    """The curves of a study, with or without a validation split."""
    return CURVES + VALIDATION_CURVES if validation else CURVES


def variables(validation: bool) -> tuple[Variable, ...]:
    """Every data variable of a study's dataset."""
    return curves(validation) + PER_RUN + PER_ARM


def attributes(variable: Variable) -> dict[str, Any]:
    """The netCDF attributes of a variable: ``long_name``, ``units`` and its own."""
    return {"long_name": variable.long_name, "units": variable.units, **variable.attrs}


def so_far(attributes: Mapping[Any, Any]) -> str:
    """``120 of 300 runs so far``, of a dataset whose attributes say that runs are still to come; empty of others."""
    if not {"runs_finished", "runs_planned"} <= attributes.keys():
        return ""
    return f"{int(attributes['runs_finished'])} of {int(attributes['runs_planned'])} runs so far"


def told_by_model(names: Mapping[tuple[str, str], Sequence[str]]) -> str:
    """Names of the arms of each model, in one line; empty where there are none."""
    by_model: dict[str, dict[str, None]] = {}
    for (model, _), found in names.items():
        by_model.setdefault(model, {}).update(dict.fromkeys(found))
    return "; ".join(f"{model}: {', '.join(found)}" for model, found in by_model.items() if found)
