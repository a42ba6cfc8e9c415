"""Means over seeds and shares of runs, with their intervals."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy import special

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
    # Where all values are equal, rounding may put the mean outside its interval.
    return xr.Dataset({"mean": mean, "lower": np.minimum(ends[0], mean), "upper": np.maximum(ends[1], mean), "n": n})


def share_interval(count: np.ndarray, n: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Exact interval of a share (Clopper & Pearson 1934, Biometrika 26:404): lower and upper ends, NaN where n is 0.

    Parameters
    ----------
    count, n : array of int
        How many of how many.
    level : float
        Coverage, at least.
    """
    count, n = np.broadcast_arrays(np.asarray(count, float), np.asarray(n, float))
    tail = (1 - level) / 2
    left = n - count
    lower = np.where(count > 0, special.betaincinv(np.maximum(count, 1), left + 1, tail), 0.0)
    upper = np.where(left > 0, special.betaincinv(count + 1, np.maximum(left, 1), 1 - tail), 1.0)
    return np.where(n > 0, lower, np.nan), np.where(n > 0, upper, np.nan)
