"""Means and intervals against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from bnstudy.analysis.summaries import mean_interval
from scipy import stats


def test_the_interval_is_students(rng):
    values = xr.DataArray(rng.normal(size=(4, 9)), dims=("init", "seed"))
    summary = mean_interval(values)
    for i in range(4):
        wanted = stats.ttest_1samp(values[i], 0).confidence_interval(0.95)
        assert float(summary["lower"][i]) == pytest.approx(wanted.low)
        assert float(summary["upper"][i]) == pytest.approx(wanted.high)
        assert float(summary["mean"][i]) == pytest.approx(values[i].mean().item())


def test_missing_values_are_left_out(rng):
    row = rng.normal(size=9)
    holes = np.where([True, False, False] * 3, np.nan, row)
    some = mean_interval(xr.DataArray(holes, dims="seed"))
    all_six = mean_interval(xr.DataArray(holes[~np.isnan(holes)], dims="seed"))
    assert int(some["n"]) == 6
    assert float(some["upper"]) == pytest.approx(float(all_six["upper"]))


def test_one_value_has_no_interval_and_none_no_mean():
    one = mean_interval(xr.DataArray([3.0], dims="seed"))
    assert float(one["mean"]) == 3
    assert np.isnan(one["lower"])
    none = mean_interval(xr.DataArray([np.nan], dims="seed"))
    assert np.isnan(none["mean"])
    assert int(none["n"]) == 0


def test_equal_values_have_an_interval_of_no_width():
    summary = mean_interval(xr.DataArray([2.0, 2.0, 2.0], dims="seed"))
    assert float(summary["lower"]) == float(summary["upper"]) == 2


@pytest.mark.parametrize("value", [100 * np.float32(0.1135), 0.1, 1 / 3, 98.06])
@pytest.mark.parametrize("n", [2, 3, 7, 10])
def test_the_mean_of_equal_values_lies_in_its_interval(value, n):
    found = mean_interval(xr.DataArray(np.full(n, value), dims="seed"))
    assert found.lower <= found["mean"] <= found.upper
    assert float(found.upper - found.lower) < 1e-6
