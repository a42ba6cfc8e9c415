"""Factors that few studies have: batch size and weight decay, told as part of the optimizer."""

from __future__ import annotations

import xarray as xr

from bnstudy.study.schema import FURTHER_DIMS


def folded(dataset: xr.Dataset) -> xr.Dataset:
    """A dataset over the seven dimensions that every study has.

    Where batch size or weight decay is a dimension, its levels join the optimizer's, as in ``sgd, batch size 32``: each
    combination is judged by itself, as different optimizers are. A dataset without them comes back as it is.
    """
    further = [name for name in FURTHER_DIMS if name in dataset.dims]
    if not further:
        return dataset
    together = dataset.stack(setting=["optimizer", *further], create_index=False)
    columns = [together[name].values for name in ("optimizer", *further)]
    words = [name.replace("_", " ") for name in further]
    labels = [
        ", ".join([str(optimizer), *(f"{word} {value:g}" for word, value in zip(words, rest, strict=True))])
        for optimizer, *rest in zip(*columns, strict=True)
    ]
    together = together.drop_vars(["optimizer", *further]).rename(setting="optimizer").assign_coords(optimizer=labels)
    return together.transpose("model", "norm", "init", "optimizer", "lr", "seed", "epoch", ...)
