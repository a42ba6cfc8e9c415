"""Made-up studies with given gains: as scores alone, and as a dataset whose error is the same in every epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from bnstudy.study.factors import BY_NAME, FACTORS
from bnstudy.study.schema import Status
from bnstudy.study.study import Study

EPOCHS = 4
CONTROL = 0.25  # the control's error
S = np.arange(10)
NOISE = 0.02 * (S % 2)
AT_REFERENCE = 0.2 + NOISE
# Gains at the poor condition for which each word is given, where the reference's are 0.2.
GAINS = {
    "mainly": 3 + NOISE,
    "more": 0.35 + NOISE[::-1],
    "alike": 0.2 + NOISE[::-1],
    "less": 0.1 * (-1.0) ** S - 0.2 * (S % 3 == 0),
    "none": 0.1 - NOISE,
    "harms": -0.3 - NOISE,
    "unclear": 0.3 + 0.8 * (-1.0) ** S,
}  # fmt: skip


def study(
    gains: Mapping[str, Sequence[float] | np.ndarray], asked: Study | None = None, **attributes: object
) -> xr.Dataset:
    """Runs of ten seeds at the control's error, and of treated arms that are so many halvings better.

    Parameters
    ----------
    gains : mapping
        By condition: one gain a seed.
    asked : Study, optional
        Whose treatment, condition and levels these are; by default ``batch`` against ``none`` at these conditions,
        of which ``well`` is declared well.
    """
    n = len(next(iter(gains.values())))
    treatment, condition = (asked.treatment, asked.condition) if asked else ("norm", "init")
    factors = [one for one in FACTORS if one.always or (asked and one.name in asked.further)]
    levels = {one.name: list(getattr(asked, one.key)) if asked else list(one.default) for one in factors}
    if asked is None:
        levels |= {"model": ["mlp"], "init": list(gains)}
    control = asked.control if asked else "none"
    texts = {name: [BY_NAME[name].text(level) for level in listed] for name, listed in levels.items()}
    gain = xr.DataArray(np.array([gains[text] for text in texts[condition]]), dims=(condition, "seed"))
    treated = xr.DataArray([text != control for text in texts[treatment]], dims=treatment)
    shape = {**{name: len(listed) for name, listed in levels.items()}, "seed": n, "epoch": EPOCHS}
    error = (CONTROL * 2.0 ** -(gain * treated)).expand_dims({k: v for k, v in shape.items() if k not in gain.dims
                                                               and k != treatment})  # fmt: skip
    dataset = xr.Dataset({"test_accuracy": (1 - error).transpose(*shape)})
    dataset = dataset.assign_coords(
        {**levels, "seed": np.arange(n), "epoch": np.arange(1, EPOCHS + 1)}
    ).assign_attrs(classes=10, test_size=10**9, **attributes)  # fmt: skip
    if asked is None:
        roles = ["well" if label == "well" else "poor" for label in gains]
        return dataset.assign_coords(init_role=("init", roles))
    return dataset.assign_attrs(study=asked.to_toml(), study_hash=asked.digest)


def with_status(dataset: xr.Dataset, where: Mapping[str, object], status: Status) -> xr.Dataset:
    """The dataset with these runs pending, or diverged in their third epoch."""
    if "status" not in dataset:
        dims = [dim for dim in dataset.test_accuracy.dims if dim != "epoch"]
        done = np.full([dataset.sizes[dim] for dim in dims], Status.DONE, np.int8)
        dataset = dataset.assign(status=(dims, done))
    dataset = dataset.copy(deep=True)
    dataset.status.loc[dict(where)] = status
    gone = {**where, "epoch": slice(3, None)} if status == Status.DIVERGED else where
    dataset.test_accuracy.loc[dict(gone)] = np.nan
    return dataset
