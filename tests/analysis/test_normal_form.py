"""Batch size and weight decay as factors: trained like studies of their own, and judged each by itself."""

from __future__ import annotations

import re

import numpy as np
import pytest
import xarray as xr
from bnstudy.analysis.criteria import Criteria
from bnstudy.analysis.export.tidy import run_table
from bnstudy.analysis.figures.gallery import draw_all
from bnstudy.analysis.normal_form import ARMS, CURVE_DIMS, arm_form, factor_form, setting_levels
from bnstudy.analysis.report import write_report
from bnstudy.analysis.results import Results, assess
from bnstudy.analysis.tables.sentences import sentences
from bnstudy.analysis.tables.summary import sweep_table
from bnstudy.storage.extension import extend
from bnstudy.storage.opening import open_results
from bnstudy.storage.store import Store
from bnstudy.study.enlarging import extended
from bnstudy.study.study import Study
from bnstudy.training.running.execution import run

from tests.synthetic import make_dataset

SETTINGS = {
    "dataset": "digits", "train_size": 150, "models": "mlp", "hidden": "8", "epochs": 2, "seeds": 2,
    "inits": "default,zero", "batch_size": "50,20", "weight_decay": "0,0.1",
}  # fmt: skip
LABELS = [f"batch size {size}, weight decay {decay}" for size in (50, 20) for decay in ("0", "0.1")]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("further") / "study"
    run(Study.make(SETTINGS), folder)
    return folder, open_results(folder)


def test_they_are_dimensions_before_the_seed(stored):
    _, dataset = stored
    named = ("model", "norm", "init", "batch_size", "weight_decay", "seed", "epoch")
    assert dataset.test_accuracy.dims == named
    assert dataset.n_parameters.dims == ("model", "norm")
    assert dataset.batch_size.values.tolist() == [50, 20]
    assert (dataset.status == 1).all()


@pytest.mark.parametrize(("size", "decay"), [(50, 0.0), (20, 0.1)])
def test_each_level_trains_as_in_a_study_of_its_own(stored, tmp_path, size, decay):
    _, dataset = stored
    alone = run(Study.make({**SETTINGS, "batch_size": size, "weight_decay": decay}), tmp_path / "alone")
    assert alone.test_accuracy.dims == ("model", "norm", "init", "seed", "epoch")
    here = dataset.sel(batch_size=size, weight_decay=decay, drop=True)
    for name in ("train_loss", "test_accuracy", "weight_norm"):
        assert np.array_equal(here[name].transpose(*alone[name].dims), alone[name])
    other = dataset.sel(batch_size=70 - size, weight_decay=decay, drop=True)
    assert not np.array_equal(other.train_loss, here.train_loss)


def test_as_settings_every_number_keeps_its_place(stored):
    _, dataset = stored
    results = Results(dataset)
    assert results.dataset.test_accuracy.dims == CURVE_DIMS
    assert results.runs.setting.values.tolist() == LABELS
    assert results.runs.test_accuracy.dims == ARMS
    there = dataset.train_loss.sel(batch_size=20, weight_decay=0.1, drop=True).transpose("model", "init", "norm", ...)
    assert np.array_equal(results.runs.train_loss.isel(setting=3), there)
    assert setting_levels(results.runs)[3] == {
        "optimizer": "sgd", "lr": 0.01, "batch_size": 20, "weight_decay": 0.1, "activation": "relu",
    }  # fmt: skip
    assert factor_form(results.dataset).identical(results.dataset)


def test_all_that_reads_a_dataset_reads_this_one(stored, tmp_path):
    folder, dataset = stored
    results = Results(dataset)
    result = results.assessment
    assert result.setting.values.tolist() == LABELS
    (sentence,) = sentences(result).values()
    assert all(f"With {label}, Batch Normalization: " in sentence for label in LABELS)
    assert len(sweep_table(results).rows) == 8
    assert LABELS[3] in write_report(folder, tmp_path / "page.html").read_text()
    drawn = draw_all(results, tmp_path, ["accuracy-curves", "forest"])
    words = " ".join(re.findall("<!-- (.*?) -->", drawn[0].paths[0].read_text()))  # text is drawn as shapes
    assert LABELS[0] in words  # the first, which it says it shows
    table = run_table(dataset)
    assert len(table) == 2 * 2 * 4 * 2
    row = table[(table.batch_size == 20) & (table.weight_decay == 0.1) & (table.norm == "batch") & (table.seed == 1)]
    assert row.final_accuracy.tolist() == pytest.approx(
        dataset.test_accuracy.sel(batch_size=20, weight_decay=0.1, norm="batch", seed=1).isel(epoch=-1).values.ravel()
    )


def test_a_study_is_extended_by_them(tmp_path):
    small = Study.make({**SETTINGS, "batch_size": 50, "weight_decay": 0, "inits": "default", "norms": "none"})
    before = run(small, tmp_path / "study")
    larger = extended(small, {"batch_size": "20"})
    assert larger.batch_size == (50, 20)
    extend(tmp_path / "study", larger)
    assert len(Store.open(tmp_path / "study").pending()) == 1
    after = run(larger, tmp_path / "study")
    assert after.train_loss.dims[3] == "batch_size"
    xr.testing.assert_equal(after.train_loss.sel(batch_size=50), before.train_loss)


def test_a_dataset_as_stored_is_the_same_with_every_factor_a_dimension():
    dataset = make_dataset(validation=True)
    full = factor_form(dataset)
    assert factor_form(full).identical(full)
    assert np.isnan(full.batch_size).all()  # nobody says it
    scalar = dataset.squeeze(["optimizer", "lr"])
    assert factor_form(scalar).identical(full)
    assert assess(scalar).identical(assess(dataset))
    unsaid = factor_form(dataset.squeeze(["optimizer", "lr"], drop=True))
    assert unsaid.test_accuracy.dims == CURVE_DIMS
    assert unsaid.optimizer.values.tolist() == [""]


def test_arms_and_conditions_are_what_is_asked_about():
    dataset = factor_form(make_dataset(lrs=[0.1, 0.01], optimizers=["sgd", "adam"]))
    runs = arm_form(dataset, Criteria(treatment="model", control="mlp", condition="lr"))
    assert runs.test_accuracy.dims == ARMS
    assert (runs.arm.values.tolist(), runs.condition.values.tolist()) == (["mlp", "cnn"], ["0.1", "0.01"])
    assert runs.model.values.tolist() == [""]
    assert runs.sizes["setting"] == 2 * 4 * 2
    at = {"norm": "batch", "init": "zero", "optimizer": "adam"}
    setting = runs.setting.values.tolist().index("batch, zero, adam")
    there = (
        dataset.test_accuracy.sel(at)
        .squeeze(["batch_size", "weight_decay", "activation"])
        .transpose("lr", "model", ...)
    )
    assert np.array_equal(runs.test_accuracy.isel(model=0, setting=setting), there)
