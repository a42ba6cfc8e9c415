"""The verdict under every choice: the declared one is among them, and each choice is what it says."""

from __future__ import annotations

import numpy as np
import pytest
from bnstudy.analysis import multiverse
from bnstudy.analysis.assessment import cells
from bnstudy.analysis.figures import multiverse as pictures
from bnstudy.analysis.results import Results
from bnstudy.analysis.tables.multiverse import multiverse_table
from bnstudy.study.registry import figures

from tests.conftest import ROOT
from tests.synthetic import make_dataset


@pytest.fixture(scope="module")
def published() -> Results:
    return Results.open(ROOT / "studies" / "data" / "learning-rate")


def test_the_declared_verdict_is_one_of_them(published):
    at = {"response": multiverse.DECLARED, "budget": "20 epochs", "reference": "default"}
    declared = [one for one in published.multiverse if all(getattr(one, name) == level for name, level in at.items())]
    for cell in cells(published.assessment, poor=True):
        (one,) = (one for one in declared if (one.model, one.condition, one.rate) ==
                  (cell["model"], cell["condition"], cell["setting"]))  # fmt: skip
        assert one.word == cell["word"]
        assert one.gain * published.criteria.margin == pytest.approx(cell["gain"])
    selected = {(one.model, one.condition): one.word for one in declared if one.rate == "selected"}
    for cell in cells(published.at_selected_rates.assessment, poor=True):
        assert selected[cell["model"], cell["condition"]] == cell["word"]


def test_every_combination_is_there_once(published):
    told = published.multiverse
    choices = [{getattr(one, name) for one in told} for name in multiverse.CHOICES]
    comparisons = {(one.model, one.condition) for one in told}
    assert len(told) == len(comparisons) * np.prod([len(levels) for levels in choices])
    assert choices[1:] == [{"20 epochs", "10 epochs", "5 epochs"}, {"default", "scaled-normal:1"},
                           {"lr 0.001", "lr 0.01", "lr 0.1", "selected"}]  # fmt: skip
    for row in multiverse.shares(told):
        assert sum(row["words"].values()) == row["specifications"] == np.prod([len(levels) for levels in choices])
    table = multiverse_table(told)
    assert len(table.rows) == len(comparisons)
    assert all(len(row) == len(table.header) for row in table.rows)


def test_a_target_that_nobody_reaches_says_nothing():
    dataset = make_dataset(models=["mlp"], seeds=8)
    dataset.test_accuracy[:] = 0.5
    told = Results(dataset).multiverse
    words = {one.word for one in told if one.response.startswith("epochs to")}
    assert words == {"unclear"}


def test_the_curve_is_of_the_most_disputed_where_something_learns(published):
    figure = figures["specification-curve"].function(published)
    title = figure.get_suptitle()
    disputes = {row["condition"]: pictures._dispute(row) for row in multiverse.shares(published.multiverse)}
    assert max(disputes, key=lambda condition: disputes[condition]) in title


def test_a_new_response_is_one_row(monkeypatch):
    """It is judged with its own margin, and stands in the table and in both figures."""
    loss = multiverse.Response("final loss", "nat", lambda runs, _: runs.test_loss.isel(epoch=-1, drop=True),
                               lambda criteria: 10.0)  # fmt: skip
    monkeypatch.setattr(multiverse, "RESPONSES", (*multiverse.RESPONSES, loss))
    results = Results(make_dataset(models=["mlp"], seeds=8))
    told = [one for one in results.multiverse if one.response == "final loss"]
    assert {one.word for one in told} == {"none"}  # all lie within 10 nat
    final = results.runs.test_loss.isel(epoch=-1, setting=0).sel(model="mlp", condition="zero")
    gained = float((final.sel(arm="none") - final.sel(arm="batch")).median("seed"))
    whole = next(one for one in told if one.condition == "zero" and one.budget == "6 epochs")
    assert whole.gain == pytest.approx(gained / 10)
    assert any("final loss" in label.get_text() for label in
               figures["specification-curve"].function(results).axes[1].get_yticklabels())  # fmt: skip
