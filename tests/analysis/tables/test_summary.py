"""The tables say what the data say."""

from __future__ import annotations

import pytest
from bnstudy.analysis import responses
from bnstudy.analysis.results import Results
from bnstudy.analysis.tables.summary import REPORTED, report_table, sweep_table

from tests.synthetic import make_dataset


def rows(table):
    return {row[0]: row[1:] for row in table.rows if not row[0].startswith(" ")}


def test_the_reports_numbers_stand_below_ours():
    table = report_table(Results(make_dataset(inits=["default"])))
    assert table.header == ("", "CNN with BN", "CNN without BN", "MLP with BN", "MLP without BN")
    below = [row for row in table.rows if row[0].strip() == "reported"]
    assert below[0][1:] == ("9", "10", "3", "5")
    assert below[-1][1:] == tuple(REPORTED[arm]["test_accuracy"] for arm in REPORTED)


def test_ours_are_the_means_over_seeds():
    dataset = make_dataset(inits=["default"])
    arm = dataset.sel(model="cnn", norm="batch").squeeze()
    found = rows(report_table(Results(dataset)))
    assert found["test accuracy, %"][0].split(" ± ")[0] == f"{100 * float(arm.test_accuracy[:, -1].mean()):.2f}"
    assert found["s per epoch, alone"][0] == "2"
    mean = float(responses.epochs_to_target(arm, 0.98).epochs.mean())
    assert found["epochs to >98 %"][0].split(" ± ")[0] == f"{mean:.1f}"
    assert found["s to >98 %"][0].split(" ± ")[0] == f"{2 * mean:.3g}"


def test_runs_that_never_reach_the_target_are_said():
    dataset = make_dataset(inits=["default"])
    never = rows(report_table(Results(dataset.assign(test_accuracy=0.9 * dataset.test_accuracy))))
    assert set(never["epochs to >98 %"]) == {"never in 6"}
    assert set(never["s to >98 %"]) == {"never"}
    some = make_dataset(models=["mlp"], norms=["none"], inits=["default"], diverged=1)
    assert rows(report_table(Results(some)))["epochs to >98 %"][0].endswith("(2 of 3)")


@pytest.mark.parametrize(
    "shape", [{"pending": 10_000}, {"seeds": 1}, {"diverged": 10_000}, {"norms": ["none", "layer"]}]
)
def test_any_dataset_has_its_tables(shape):
    dataset = make_dataset(**shape)
    for table in (report_table(Results(dataset)), sweep_table(Results(dataset))):
        assert all(len(row) == len(table.header) for row in table.rows)
        assert not any("nan" in cell for row in table.rows for cell in row)


def test_the_sweep_has_a_row_for_each_cell_but_the_norm():
    dataset = make_dataset(lrs=[0.1, 0.01], diverged=1)
    table = sweep_table(Results(dataset))
    assert len(table.rows) == 2 * 4 * 2
    assert table.header[:4] == ("model", "init", "role", "setting")
    assert "(1 diverged)" in table.rows[0][4]


def test_a_target_that_no_run_reaches_has_no_column():
    for norms in (["none", "batch"], ["none", "batch", "layer", "rms"]):
        dataset = make_dataset(norms=norms, seeds=2)
        table = sweep_table(Results(dataset.assign(test_accuracy=0.9 * dataset.test_accuracy)))
        assert not any("epochs" in name for name in table.header)
        assert {len(row) for row in table.rows} == {len(table.header)}
        assert "No run exceeds 98 %" in table.notes[0]
        assert any("epochs" in name for name in sweep_table(Results(dataset)).header)


def test_many_norms_stand_below_each_other():
    dataset = make_dataset(norms=["none", "batch", "layer", "rms"])
    table = sweep_table(Results(dataset))
    assert table.header == ("model", "init", "role", "norm", "accuracy, %", "epochs to >98 %")
    assert len(table.rows) == 2 * 4 * 4
    assert [row[3] for row in table.rows[:4]] == ["none", "batch", "layer", "rms"]
    mean = 100 * float(dataset.test_accuracy.sel(model="mlp", norm="rms", init="default").isel(epoch=-1).mean())
    assert table.rows[3][4].startswith(f"{mean:.2f} ± ")
