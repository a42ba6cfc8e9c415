"""Means over seeds with their intervals."""

from __future__ import annotations

import xarray as xr

from bnstudy.analysis import inference


def mean_interval(values: xr.DataArray, dim: str = "seed", level: float = 0.95) -> xr.Dataset:
    """Mean over `dim` and its Student t interval.

    Parameters
    ----------
    values : DataArray
        NaN marks what was not measured; it is left out and `n` says how many remain.
    dim : str
        The dimension to average over.
    level : float
        Coverage of the interval.

    Returns
    -------
    Dataset
        ``mean``, ``lower``, ``upper`` and ``n`` over the other dimensions. With n = 1 there is no interval: its ends
        are NaN. With n = 0 the mean is NaN too.
    """
    n = values.count(dim)
    ends = xr.apply_ufunc(
        inference.interval, values, kwargs={"confidence": level}, input_core_dims=[[dim]], output_core_dims=[[], []]
    )
    mean = values.sum(dim) / n.where(n > 0)
    return xr.Dataset({"mean": mean, "lower": ends[0], "upper": ends[1], "n": n})
