"""Every way in which a dataset may be unlike the schema, one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import xarray as xr
from bnstudy.study import schema

NUMBERS = {
    "NaN": np.nan, "inf": np.inf, "-inf": -np.inf, "negative": -1.0, "zero": 0.0, "half": 0.5, "tiny": 1e-300,
    "huge": 1e300, "many": 3e9,
}  # fmt: skip
DEEP = "[" * 100_000
TEXTS = {
    "empty": "", "text": "a", "huge": "x" * 1_000_001, "number": 3, "float": 0.5, "NaN": np.nan, "infinite": np.inf,
    "negative": -1, "zero": 0, "list": [1, 2], "texts": ["a", "b"], "array": np.arange(3), "none": np.array([]),
    "deep JSON": DEEP, "deep TOML": f"x = {DEEP}", "TOML": "predictions = 5", "other TOML": "question = 'Does it?'",
    "JSON": '[{"study_hash": 5}, {}]', "other JSON": '{"a": 1}', "numbers": "[1, 2]",
}  # fmt: skip


def mutations(
    dataset: xr.Dataset, names: Iterable[str] | None = None, attributes: bool = True
) -> Iterator[tuple[str, xr.Dataset]]:
    """A dataset with one variable (of `names`, by default of all) or attribute changed, and how."""
    for name in map(str, dataset.variables if names is None else names):
        for what, values in _values(dataset, name):
            yield what, _with(dataset, name, values)
        yield "dropped", dataset.drop_vars(name)
    for name in dict.fromkeys(attribute.name for attribute in schema.ATTRIBUTES) if attributes else ():
        yield "dropped", dataset.assign_attrs({}).drop_attrs(deep=False)
        for what, value in TEXTS.items():
            yield what, dataset.assign_attrs({name: value})


def _with(dataset: xr.Dataset, name: str, values: xr.Variable) -> xr.Dataset:
    """A variable replaced, as a file would hold it: a label whose dimension it no longer is leaves that without one."""
    variables = {key: variable.to_base_variable() for key, variable in dataset.variables.items() if key != name}
    coords = {variable.name for variable in schema.COORDS}
    variables[name] = values
    return xr.Dataset({k: v for k, v in variables.items() if k not in coords}, attrs=dataset.attrs).assign_coords(
        {k: v for k, v in variables.items() if k in coords}
    )


def _values(dataset: xr.Dataset, name: str) -> Iterator[tuple[str, xr.Variable]]:
    values = dataset[name].variable.to_base_variable()
    dims, found = values.dims, values.values
    first = found.ravel()[0]
    # A dimension's label over another dimension, or over several, xarray itself refuses.
    if name not in dims:
        for other in ("init", "seed", "model"):
            if dims != (other,):
                yield f"over {other}", xr.Variable((other,), np.full(dataset.sizes[other], first))
        yield "scalar", xr.Variable((), first)
        yield "transposed", xr.Variable(dims[::-1], found.T)
        yield "over more", xr.Variable((*dims, "more"), np.stack([found, found], -1))
    elif len(found) > 1:
        yield "reversed", xr.Variable(dims, found[::-1])
        yield "twice", xr.Variable(dims, np.full_like(found, first))
    if found.dtype.kind in "OU":
        yield "numbers", xr.Variable(dims, np.arange(found.size, dtype=float).reshape(found.shape))
        yield "other text", xr.Variable(dims, np.array([f"x{i}" for i in range(found.size)]).reshape(found.shape))
        yield "empty text", xr.Variable(dims, np.full(found.shape, ""))
        return
    yield "text", xr.Variable(dims, found.astype(str))
    yield "bool", xr.Variable(dims, found.astype(bool))
    yield "time", xr.Variable(dims, np.zeros(found.shape, "datetime64[ns]"))
    for what, number in NUMBERS.items():
        yield f"all {what}", xr.Variable(dims, np.full(found.shape, number))
        one = found.astype(float)
        one.reshape(-1)[-1] = number
        yield f"one {what}", xr.Variable(dims, one)
