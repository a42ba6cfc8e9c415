"""Whether a dataset is what the schema says: every variable's dimensions, kind and range, and every attribute's.

Whatever else reads a dataset relies on it, whoever wrote the file. What is wrong is said in a few words, the first
thing alone.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import xarray as xr
from pydantic import TypeAdapter, ValidationError

from bnstudy.study import schema
from bnstudy.study.errors import InputError
from bnstudy.study.schema import Attribute, Variable
from bnstudy.study.study import Study

LONGEST = 200  # characters of a label
LONGEST_TEXT = 1_000_000  # and of an attribute


def problem(dataset: xr.Dataset) -> str:
    """What is wrong with a study's dataset; empty if nothing is."""
    return next(_problems(dataset), "")


def problem_of_diagnostics(dataset: xr.Dataset) -> str:
    """What is wrong with the dataset of what was looked at in training; empty if nothing is."""
    return next(_problems_of_diagnostics(dataset), "")


def _problems(dataset: xr.Dataset) -> Iterator[str]:
    further = _further(dataset, "test_accuracy", schema.CURVE_DIMS)
    if further is None:
        yield f"it needs test_accuracy over {', '.join(schema.CURVE_DIMS)}"
        return
    yield from _of_labels(dataset, schema.with_further(schema.CURVE_DIMS, further))
    for variable in (*schema.variables(validation=True), *schema.COORDS):
        if variable.name in dataset.variables:
            yield from _of_variable(dataset[variable.name], variable, further)
    for attribute in schema.ATTRIBUTES:
        if attribute.name in dataset.attrs:
            yield from _of_attribute(dataset.attrs[attribute.name], attribute)


def _problems_of_diagnostics(dataset: xr.Dataset) -> Iterator[str]:
    dims = (*schema.CURVE_DIMS, schema.LAYER.name)
    for needed in schema.LOOKED:
        further = _further(dataset, needed, dims)
        if further is None:
            yield f"it needs {needed} over {', '.join(dims)}"
            return
    yield from _of_labels(dataset, schema.with_further(dims, further or ()))
    for name, values in dataset.data_vars.items():
        wanted = tuple(dim for dim in dims if dim != schema.LAYER.name or dim in values.dims)
        yield from _of_variable(values, Variable(str(name), wanted, "", low=-math.inf), further or ())
    for attribute in schema.ATTRIBUTES:
        if attribute.name in dataset.attrs:
            yield from _of_attribute(dataset.attrs[attribute.name], attribute)


def _further(dataset: xr.Dataset, name: str, dims: Sequence[str]) -> tuple[str, ...] | None:
    """The further dimensions of a variable that has all of `dims`; None if it is not over these."""
    if name not in dataset.data_vars:
        return None
    there = [str(dim) for dim in dataset[name].dims]
    further = tuple(dim for dim in schema.FURTHER_DIMS if dim in there)
    return further if sorted(there) == sorted((*dims, *further)) else None


def _of_labels(dataset: xr.Dataset, dims: Sequence[str]) -> Iterator[str]:
    """What is wrong with the labels of the dimensions."""
    for variable in (*schema.COORDS, schema.LAYER):
        dim = variable.name
        if dim not in dims:
            continue
        if dim not in dataset.coords or dataset[dim].dims != (dim,):
            yield f"its dimension {dim} has no labels"
            return
        labels = dataset[dim].values
        if not len(labels):
            yield f"its dimension {dim} is empty"
        if _is_text(labels) != (variable.dtype == "str") or (labels.dtype.kind == "f" and np.isnan(labels).any()):
            yield f"its dimension {dim} has labels of the wrong kind"
        if len(set(labels.tolist())) < len(labels):
            yield f"its dimension {dim} has a label twice"
        if _is_text(labels) and any(len(label) > LONGEST or not label.isprintable() for label in labels):
            yield f"its dimension {dim} has a label that is unprintable or longer than {LONGEST} characters"
    if not (np.diff(dataset.epoch.values) > 0).all():
        yield "its epochs do not rise"


def _of_variable(values: xr.DataArray, variable: Variable, further: Sequence[str]) -> Iterator[str]:
    """What is wrong with one variable: where it lies, of what kind it is, and whether it is within its range."""
    name = variable.name
    expected = variable.dims if variable in schema.COORDS else variable.over(further)
    # One level of a further factor, as it was cut out of a dataset that has several.
    is_cut = not values.dims and name in schema.FURTHER_DIMS
    if sorted(map(str, values.dims)) != sorted(expected) and not is_cut:
        yield f"its {name} is over {', '.join(map(str, values.dims)) or 'nothing'}, not over {', '.join(expected)}"
    found = values.values
    if variable.dtype == "str":
        if not _is_text(found):
            yield f"its {name} is not text"
        return
    if found.dtype.kind not in "iuf":
        yield f"its {name} is not numbers"
        return
    missing = np.isnan(found) if found.dtype.kind == "f" else np.zeros(found.shape, bool)
    if missing.any() and not variable.may_lack:
        yield f"its {name} lacks values"
    there = found[~missing]
    if variable.is_whole and there.dtype.kind == "f" and not (there == np.floor(there)).all():
        yield f"its {name} is not whole numbers"
    if there.size and not (variable.low <= there.min() and there.max() <= variable.high):
        yield f"its {name} is not between {variable.low:g} and {variable.high:g}"


def _is_text(values: np.ndarray) -> bool:
    return values.dtype.kind in "OU" and all(isinstance(value, str) for value in values.ravel())


def _of_attribute(value: Any, attribute: Attribute) -> Iterator[str]:
    """What is wrong with one attribute of the dataset."""
    name = attribute.name
    if attribute.is_text:
        if not isinstance(value, str):
            yield f"its attribute {name} is not text"
        elif len(value) > LONGEST_TEXT:
            yield f"its attribute {name} is longer than {LONGEST_TEXT} characters"
        elif name == "study":
            yield from _of_study(value)
        elif name == "amendments":
            yield from _of_amendments(value)
        return
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        yield f"its attribute {name} is not a number"
    elif not attribute.low <= value <= attribute.high or (attribute.is_whole and value != int(value)):
        kind = "a whole number" if attribute.is_whole else "a number"
        yield f"its attribute {name} is not {kind} from {attribute.low:g} to {attribute.high:g}"


def _of_study(text: str) -> Iterator[str]:
    """A study's settings may lack some, and name what is not registered here; what is there has to be of its kind."""
    try:
        said: Mapping[str, Any] = tomllib.loads(text)
    except (ValueError, RecursionError):
        yield "its attribute study is not TOML"
        return
    for key, value in said.items():
        if about := Study.model_fields.get(key):
            kind: Any = Annotated[(about.annotation, *about.metadata)] if about.metadata else about.annotation
            try:
                TypeAdapter(kind).validate_python(value)
            except (ValidationError, InputError):
                yield f"its attribute study has a {key} of the wrong kind"


def _of_amendments(text: str) -> Iterator[str]:
    try:
        listed = json.loads(text) if text else []
    except (ValueError, RecursionError):
        listed = None
    if not isinstance(listed, list) or not all(isinstance(one, dict) and _is_change(one) for one in listed):
        yield "its attribute amendments is not a list of amendments as JSON"


def _is_change(amendment: Mapping[str, Any]) -> bool:
    """Whether what an amendment says that changed can be read: of the seeds those before and after."""
    changes = amendment.get("changes", {})
    if not isinstance(changes, dict):
        return False
    seeds = changes.get("seeds", [[], []])
    return isinstance(seeds, list) and len(seeds) == 2 and all(isinstance(one, list) for one in seeds)
