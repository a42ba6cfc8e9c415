"""A dataset as the analysis takes it: over the same dimensions, whatever its study varied."""

from __future__ import annotations

import math

import xarray as xr

from bnstudy.study.factors import FACTORS

CELL_DIMS = ("model", "norm", "init", "optimizer", "lr")
RUN_DIMS = (*CELL_DIMS, "seed")
CURVE_DIMS = (*RUN_DIMS, "epoch")
UNKNOWN = {"optimizer": "", "lr": math.nan}  # where a dataset does not say


def normal_form(dataset: xr.Dataset) -> xr.Dataset:
    """A study's dataset over model, norm, init, optimizer, lr, seed and epoch.

    Where any other factor has several levels, these join the optimizer's, as in ``sgd, batch size 32``: each
    combination is judged by itself, as different optimizers are. A dataset in this form comes back as it is.
    """
    others = [factor.name for factor in FACTORS if factor.name not in CELL_DIMS]
    single = [name for name in others if dataset.sizes.get(name) == 1]
    together = _with_dimensions(dataset.squeeze(single), [name for name in UNKNOWN if name not in dataset.dims])
    several = [name for name in others if name in together.dims]
    if not several:
        return together.transpose(*CURVE_DIMS, ..., missing_dims="ignore")
    together = together.stack(setting=["optimizer", *several], create_index=False)
    columns = [together[name].values for name in ("optimizer", *several)]
    words = [name.replace("_", " ") for name in several]
    labels = [
        ", ".join([str(optimizer), *(f"{word} {_text(value)}" for word, value in zip(words, rest, strict=True))])
        for optimizer, *rest in zip(*columns, strict=True)
    ]
    together = together.drop_vars(["optimizer", *several]).rename(setting="optimizer").assign_coords(optimizer=labels)
    return together.transpose(*CURVE_DIMS, ..., missing_dims="ignore")


def _with_dimensions(dataset: xr.Dataset, names: list[str]) -> xr.Dataset:
    """What is there of each run, over these dimensions, too; they have the one level of their scalar coordinate."""
    if not names:
        return dataset
    levels = {name: [dataset[name].item() if name in dataset.coords else UNKNOWN[name]] for name in names}
    plain = dataset.drop_vars([name for name in names if name in dataset.coords])
    expanded = {name: values.expand_dims(levels) if "seed" in values.dims else values
                for name, values in plain.data_vars.items()}  # fmt: skip
    attributes = {name: dataset[name].attrs for name in names if name in dataset.coords}
    found = plain.assign(expanded)
    for name, described in attributes.items():
        found[name].attrs = described
    return found


def _text(level: object) -> str:
    return level if isinstance(level, str) else f"{level:g}"
