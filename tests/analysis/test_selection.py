"""Learning rates selected by validation, and what is then judged."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
import xarray as xr
from bnstudy.analysis import scores
from bnstudy.analysis.results import Results
from bnstudy.analysis.selection import SELECTED, select_lr
from bnstudy.analysis.tables.formats import to_csv
from bnstudy.analysis.tables.selected_rates import selected_rows, selection_table
from bnstudy.study.errors import InputError
from bnstudy.study.schema import Status

from tests import second_opinion
from tests.analysis.made_up import with_status
from tests.synthetic import CURVE_DIMS, make_dataset

RATES = [0.1, 0.001, 0.01]  # not in order
N = 8


def study() -> xr.Dataset:
    """At lr 0.1 the plain arm is slow when poor, and validation prefers 0.001 there; elsewhere both arms do alike."""
    dataset = make_dataset(models=["mlp"], inits=["default", "zero"], lrs=RATES, seeds=N, epochs=60)
    at = xr.where((dataset.norm == "none") & (dataset.init == "zero") & (dataset.lr == 0.1), 54, 5)
    at = at + xr.where(dataset.norm == "none", dataset.seed % 2, 1 - dataset.seed % 2)
    test = xr.where(dataset.epoch >= at, 0.99, 0.5).broadcast_like(dataset.test_accuracy).transpose(*CURVE_DIMS)
    best = xr.where((dataset.norm == "none") & (dataset.init == "zero"), 0.001, 0.1)
    validation = xr.where(dataset.lr == best, 0.9, 0.8).broadcast_like(test).transpose(*CURVE_DIMS)
    return dataset.assign(test_accuracy=test, validation_accuracy=validation).copy(deep=True)


def of(rates: xr.DataArray, norm: str, init: str) -> list[float]:
    return rates.sel(norm=norm, init=init).values.ravel().tolist()


def test_each_run_gets_the_rate_of_its_cells_best_validation_score():
    dataset = study()
    chosen, rates = select_lr(dataset)
    assert of(rates, "none", "zero") == [0.001] * N
    assert set(rates.sel(init="default").values.ravel()) == {0.1}
    assert chosen.lr.values.tolist() == [SELECTED]
    for norm, init, lr in (("none", "zero", 0.001), ("batch", "zero", 0.1), ("none", "default", 0.1)):
        there = chosen.test_accuracy.sel(norm=norm, init=init, lr=SELECTED)
        assert np.array_equal(there, dataset.test_accuracy.sel(norm=norm, init=init, lr=lr))


def test_a_runs_own_validation_score_has_no_say_in_its_rate():
    """One seed for which another rate is best: it is the others that are given it, or nobody."""
    dataset = study()
    dataset.validation_accuracy.loc[{"norm": "none", "init": "zero", "lr": 0.01}] = 0.89
    dataset.validation_accuracy.loc[{"norm": "none", "init": "zero", "lr": 0.01, "seed": 3}] = 1.0
    _, rates = select_lr(dataset)
    assert of(rates, "none", "zero") == [0.01] * 3 + [0.001] + [0.01] * 4
    weak = study()
    weak.validation_accuracy.loc[{"norm": "none", "init": "zero", "lr": 0.01, "seed": 3}] = 0.91
    assert of(select_lr(weak)[1], "none", "zero") == [0.001] * N


def test_it_is_the_second_opinions(rng):
    dataset = study()
    dataset.validation_accuracy[:] = rng.uniform(0.5, 0.99, dataset.validation_accuracy.shape)
    _, rates = select_lr(dataset)
    score = scores.score(dataset, "validation")
    for norm, init in (("none", "default"), ("batch", "zero")):
        cell = score.sel(norm=norm, init=init).squeeze()
        listed = {(lr, seed): float(cell.sel(lr=lr, seed=seed)) for lr in RATES for seed in range(N)}
        assert of(rates, norm, init) == list(second_opinion.selected_rates(listed).values())


def test_without_another_seed_no_rate_is_selected_and_the_run_is_not_there():
    dataset = with_status(study(), {"norm": "none", "init": "zero", "seed": slice(1, None)}, Status.PENDING)
    dataset.validation_accuracy.loc[{"norm": "none", "init": "zero", "seed": slice(1, None)}] = np.nan
    _, rates = select_lr(dataset)
    assert np.isnan(of(rates, "none", "zero")[0])
    result = Results(dataset).at_selected_rates.assessment
    assert int(result.n.sel(condition="zero").squeeze()) == 0


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
    dataset = with_status(study(), {"lr": 0.1, "seed": slice(0, 5)}, Status.DIVERGED)
    dead = (dataset.lr == 0.1) & (dataset.seed < 6)
    _, rates = select_lr(dataset.assign(validation_accuracy=dataset.validation_accuracy.where(~dead)))
    assert 0.1 not in rates.values


def test_verdicts_side_by_side():
    results = Results(study())
    table = selection_table(results)
    (row,) = table.rows
    assert table.header == ("model", "poor init", "lr 0.001", "lr 0.01", "lr 0.1", "lr selected",
                            "gain there [95 %]", "at default", "rates × seeds, control / treated")  # fmt: skip
    assert row[1:6] == ("zero", "none", "none", "mainly", "none")
    assert row[-1] == f"0.001 ×{N} / 0.1 ×{N}"
    (plain,) = selected_rows(results)
    assert plain["setting"]["lr"] == "selected"
    assert plain["selected_lr"] == {"control": {"0.001": N}, "treated": {"0.1": N}}
    assert plain["verdict"] == "none"


def test_rates_that_differ_between_rows_have_columns_of_their_own():
    dataset = study().sel(init=["default", "zero", "zero"]).assign_coords(init=["default", "zero", "other"])
    dataset.validation_accuracy.loc[{"init": "other", "lr": 0.01}] = 0.99
    read = list(csv.DictReader(io.StringIO(to_csv(selected_rows(Results(dataset))))))
    assert [row["selected_lr.control.0.01"] for row in read] == ["", str(N)]
    assert [row["failures.control_runs"] for row in read] == [str(N)] * 2


def test_without_a_reference_nothing_is_called_nan():
    dataset = study().assign_coords(init_role=("init", ["poor", "poor"]))
    assert not any("nan" in text for row in selection_table(Results(dataset)).rows for text in row)


def test_nothing_to_select():
    with pytest.raises(InputError, match="no validation samples"):
        select_lr(make_dataset(lrs=RATES))
    with pytest.raises(InputError, match="one seed"):
        select_lr(study().isel(seed=[0]))
    one = make_dataset()
    with pytest.raises(InputError, match="one learning rate"):
        select_lr(one.assign(validation_accuracy=one.test_accuracy))
