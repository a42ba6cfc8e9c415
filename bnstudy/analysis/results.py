"""A study's results, opened once: what tables, figures and pages are made from."""

from __future__ import annotations

import importlib
import json
from abc import ABC, abstractmethod
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from bnstudy.analysis import assessment, responses, scores
from bnstudy.analysis.assessment import Scores
from bnstudy.analysis.criteria import Criteria, criteria_of, study_of
from bnstudy.analysis.multiverse import Specification, multiverse
from bnstudy.analysis.normal_form import FIRST, arm_form, factor_form, setting_levels
from bnstudy.analysis.selection import can_select, select_lr
from bnstudy.storage.opening import open_results
from bnstudy.study.errors import InputError
from bnstudy.study.factors import BY_NAME
from bnstudy.study.provenance import changed_since_sealed
from bnstudy.study.schema import so_far

# Treatments that change what is drawn, not only what is done with it.
REDRAWN = ("model", "init")
CELL = ("model", "setting", "condition", "arm", "seed")  # what tells runs apart
DECLARED = ("mainly_times", "margin", "alpha")  # by which a word is given


class Judged(ABC):
    """Runs that are judged, at most once: a study's, or those of a table of somebody else's."""

    @property
    @abstractmethod
    def criteria(self) -> Criteria:
        """By what they are judged."""

    @property
    @abstractmethod
    def runs(self) -> xr.Dataset:
        """What is known of them, over model, setting, condition, arm, seed and epoch."""

    @property
    @abstractmethod
    def scores(self) -> Scores:
        """The score of every run and which failed."""

    @property
    @abstractmethod
    def log_errors(self) -> xr.DataArray:
        """log2 of the error, epoch by epoch, over the same: what a score is the mean of."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What they are called."""

    @cached_property
    def assessment(self) -> xr.Dataset:
        """What :func:`~bnstudy.analysis.assessment.assess_scores` finds; its InputErrors."""
        return assessment.assess_scores(self.scores, self.criteria)

    @property
    def so_far(self) -> str:
        """How many of how many runs are there, where some are still to come; else empty."""
        return ""

    @property
    def verdict(self) -> Any:
        """The answer: on a terminal its sentences, in a notebook with a figure and a table."""
        # By name: what shows them stands above, with the tables and figures.
        return importlib.import_module("bnstudy.analysis.showing").Verdict(self)

    def __repr__(self) -> str:
        """What they are of, and how much; not what they say."""
        sizes = self.runs.sizes
        counts = " × ".join(f"{sizes[name]} {name}s" for name in CELL if sizes[name] > 1)
        return f"<{type(self).__name__} of {self.title!r}: {', '.join(filter(None, (counts or '1 run', self.so_far)))}>"

    def _repr_html_(self) -> str:
        return f"<p><b>{escape(repr(self)[1:-1])}</b></p>{self.verdict._repr_html_()}"

    @property
    def can_judge(self) -> bool:
        """Whether there is something treated to compare with the control, and roles to compare it under."""
        arms = self.runs.arm.values.tolist()
        return bool(self.criteria.roles) and self.criteria.control in arms and len(arms) > 1


class Results(Judged):
    """A study's dataset in normal form, with what the study declared.

    Parameters
    ----------
    curves : Dataset
        In the layout of the schema.
    criteria : Criteria, optional
        By which it is judged, to see what others would have said; by default those that the study declared.

    Raises
    ------
    InputError
        It is no dataset.

    Attributes
    ----------
    curves : Dataset
        The same.
    dataset : Dataset
        With every factor as a dimension, then seed and epoch.

    Examples
    --------
    >>> import bnstudy
    >>> study = bnstudy.Study.make(
    ...     {"dataset": "digits", "models": "mlp", "hidden": "16", "inits": "default,zero", "seeds": 8, "epochs": 2}
    ... )
    >>> results = bnstudy.run(study, "results/zero")
    >>> results.criteria.poor
    ('zero',)
    >>> print(results.assessment.word.sel(condition="zero").item())
    none
    >>> results.verdict
    mlp: Batch Normalization makes no difference where all weights are equal: there every run, with it or without,
    diverges or never gets below half the error of guessing in the time trained.
    """

    def __init__(self, curves: xr.Dataset, criteria: Criteria | None = None) -> None:
        if not isinstance(curves, xr.Dataset):
            raise InputError(
                f"Results takes a dataset; of a study folder or file it is Results.open({str(curves)[:60]!r})"
            )
        self.curves = curves
        self.dataset = factor_form(curves)
        self._given = criteria

    @classmethod
    def open(cls, source: str | Path) -> Results:
        """Those of a study folder or a netCDF file.

        Parameters
        ----------
        source : path
            The folder, or the file.

        Returns
        -------
        Results
            Opened, and not yet judged.

        Raises
        ------
        InputError
            As :func:`~bnstudy.open_results`.
        """
        return cls(open_results(source))

    @cached_property
    def declared(self) -> dict[str, Any]:
        """The study's own settings; empty where the dataset does not hold them."""
        return study_of(self.dataset)

    @cached_property
    def criteria(self) -> Criteria:
        """By what they are judged; InputError where that is not what the study declared."""
        return self._given or criteria_of(self.dataset)

    @cached_property
    def runs(self) -> xr.Dataset:
        """The dataset over model, setting, condition, arm, seed and epoch."""
        return arm_form(self.dataset, self.criteria)

    @property
    def at_reference(self) -> xr.Dataset:
        """The dataset at the reference (or the first) init and the first level of all else, but for model and norm."""
        inits = self.dataset.init.values.tolist()
        reference = self.criteria.reference if self.criteria.condition == "init" else ""
        return self.dataset.sel(init=reference if reference in inits else inits[0]).isel(FIRST)

    @cached_property
    def scores(self) -> Scores:
        """The score of every run and which failed."""
        values = scores.score(self.runs)
        notes, failed = tuple(self._notes(values)), scores.failed(self.runs)
        return Scores(values, failed, setting_levels(self.runs), notes, self.so_far)

    @cached_property
    def log_errors(self) -> xr.DataArray:
        """log2 of the error, epoch by epoch, over model, setting, condition, arm, seed and epoch."""
        errors = scores.error(self.runs)
        return errors.copy(data=np.log2(errors.values))

    @property
    def title(self) -> str:
        """The study's title, else its name."""
        return str(self.curves.attrs.get("title") or self.curves.attrs.get("study_name") or "A study")

    @property
    def so_far(self) -> str:
        """How many of how many runs are there, where some are still to come; else empty."""
        return so_far(self.curves.attrs)

    def _notes(self, values: xr.DataArray) -> list[str]:
        """What a reader of the verdicts should know of these runs and their scores, one sentence each."""
        told = self._undeclared()
        if scores.samples(self.runs) is None:
            told.append(
                "the dataset does not tell its test_size: the error is 1 - accuracy, no less than "
                f"{scores.finest(self.runs.test_accuracy):.2g}, half the smallest step between its accuracies"
            )
        if "classes" not in self.runs.attrs:
            told.append("the dataset does not tell how many classes there are: ten are assumed")
        seen = responses.observed(self.runs)
        if (missing := int((~seen).sum())) and not self.so_far:
            told.append(f"{missing} of {seen.size} runs are not there; their pairs are left out")
        if lacking := int((seen & values.isnull()).sum()):
            told.append(
                f"{lacking} run{'s lack' if lacking > 1 else ' lacks'} the accuracy of an epoch and did not diverge; "
                "their pairs are left out"
            )
        died = int(responses.diverged(self.runs).sum())
        if died and "status" not in self.runs:
            told.append(f"{died} runs have no accuracy at their end; they are taken to have diverged")
        if self.criteria.treatment in REDRAWN:
            told.append(
                f"the {self.criteria.treatment} decides what a run draws, so the runs of a seed share batches, and not "
                "first weights"
            )
        return told + self._looked()

    def _undeclared(self) -> list[str]:
        """What the verdicts are judged by though the study did not declare it, or declared otherwise."""
        if not self.declared:
            return []
        values = {key: getattr(self.criteria, key) for key in DECLARED}
        others = [f"{key} {value:g} (declared: {self.declared[key]:g})" for key, value in values.items()
                  if self.declared.get(key, value) != value]  # fmt: skip
        missing = [f"{key} {value:g}" for key, value in values.items() if key not in self.declared]
        told = []
        if missing:
            told.append(f"the verdicts are post hoc: the study was declared before there were {' and '.join(missing)}")
        if others:
            told.append(f"the verdicts are post hoc: judged by {' and '.join(others)}")
        return told

    def _looked(self) -> list[str]:
        """What looks, declared or not, do to the p-values; and whether the study was sealed before it ran."""
        sealed = str(self.dataset.attrs.get("preregistered") or "")
        told = [f"sealed on {sealed}, before it ran"] * bool(sealed)
        if changed := changed_since_sealed(self._sealed(), self.dataset.attrs):
            told = [f"not what was sealed on {sealed}: {changed}"]
        amendments = json.loads(self.dataset.attrs.get("amendments") or "[]")
        if expected := [one["at"][:10] for one in amendments if "predictions" in one.get("changes", {})]:
            told.append(f"what predictions expect was written down on {expected[-1]}, once the study had begun")
        return told + self._added([one.get("changes", {}) for one in amendments])

    def _sealed(self) -> dict[str, str]:
        """The code and the data that were sealed with the study; empty where a file says nothing of them."""
        try:
            found = json.loads(self.dataset.attrs.get("sealed") or "{}")
            return {str(name): str(one) for name, one in found.items()}
        except (ValueError, AttributeError):
            return {}

    def _added(self, changes: list[dict[str, Any]]) -> list[str]:
        key = BY_NAME[self.criteria.condition].key
        told = []
        if any(key in change for change in changes):
            told.append(f"levels of {self.criteria.condition} were added once the study had begun: the words, adjusted "
                        "for all levels there are, were not declared so")  # fmt: skip
        looks, seeds = self.criteria.looks, self.dataset.sizes["seed"]
        if looks:
            if self.so_far:
                return told
            if seeds in looks:
                return [*told, f"look {looks.index(seeds) + 1} of {len(looks)}: each is judged at alpha/{len(looks)}"]
            told.append(f"{seeds} seeds are no declared look ({', '.join(map(str, looks))}): the p-values do not hold")
            return told
        added = [change["seeds"] for change in changes if "seeds" in change]
        if not added:
            return told
        counts = " to ".join(str(len(seeds)) for seeds in [added[0][0], *(one[1] for one in added)])
        told.append(f"seeds were added once the study had begun (from {counts}) and no looks were declared: the "
                    "p-values do not hold, and a word may be due to stopping at the right time; other seeds in a study "
                    "of their own can confirm it (`bnstudy explain looks`)")  # fmt: skip
        return told

    @cached_property
    def multiverse(self) -> list[Specification]:
        """What every reasonable choice would have said (:mod:`bnstudy.analysis.multiverse`)."""
        return multiverse(self)

    @property
    def can_select(self) -> bool:
        """Whether validation can select each run's learning rate."""
        return can_select(self.dataset) and "lr" not in (self.criteria.treatment, self.criteria.condition)

    @cached_property
    def _selection(self) -> tuple[Results, xr.DataArray]:
        if "lr" in (self.criteria.treatment, self.criteria.condition):
            raise InputError("the learning rate is what the study asks about, so validation cannot select it")
        dataset, rates = select_lr(self.dataset)
        with_rates = dataset.assign(selected_lr=rates.expand_dims(lr=dataset.lr.values))
        return Results(with_rates, self.criteria), rates

    @property
    def at_selected_rates(self) -> Results:
        """The same with each run at its selected learning rate; InputError where none can be selected."""
        return self._selection[0]

    @property
    def selected_rates(self) -> xr.DataArray:
        """These rates, over the factors but lr, and the seed."""
        return self._selection[1]


def assess(dataset: xr.Dataset, criteria: Criteria | None = None) -> xr.Dataset:
    """Gains, tests and verdicts of every comparison in a study's dataset.

    Parameters
    ----------
    dataset : Dataset
        At least ``test_accuracy`` over model, norm, init, seed and epoch, the attributes ``test_size`` and ``classes``,
        and the role of each init, ``well`` or ``poor``, as ``init_role``.
    criteria : Criteria, optional
        By which it is judged; by default those that the study declared.

    Returns
    -------
    Dataset
        As :func:`~bnstudy.analysis.assessment.assess_scores` says.

    Raises
    ------
    InputError
        There are no roles, no control or nothing treated.

    Examples
    --------
    A dataset by hand, in which the treated runs have half the error under the poor level alone:

    >>> import bnstudy, numpy as np, xarray as xr
    >>> error = np.full((1, 2, 2, 8, 1), 0.2) + 0.001 * np.arange(8)[:, None]
    >>> error[:, 1, 1] /= 2
    >>> dataset = xr.Dataset(
    ...     {"test_accuracy": (("model", "norm", "init", "seed", "epoch"), 1 - error)},
    ...     {"model": ["mine"], "norm": ["none", "batch"], "init": ["good", "bad"], "seed": range(8), "epoch": [1],
    ...      "init_role": ("init", ["well", "poor"])},
    ...     {"test_size": 1000, "classes": 10},
    ... )
    >>> found = bnstudy.assess(dataset).sel(condition="bad").squeeze()
    >>> print(found.word.item(), round(found.gain.item(), 1))
    mainly 1.0
    """
    return Results(dataset, criteria).assessment
