"""Runs that failed: an endpoint of their own, since a rare failure hides in any mean or median."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]


def mcnemar(control: Array, treated: Array) -> Array:
    """Exact McNemar test (1947, Psychometrika 12:153) that the arms fail equally often, two-sided.

    Parameters
    ----------
    control, treated : arrays (..., n)
        1 where a run failed, 0 where not, NaN where it is missing; pairs.

    Returns
    -------
    array (...)
        1 where no pair disagrees; NaN without pairs.
    """
    there = ~np.isnan(control + treated)
    one, other = ((control > treated) & there).sum(-1), ((treated > control) & there).sum(-1)
    smaller, both = np.minimum(one, other), one + other
    p = np.where(both > 0, np.minimum(1.0, 2 * special.bdtr(smaller, np.maximum(both, 1), 0.5)), 1.0)
    return np.where(there.any(-1), p, np.nan)


def fisher(control: Array, treated: Array) -> Array:
    """Exact test that the arms fail equally often, two-sided, of runs that are no pairs (Fisher 1935).

    The same parameters and result as :func:`mcnemar`.
    """
    from scipy.stats import fisher_exact

    shape = np.broadcast_shapes(control.shape[:-1], treated.shape[:-1])
    p = np.full(shape, np.nan)
    for where in np.ndindex(shape):
        arms = [arm[where][~np.isnan(arm[where])] for arm in (control, treated)]
        if all(len(arm) for arm in arms):
            p[where] = fisher_exact([[arm.sum(), (1 - arm).sum()] for arm in arms]).pvalue
    return p
