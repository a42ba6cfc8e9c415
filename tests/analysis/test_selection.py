"""Learning rates selected by validation, and what is then judged."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from bnstudy.analysis.results import Results
from bnstudy.analysis.selection import SELECTED, select_lr
from bnstudy.analysis.tables.selected_rates import selected_rows, selection_table
from bnstudy.study.errors import InputError

from tests.synthetic import CURVE_DIMS, make_dataset

RATES = [0.1, 0.001, 0.01]  # not in order
N = 8


def study() -> xr.Dataset:
    """At lr 0.1 the plain arm diverges when poor and BN saves epochs; at 0.001 both arms do alike and best."""
    dataset = make_dataset(models=["mlp"], inits=["default", "zero"], lrs=RATES, seeds=N, epochs=20)
    at = xr.where((dataset.norm == "none") & (dataset.init == "zero") & (dataset.lr == 0.1), 18, 5)
    at = at + xr.where(dataset.norm == "none", dataset.seed % 2, 1 - dataset.seed % 2)
    test = xr.where(dataset.epoch >= at, 0.99, 0.5).broadcast_like(dataset.test_accuracy).transpose(*CURVE_DIMS)
    best = xr.where((dataset.norm == "none") & (dataset.init == "zero"), 0.001, 0.1)
    validation = xr.where(dataset.lr == best, 0.9, 0.8).broadcast_like(test).transpose(*CURVE_DIMS)
    return dataset.assign(test_accuracy=test, validation_accuracy=validation)


def test_each_cell_gets_the_rate_of_its_best_validation_accuracy():
    dataset = study()
    chosen, rates = select_lr(dataset)
    assert float(rates.sel(norm="none", init="zero").item()) == 0.001
    assert set(rates.sel(init="default").values.ravel()) == {0.1}
    assert chosen.lr.values.tolist() == [SELECTED]
    for norm, init, lr in (("none", "zero", 0.001), ("batch", "zero", 0.1), ("none", "default", 0.1)):
        there = chosen.test_accuracy.sel(norm=norm, init=init, lr=SELECTED)
        assert np.array_equal(there, dataset.test_accuracy.sel(norm=norm, init=init, lr=lr))


def test_test_accuracy_has_no_say():
    dataset = study()
    _, rates = select_lr(dataset)
    _, again = select_lr(dataset.assign(test_accuracy=1 - dataset.test_accuracy))
    assert rates.equals(again)


def test_the_smallest_of_rates_that_tie():
    dataset = study()
    _, rates = select_lr(dataset.assign(validation_accuracy=dataset.validation_accuracy * 0 + 0.5))
    assert set(rates.values.ravel()) == {0.001}


def test_a_rate_at_which_runs_diverge_counts_at_chance():
    dataset = study()
    dead = (dataset.lr == 0.1) & (dataset.seed < 6)
    dataset = dataset.assign(
        status=xr.where(dead, 2, dataset.status).transpose(*dataset.status.dims),
        validation_accuracy=dataset.validation_accuracy.where(~dead),
    )
    _, rates = select_lr(dataset)
    assert 0.1 not in rates.values


def test_verdicts_side_by_side():
    results = Results(study())
    table = selection_table(results)
    (row,) = table.rows
    assert table.header == ("model", "norm", "poor init", "lr 0.1", "lr 0.001", "lr 0.01", "lr selected",
                            "difference there", "lr none/norm")  # fmt: skip
    assert row[3] == "supported"
    assert row[4:7] == ("no-effect", "no-effect", "no-effect")
    assert row[-1] == "0.001/0.1"
    (plain,) = selected_rows(results)
    assert plain["lr"] == "selected"
    assert plain["selected_lr"] == {"none": 0.001, "batch": 0.1}
    assert plain["verdict"] == "no-effect"


def test_nothing_to_select():
    with pytest.raises(InputError, match="no validation samples"):
        select_lr(make_dataset(lrs=RATES))
    one = make_dataset()
    with pytest.raises(InputError, match="one learning rate"):
        select_lr(one.assign(validation_accuracy=one.test_accuracy))
