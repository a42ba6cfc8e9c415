"""How often and how soon runs exceed the target: shares, survival, performance profiles, robust width."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bnstudy.analysis import responses
from bnstudy.analysis.summaries import share_interval

SCALED = "scaled-normal"
OFTEN = 0.9  # of the runs have to exceed the target for a scale to count as robust


def reach(dataset: xr.Dataset, target: float) -> xr.Dataset:
    """How many runs of a cell exceed the target.

    Returns
    -------
    Dataset
        ``reached`` and ``n`` (runs observed), ``share`` with ``lower`` and ``upper`` (exact 95 % interval), over the
        cell dimensions; NaN where nothing was observed.
    """
    seen = responses.observed(dataset)
    reached = responses.epochs_to_target(dataset, target).reached.where(seen, False).sum("seed")
    return _share(reached, seen.sum("seed"))


def survival(dataset: xr.Dataset, target: float) -> xr.Dataset:
    """Share of runs that have not yet exceeded the target, after each epoch.

    Every run is followed to the last epoch, or counts as never getting there, so this is both the empirical survival
    function and Kaplan and Meier's (1958, J. Am. Stat. Assoc. 53:457).

    Returns
    -------
    Dataset
        ``share``, ``lower``, ``upper`` and ``n`` over the cell dimensions and ``epoch``.
    """
    seen = responses.observed(dataset)
    crossing = responses.epochs_to_target(dataset, target)
    waiting = ~crossing.reached | (crossing.epochs > dataset.epoch)
    return _share(waiting.where(seen, False).sum("seed"), seen.sum("seed"))


def _share(count: xr.DataArray, n: xr.DataArray) -> xr.Dataset:
    count, n = xr.broadcast(count, n)
    lower, upper = share_interval(count.values, n.values)
    found = {"share": count / n.where(n > 0), "lower": count.copy(data=lower), "upper": count.copy(data=upper)}
    return xr.Dataset({"reached": count, "n": n, **found})


def times_the_fastest(dataset: xr.Dataset, target: float) -> xr.DataArray:
    """Epochs to the target over those of the faster arm, run by run; infinite where the target is not reached.

    An arm is compared with the others at the same model, setting, condition and seed (Dolan & Moré 2002,
    Math. Program. 91:201). NaN where an arm was not observed.
    """
    crossing = responses.epochs_to_target(dataset, target)
    epochs = crossing.epochs.where(crossing.reached, np.inf)
    best = epochs.min("arm", skipna=False)
    ratio = (epochs / best).where(np.isfinite(epochs), np.inf)
    return ratio.where(responses.observed(dataset).all("arm"))


def profile(ratio: xr.DataArray, within: np.ndarray) -> xr.DataArray:
    """Share of a seed's conditions in which an arm is within a factor of the faster one: dims of `ratio`, ``within``.

    Parameters
    ----------
    ratio : DataArray
        Of :func:`times_the_fastest`; averaged over ``condition``.
    within : array (n,)
        The factors.
    """
    factors = xr.DataArray(within, dims="within", coords={"within": within})
    return (ratio <= factors).where(ratio.notnull()).mean("condition")


def scaled_levels(dataset: xr.Dataset, dim: str = "init") -> dict[str, float]:
    """The levels of scaled-normal and their scales, by rising scale; empty if the dataset does not say.

    `dim` is what the dimension of inits is called; there are none if inits lie elsewhere.
    """
    if any(name not in dataset.coords or dataset[name].dims != (dim,) for name in ("init_family", "init_value")):
        return {}
    levels = zip(dataset[dim].values.tolist(), dataset.init_family.values, dataset.init_value.values, strict=True)
    scales = {label: float(value) for label, family, value in levels if family == SCALED and value > 0}
    return dict(sorted(scales.items(), key=lambda level: level[1]))


def robust_width(dataset: xr.Dataset, target: float, often: float = OFTEN) -> xr.Dataset:
    """Decades of scale over which a share of at least `often` of the runs exceeds the target.

    The widest run of neighbouring scales of scaled-normal counts: the true width is larger, by up to the gap to the
    next scale on either side.

    Returns
    -------
    Dataset
        ``width`` in decades, 0 for a single scale, NaN where no scale does or nothing was observed; ``lowest`` and
        ``highest`` scale; over the other dimensions of a cell.
    """
    levels = scaled_levels(dataset, "condition")
    share = reach(dataset, target).share.sel(condition=list(levels)).transpose(..., "condition")
    scales = np.array(list(levels.values()))
    ends = np.apply_along_axis(_widest, -1, share.values >= often - 1e-9, scales)
    over = share.isel(condition=0, drop=True)
    lowest, highest = over.copy(data=ends[..., 0]), over.copy(data=ends[..., 1])
    return xr.Dataset({"width": np.log10(highest / lowest), "lowest": lowest, "highest": highest})


def _widest(enough: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Ends of the widest run of neighbouring scales that are all enough; NaN if none is."""
    best = (np.nan, np.nan)
    start = None
    for i, one in enumerate(enough):
        start = (i if start is None else start) if one else None
        if start is not None and not scales[i] / scales[start] <= best[1] / best[0]:
            best = (scales[start], scales[i])
    return np.array(best)
