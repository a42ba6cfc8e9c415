"""What is asked: factors, levels and settings, validated and frozen, in and out of TOML. No torch."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, make_dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tomli_w
from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)  # fmt: skip

from bnstudy.study import registry
from bnstudy.study.errors import InputError
from bnstudy.study.factors import BY_NAME, FACTORS, REGISTRIES
from bnstudy.study.fields import (
    MAX_RUNS,
    Count,
    Counts,
    Flag,
    Number,
    Seeds,
    as_list,
    below_one,
    distinct,
    effective,
    number,
    once,
    representable,
)  # fmt: skip
from bnstudy.study.predictions import Expectation, Prediction, Predictions
from bnstudy.study.question import Question, default_role, level_texts
from bnstudy.study.shown import study_line, study_table
from bnstudy.study.study_files import first_problem, read_toml, shipped

UNNAMED = "study"


class _Asked(Question):
    name: str = UNNAMED
    title: str = ""
    predictions: Predictions = ()


if TYPE_CHECKING:

    @dataclass(frozen=True, order=True)
    class Run:
        """One cell at one seed, by its labels."""

        model: str
        norm: str
        init: str
        optimizer: str
        lr: float
        batch_size: int
        weight_decay: float
        activation: str
        seed: int

    class _Varied(_Asked):
        models: tuple[str, ...]
        norms: tuple[str, ...]
        inits: tuple[str, ...]
        optimizers: tuple[str, ...]
        lr: tuple[float, ...]
        batch_size: tuple[int, ...]
        weight_decay: tuple[float, ...]
        activation: tuple[str, ...]

else:
    Run = make_dataclass(
        "Run", [*((factor.name, Any) for factor in FACTORS), ("seed", int)], frozen=True, order=True,
        namespace={"__doc__": "One cell at one seed, by its labels.", "__module__": __name__},
    )  # fmt: skip
    _Varied = create_model(
        "_Varied", __base__=_Asked, **{factor.key: (factor.type, factor.default) for factor in FACTORS}
    )


class Study(_Varied):
    """Factors, levels and training settings of a study.

    Lists may also be given as text with commas (``models="mlp,cnn"``), `seeds` also as a count. `scales` is shorthand:
    each S becomes the initializer level ``scaled-normal:S``, after those of `inits`. A level that is given twice is
    there once.

    Parameters
    ----------
    **settings
        The keys of a study file, each with a default. Use :meth:`make` or :meth:`load`, whose errors are one line.

    Raises
    ------
    InputError
        From :meth:`load` and :meth:`make`, naming the key and saying what to write instead. (The constructor itself
        raises pydantic's ValidationError.)

    Examples
    --------
    >>> import bnstudy
    >>> study = bnstudy.Study.make({"dataset": "digits", "models": "mlp", "scales": "0.01,1", "seeds": 8})
    >>> study.inits
    ('scaled-normal:0.01', 'scaled-normal:1')
    >>> study.n_runs, study.reference, study.roles["scaled-normal:0.01"]
    (32, 'scaled-normal:1', 'poor')
    """

    seeds: Seeds = tuple(range(10))

    dataset: str = "mnist"
    input_scaling: Literal["standardize", "unit"] = "standardize"
    train_size: Annotated[Count, Field(ge=1)] | None = None
    validation_size: Annotated[Count, Field(ge=0)] = 0

    hidden: Counts = (256, 128)
    channels: Counts = (4, 8)
    kernel_size: Annotated[Count, Field(ge=1, le=99)] = 3
    init_scope: Literal["all", "hidden"] = "all"
    norm_eps: Annotated[Number, Field(gt=0, le=1), AfterValidator(representable)] = 1e-5
    norm_momentum: Annotated[Number, Field(gt=0, le=1), AfterValidator(effective)] = 0.1

    epochs: Annotated[Count, Field(ge=1, le=100_000)] = 50
    momentum: Annotated[Number, Field(ge=0, lt=1), AfterValidator(below_one), AfterValidator(effective)] = 0.9

    diagnostics: Flag = False
    mechanism: Flag = False

    # ------------------------------------------------------------------ in

    @classmethod
    def make(cls, settings: Mapping[str, Any]) -> Study:
        """A study from plain values.

        Parameters
        ----------
        settings : mapping
            Keys of a study file.

        Returns
        -------
        Study
            Validated and frozen.

        Raises
        ------
        InputError
            It names the first key that is wrong.
        """
        if not isinstance(settings, Mapping):
            raise InputError(f"Study.make takes keys and values, such as {{'seeds': 8}}; {how_to_load(settings)}")
        try:
            return cls.model_validate(dict(settings))
        except ValidationError as error:
            raise first_problem(error, (*cls.model_fields, "scales")) from None

    @classmethod
    def load(cls, path: str | Path, **overrides: Any) -> Study:
        """Read a study file and lay `overrides` over it.

        Parameters
        ----------
        path : path
            The file, in TOML, or the name of a study that comes with bnstudy, such as ``"norms"``.
        **overrides
            Keys of a study file, in place of those that stand there; `inits` are all that there are then, also where
            the file names `scales`. Predictions about levels that are not there then are left away.

        Returns
        -------
        Study
            Validated and frozen.

        Raises
        ------
        InputError
            The file is missing, empty, not TOML, or holds a key or value that is wrong.
        """
        said = read_toml(path if os.path.lexists(path) else shipped().get(str(path), path))
        values = {key: value for key, value in said.items() if not (key == "scales" and "inits" in overrides)}
        if overrides and "predictions" not in overrides and said.get("predictions"):
            whole = cls.make(said)  # what the file itself has wrong is told
            there = cls.make({**values, **overrides, "predictions": ()})
            values["predictions"] = there._kept(whole)
        return cls.make({**values, **overrides})

    def _kept(self, whole: Study) -> tuple[str | Prediction, ...]:
        """What a study of more levels predicts, without what it says of levels that this one does not have."""
        factor = BY_NAME[whole.condition]
        there = level_texts(factor, getattr(self, factor.key))
        gone = tuple(f"{level}:" for level in level_texts(factor, getattr(whole, factor.key)) if level not in there)
        kept: list[str | Prediction] = []
        for told in whole.predictions:
            if isinstance(told, str):
                kept += [] if told.startswith(gone) else [told]
            elif not told.expect:
                kept.append(told)
            elif expect := tuple(filter(None, (self._narrowed(one) for one in told.expect))):
                kept.append(Prediction(text=told.text, expect=expect))
        return tuple(kept)

    def _narrowed(self, expectation: Expectation) -> Expectation | None:
        """What is expected of those levels that are there; None where there are none."""
        strays = [(name, level) for _, name, level in self._strays((Prediction(text="", expect=(expectation,)),))]
        condition = tuple(one for one in expectation.condition if ("condition", one) not in strays)
        if not condition or any(name != "condition" for name, _ in strays):
            return None
        return expectation.model_copy(update={"condition": condition})

    @classmethod
    def from_stored(cls, values: Mapping[str, Any]) -> Study:
        """A study that was stored, perhaps before some key existed: it keeps its digest.

        So the default of a new key has to mean what studies did before there was such a key.

        Parameters
        ----------
        values : mapping
            As :attr:`stored` gave them.

        Returns
        -------
        Study
            Its :attr:`stored` and :attr:`digest` are those of `values`.
        """
        study = cls.make(values)
        study.__dict__["stored"] = dict(values)
        return study

    @model_validator(mode="before")
    @classmethod
    def _spell_out_scales(cls, values: Any) -> Any:
        if not isinstance(values, dict) or "scales" not in values:
            return values
        try:
            scales = [float(number(scale)) for scale in as_list(values["scales"])]
        except (TypeError, ValueError):
            raise InputError("must be one or more numbers above 0, such as 0.01,1,10", "scales") from None
        if wrong := [scale for scale in scales if not (math.isfinite(scale) and scale > 0)]:
            raise InputError(f"must be finite numbers above 0, not {wrong[0]:g}", "scales")
        levels = [f"scaled-normal:{scale:g}" for scale in scales]
        for level in levels:
            _level_of(level, "scales")  # what is wrong is said of the key that was written
        try:
            inits = as_list(values["inits"]) if "inits" in values else []
        except ValueError as error:
            raise InputError(str(error), "inits") from None
        return {key: value for key, value in values.items() if key != "scales"} | {"inits": [*inits, *levels]}

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
            raise ValueError(
                "must be 1 to 64 letters, digits, dots, hyphens or underscores: it names the study's folder"
            )
        return name

    @field_validator(*REGISTRIES)
    @classmethod
    def _known_levels(cls, labels: tuple[str, ...], info: Any) -> tuple[str, ...]:
        known = REGISTRIES[info.field_name]
        return once(known.level(label).label for label in labels)

    @field_validator(*(factor.key for factor in FACTORS if factor.registry is None))
    @classmethod
    def _no_repeats(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        return once(values)

    @field_validator("seeds")
    @classmethod
    def _no_seed_twice(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        return distinct(seeds)

    @field_validator("dataset")
    @classmethod
    def _known_name(cls, name: str) -> str:
        return registry.datasets[name].name

    @model_validator(mode="after")
    def _fits_together(self) -> Study:
        about = registry.datasets[self.dataset].about
        available = about["train_size"]
        object.__setattr__(self, "train_size", self.train_size or available)
        if self.n_train > available - self.validation_size:
            raise InputError(f"{self.dataset} has {available} training samples, not {self.train_size}", "train_size")
        if self.n_train <= 0:
            raise InputError(
                f"must leave some of the {self.train_size} training samples to train on", "validation_size"
            )
        if max(self.batch_size) > self.n_train:
            raise InputError(f"is larger than the training set of {self.n_train} samples", "batch_size")
        if self.n_runs > MAX_RUNS:
            raise InputError(f"the study has {self.n_runs} runs, more than {MAX_RUNS}; ask for fewer", "seeds")
        for model in self.models:
            level = registry.models.level(model)
            if level.activation and len(self.activation) > 1:
                raise InputError(f"the model {model!r} says its own activation; leave it away to vary it", "models")
            facts = registry.models[level.family].about
            if check := facts.get("check"):
                check(self, about["shape"], level)
            for norm in self.norms:
                if reason := unfit(model, norm):
                    raise InputError(reason, "norms")
        levels = {factor.name: getattr(self, factor.key) for factor in FACTORS}
        self.declare(levels)
        for _, name, stray in self._strays(self.predictions):
            factor = BY_NAME[{"model": "model", "treatment": self.treatment, "condition": self.condition}[name]]
            there = ", ".join(level_texts(factor, levels[factor.name])[:8])
            raise InputError(
                f"a prediction speaks of the {name} {stray!r}, which is not there; there are {there}", "predictions"
            )
        return self

    def _strays(self, predictions: Iterable[str | Prediction]) -> Iterator[tuple[Expectation, str, str]]:
        """What predictions expect of levels that are not there: the expectation, the kind of level, and the level."""
        for prediction in predictions:
            for one in prediction.expect if isinstance(prediction, Prediction) else ():
                said = (("model", "model", [one.model]), ("treatment", self.treatment, [one.treatment]),
                        ("condition", self.condition, one.condition))  # fmt: skip
                for name, factor, levels in said:
                    there = level_texts(BY_NAME[factor], getattr(self, BY_NAME[factor].key))
                    yield from ((one, name, level) for level in levels if level and level not in there)

    # ----------------------------------------------------------------- out

    def to_toml(self) -> str:
        """The study as resolved.

        Returns
        -------
        str
            TOML; reading it back gives an equal study.
        """
        return tomli_w.dumps(self.stored)

    @cached_property
    def stored(self) -> dict[str, Any]:
        """All resolved values, as plain ones; of a study made by :meth:`from_stored` those that it was stored with."""
        return self.model_dump(mode="json")

    @cached_property
    def digest(self) -> str:
        """SHA-256 over :attr:`stored`, 64 hexadecimal digits."""
        return digest_of(self.stored)

    def differences(self, other: Study) -> dict[str, tuple[Any, Any]]:
        """The keys in which two studies differ, with both values.

        Parameters
        ----------
        other : Study
            What to compare with.

        Returns
        -------
        dict
            This study's value and the other's, by key.
        """
        mine, theirs = self.model_dump(mode="json"), other.model_dump(mode="json")
        return {key: (mine[key], theirs[key]) for key in mine if mine[key] != theirs[key]}

    def __repr__(self) -> str:
        """What it asks, and how large it is."""
        return f"<Study {study_line(self)}>"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return study_table(self)

    @property
    def n_train(self) -> int:
        """Samples trained on: without the validation split."""
        assert self.train_size is not None  # spelled out by validation
        return self.train_size - self.validation_size

    @property
    def n_cells(self) -> int:
        """Combinations of levels without the seed."""
        return math.prod(len(levels) for levels in self._levels()[:-1])

    @property
    def n_runs(self) -> int:
        """Cells times seeds."""
        return self.n_cells * len(self.seeds)

    @property
    def further(self) -> tuple[str, ...]:
        """The factors that are dimensions of the dataset since they have several levels."""
        return tuple(one.name for one in FACTORS if not one.always and len(getattr(self, one.key)) > 1)

    @property
    def init_roles(self) -> dict[str, str]:
        """The role of each init: as declared where it is the condition, else as its entry says."""
        return {label: self.roles[label] if self.condition == "init" else default_role(label) for label in self.inits}

    def network_of(self, run: Run) -> str:
        """The label of a run's network: its model's, with its activation where the study varies that.

        Parameters
        ----------
        run : Run
            One of the study's.

        Returns
        -------
        str
            As ``mlp:256-128:tanh``.
        """
        return registry.models.activated(run.model, run.activation) if len(self.activation) > 1 else run.model

    def arms(self) -> list[tuple[str, str]]:
        """Every combination of model and norm.

        Returns
        -------
        list of tuple
            Their labels.
        """
        return list(product(self.models, self.norms))

    def runs(self) -> Iterator[Run]:
        """Every run, the last factor fastest.

        Yields
        ------
        Run
            With an attribute for each factor, and its seed.
        """
        return (Run(*labels) for labels in product(*self._levels()))

    def _levels(self) -> list[tuple[Any, ...]]:
        """The levels of each factor, in the order of the dataset's dimensions."""
        return [*(getattr(self, factor.key) for factor in FACTORS), self.seeds]


def check_study(study: object, caller: str) -> None:
    """InputError where what `caller` was given is no study."""
    if isinstance(study, Study):
        return
    mend = "make one of these values with bnstudy.Study.make" if isinstance(study, Mapping) else how_to_load(study)
    raise InputError(f"{caller} takes a Study, not a {type(study).__name__}; {mend}")


def how_to_load(source: object) -> str:
    """What to do with what may be the path or the name of a study file."""
    named = repr(str(source)[:60]) if isinstance(source, str | Path) else "FILE"
    return f"of a study file it is bnstudy.Study.load({named})"


def digest_of(values: Mapping[str, Any]) -> str:
    """SHA-256 over a study's resolved values, however they are ordered; 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def unfit(model: str, norm: str) -> str:
    """Why a norm cannot be put into a model; empty where it can."""
    facts = registry.models[registry.models.level(model).family].about
    wants = registry.norms[registry.norms.level(norm).family].about
    if wants.get("needs_space") and not facts.get("has_space", True):
        return f"{norm!r} takes feature maps, and {model!r} has none"
    if wants.get("place") == "branch" and not facts.get("has_branches"):
        return f"{norm!r} ends residual branches, and {model!r} has none"
    return ""


def _level_of(label: str, key: str) -> str:
    """An initializer level's canonical spelling; InputError names the key it stands under."""
    try:
        return registry.initializers.level(label).label
    except InputError as error:
        raise InputError(error.problem, key, error.topic) from None
