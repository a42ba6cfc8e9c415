"""Batch size and weight decay as factors: trained like studies of their own, and judged each by itself."""

from __future__ import annotations

import re

import numpy as np
import pytest
import xarray as xr
from bnstudy.analysis import export
from bnstudy.analysis.assessment import assess
from bnstudy.analysis.figures.gallery import draw_all
from bnstudy.analysis.further import folded
from bnstudy.analysis.report import write_report
from bnstudy.analysis.table import sweep_table
from bnstudy.analysis.verdicts import sentences
from bnstudy.storage.extension import extend, extended
from bnstudy.storage.opening import open_results
from bnstudy.storage.store import Store
from bnstudy.study.study import Study
from bnstudy.training.running.execution import run

from tests.synthetic import make_dataset

SETTINGS = {
    "dataset": "digits", "train_size": 150, "models": "mlp", "hidden": "8", "epochs": 2, "seeds": 2,
    "inits": "default,zero", "batch_size": "50,20", "weight_decay": "0,0.1",
}  # fmt: skip
LABELS = [
    f"sgd, batch size {size}, weight decay {decay}" for size in (50, 20) for decay in ("0", "0.1")
]  # fmt: skip


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("further") / "study"
    run(Study.make(SETTINGS), folder)
    return folder, open_results(folder)


def test_they_are_dimensions_before_the_seed(stored):
    _, dataset = stored
    named = ("model", "norm", "init", "optimizer", "lr", "batch_size", "weight_decay", "seed", "epoch")
    assert dataset.test_accuracy.dims == named
    assert dataset.n_parameters.dims == ("model", "norm")
    assert dataset.batch_size.values.tolist() == [50, 20]
    assert (dataset.status == 1).all()


@pytest.mark.parametrize(("size", "decay"), [(50, 0.0), (20, 0.1)])
def test_each_level_trains_as_in_a_study_of_its_own(stored, tmp_path, size, decay):
    _, dataset = stored
    alone = run(Study.make({**SETTINGS, "batch_size": size, "weight_decay": decay}), tmp_path / "alone")
    assert len(alone.test_accuracy.dims) == 7
    here = dataset.sel(batch_size=size, weight_decay=decay, drop=True)
    for name in ("train_loss", "test_accuracy", "weight_norm"):
        assert np.array_equal(here[name].transpose(*alone[name].dims), alone[name])
    other = dataset.sel(batch_size=70 - size, weight_decay=decay, drop=True)
    assert not np.array_equal(other.train_loss, here.train_loss)


def test_folded_into_the_optimizer_every_number_keeps_its_place(stored):
    _, dataset = stored
    seven = folded(dataset)
    assert seven.optimizer.values.tolist() == LABELS
    assert seven.test_accuracy.dims == ("model", "norm", "init", "optimizer", "lr", "seed", "epoch")
    there = dataset.train_loss.sel(batch_size=20, weight_decay=0.1, optimizer="sgd", drop=True)
    assert np.array_equal(
        seven.train_loss.sel(optimizer=LABELS[3], drop=True),
        there.transpose(*seven.train_loss.dims[:3], "lr", "seed", "epoch"),
    )
    assert folded(seven) is seven


def test_all_that_reads_a_dataset_reads_this_one(stored, tmp_path):
    folder, dataset = stored
    result = assess(dataset)
    assert result.optimizer.values.tolist() == LABELS
    assert all("batch size 20" in row or "batch size 50" in row for row in sentences(result).values())
    assert len(sweep_table(dataset).rows) == 8
    assert "batch size 20, weight decay 0.1" in write_report(folder, tmp_path / "page.html").read_text()
    drawn = draw_all(dataset, tmp_path, ["accuracy-curves", "forest"])
    words = " ".join(re.findall("<!-- (.*?) -->", drawn[0].paths[0].read_text()))  # text is drawn as shapes
    assert "batch size 50, weight decay 0" in words  # the first, which it says it shows
    table = export.run_table(dataset)
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
    assert after.train_loss.dims[5] == "batch_size"
    xr.testing.assert_equal(after.train_loss.sel(batch_size=50, drop=True), before.train_loss)


def test_a_dataset_of_seven_dimensions_is_left_alone():
    dataset = make_dataset()
    assert folded(dataset) is dataset
