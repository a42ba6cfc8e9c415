"""A dataset as the analysis takes it: over the same dimensions, whatever its study varied and asked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from bnstudy.analysis.criteria import Criteria
from bnstudy.study.factors import BY_NAME, FACTORS

CELL_DIMS = tuple(factor.name for factor in FACTORS)
RUN_DIMS = (*CELL_DIMS, "seed")
CURVE_DIMS = (*RUN_DIMS, "epoch")
# Of what is compared: the treatment's levels are arms, those of the condition keep its name, and settings are
# combinations of all other factors but the model.
ARMS = ("model", "setting", "condition", "arm", "seed", "epoch")
# The first setting, which stands for a study where one has to.
FIRST = {factor.name: 0 for factor in FACTORS if factor.name not in ("model", "norm", "init")}


def factor_form(dataset: xr.Dataset) -> xr.Dataset:
    """A study's dataset with every factor as a dimension; a factor it does not tell has one level without a name."""
    missing = [name for name in CELL_DIMS if name not in dataset.dims]
    return _with_dimensions(dataset, missing).transpose(*CURVE_DIMS, ..., missing_dims="ignore")


def _unknown(name: str) -> Any:
    """What stands where a dataset does not say a factor's level."""
    return "" if BY_NAME[name].dtype == "str" else math.nan


def _with_dimensions(dataset: xr.Dataset, names: Sequence[str]) -> xr.Dataset:
    """What is there of each run, over these dimensions, too; they have the one level of their scalar coordinate."""
    if not names:
        return dataset
    levels = {name: [dataset[name].item() if name in dataset.coords else _unknown(name)] for name in names}
    bare = dataset.drop_vars([name for name in names if name in dataset.coords])
    expanded = {name: values.expand_dims(levels) if "seed" in values.dims else values
                for name, values in bare.data_vars.items()}  # fmt: skip
    attributes = {name: dataset[name].attrs for name in names if name in dataset.coords}
    result = bare.assign(expanded)
    for name, described in attributes.items():
        result[name].attrs = described
    return result


def arm_form(dataset: xr.Dataset, criteria: Criteria) -> xr.Dataset:
    """A study's dataset over model, setting, condition, arm, seed and epoch.

    Parameters
    ----------
    dataset : Dataset
        Every factor a dimension.
    criteria : Criteria
        What its treatment and its condition are.

    Returns
    -------
    Dataset
        Labels of arms and conditions are texts, those of settings too: all that varies, as in ``adam, lr 0.1``, or an
        empty text. The factors of a setting are coordinates over it. Where the model is the treatment or the condition,
        the one model's label is empty.
    """
    treatment, condition = criteria.treatment, criteria.condition
    others = [name for name in CELL_DIMS if name not in ("model", treatment, condition)]
    stacked = dataset.stack(setting=others, create_index=False)
    columns = {name: stacked[name].values for name in others}
    labels = [setting_label(dict(zip(columns, levels, strict=True)), [n for n in others if dataset.sizes[n] > 1])
              for levels in zip(*columns.values(), strict=True)]  # fmt: skip
    # A factor's own coordinates, such as an initializer's family, go with it.
    renamed = stacked.rename({treatment: "arm", condition: "condition"})
    renamed = renamed.assign_coords(
        setting=labels,
        arm=[BY_NAME[treatment].text(level) for level in dataset[treatment].values.tolist()],
        condition=[BY_NAME[condition].text(level) for level in dataset[condition].values.tolist()],
    )
    if "model" not in renamed.dims:
        renamed = renamed.assign({name: values.expand_dims(model=[""]) for name, values in renamed.data_vars.items()})
    return renamed.transpose(*ARMS, ..., missing_dims="ignore")


def setting_label(levels: dict[str, Any], varied: Sequence[str]) -> str:
    """What a setting is called: the levels of the factors that vary, numbers with the factor's name."""
    texts = []
    for name in varied:
        text = levels[name] if isinstance(levels[name], str) else BY_NAME[name].text(levels[name])
        texts.append(
            text if isinstance(levels[name], str) and text != "selected" else f"{name.replace('_', ' ')} {text}"
        )
    return ", ".join(texts)


def setting_levels(runs: xr.Dataset) -> list[dict[str, Any]]:
    """The factors of each setting with their levels, as plain values; None for what the dataset does not tell."""
    names = [name for name in CELL_DIMS if name in runs.coords and runs[name].dims == ("setting",)]
    columns = [runs[name].values.tolist() for name in names]
    return [
        {name: None if isinstance(level, float) and np.isnan(level) else level
         for name, level in zip(names, levels, strict=True)}
        for levels in zip(*columns, strict=True)
    ]  # fmt: skip
