"""Means over seeds with their intervals."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy import stats


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
    mean = values.sum(dim) / n.where(n > 0)
    spread = np.sqrt(((values - mean) ** 2).sum(dim) / (n - 1).where(n > 1))
    quantile = xr.apply_ufunc(stats.t.ppf, (1 + level) / 2, (n - 1).where(n > 1))
    half = quantile * spread / np.sqrt(n)
    return xr.Dataset({"mean": mean, "lower": mean - half, "upper": mean + half, "n": n})
