"""Factors from a table of runs: joined by name to curves of any shape, and refused where the join is in doubt."""

from __future__ import annotations

import pandas as pd
import pytest
from bnstudy.study.errors import InputError

from tests.analysis.external.made_up import ANSWER, gains, score, table


def named() -> pd.DataFrame:
    """The curves of `table()`, whose runs have names and nothing else."""
    frame = table()
    frame["Name"] = [f"run {code}" for code in frame.groupby(["norm", "init", "seed"]).ngroup()]
    return frame


CURVES = named()[["Name", "step", "acc"]]
RUNS = named().groupby("Name", as_index=False)[["norm", "init", "seed"]].first()[::-1]


def test_a_history_is_joined_by_its_column_of_names():
    scored = score(CURVES, runs=RUNS)
    assert gains(scored) == ANSWER
    assert not [note for note in scored.notes if "passed over" in note]
    assert gains(score(CURVES.rename(columns={"Name": "run_name"}), runs=RUNS)) == ANSWER


def test_a_wide_table_is_joined_by_the_names_of_its_columns(tmp_path):
    wide = CURVES.pivot(index="step", columns="Name", values="acc")
    wide.columns = [f"{name} - acc" for name in wide.columns]
    wide.reset_index().to_csv(tmp_path / "chart.csv", index=False)
    other = pd.DataFrame({"Name": ["run 99"], "norm": ["batch"], "init": ["worse"], "seed": [7]})
    pd.concat([RUNS, other]).to_csv(tmp_path / "runs.csv", index=False)
    with pytest.raises(InputError, match=r"with --from-name .* from the runs' names .*, with --runs from a table"):
        score(tmp_path / "chart.csv", wide=True)
    scored = score(tmp_path / "chart.csv", wide=True, runs=tmp_path / "runs.csv")
    assert gains(scored) == ANSWER
    assert f"{tmp_path / 'runs.csv'}: 1 run without curves passed over" in scored.notes


def test_a_folder_of_files_is_joined_by_their_names(tmp_path):
    for name, curve in CURVES.groupby("Name"):
        curve[["step", "acc"]].to_csv(tmp_path / f"{name}.csv", index=False)
    assert gains(score(tmp_path, runs=RUNS)) == ANSWER
    assert len(score(tmp_path, runs=RUNS, seed=None, unpaired=True).scores.seed) == 3


def test_names_and_the_table_may_each_hold_some():
    frame = CURVES.assign(Name=named()["norm"] + " " + CURVES["Name"])
    runs = RUNS.assign(Name=RUNS["norm"] + " " + RUNS["Name"]).drop(columns="norm")
    assert gains(score(frame, from_name="{norm} run {}", runs=runs)) == ANSWER


def test_runs_may_go_by_an_id_where_names_are_none():
    runs = RUNS.rename(columns={"Name": "ID"}).assign(Name="mine")
    assert gains(score(CURVES.rename(columns={"Name": "run_id"}), runs=runs)) == ANSWER


@pytest.mark.parametrize(("runs", "told", "key"), [
    (RUNS.rename(columns={"init": "start"}), "neither the curves nor the table of runs have .* 'init'", "condition"),
    (RUNS.rename(columns={"Name": "called"}), "has no column name or run that says which run", "runs"),
    (RUNS.iloc[2:], "the table of runs has no row for 'run 9'.*, nor for 1 more", "runs"),
    (pd.concat([RUNS, RUNS.iloc[:1].assign(seed=99)]), "several rows for 'run 9', which differ", "runs"),
    ("nowhere.csv", "nowhere.csv is not there", None),
])  # fmt: skip
def test_what_is_in_doubt_is_refused(runs, told, key):
    with pytest.raises(InputError, match=told) as refused:
        score(CURVES, runs=runs)
    assert refused.value.key == key


def test_rows_that_say_the_same_are_one():
    assert gains(score(CURVES, runs=pd.concat([RUNS, RUNS]))) == ANSWER


def test_what_both_hold_or_neither_needs_is_refused():
    with pytest.raises(InputError, match="'norm' is a column of the curves and of the table of runs"):
        score(CURVES.assign(norm=named()["norm"]), runs=RUNS)
    with pytest.raises(InputError, match="is not needed"):
        score(table(), runs=RUNS)
    with pytest.raises(InputError, match="no column that holds the names"):
        score(CURVES.drop(columns="Name"), runs=RUNS)


def test_the_table_of_runs_alone_says_what_it_is_for():
    frame = RUNS.assign(State="finished", Created="today", Runtime=1)
    with pytest.raises(InputError, match=r"has no curves: export a chart's data, .* give this table with --runs"):
        score(frame)


def test_runs_that_were_not_finished_are_told():
    runs = RUNS.assign(State=["crashed"] + ["finished"] * (len(RUNS) - 1))
    assert "1 run was not finished (State crashed)" in score(CURVES, runs=runs).notes


def test_a_chart_that_is_not_said_to_be_wide_is_told_and_so_is_its_greatest_value():
    wide = CURVES.pivot(index="step", columns="Name", values="acc")
    wide.columns = [f"{name} - acc__MAX" for name in wide.columns]
    wide = wide.reset_index()
    with pytest.raises(InputError, match="say --wide too") as refused:
        score(wide, from_name="{norm}", value="step", step="step2")
    assert refused.value.key == "from_name"
    notes = score(wide, wide=True, runs=RUNS, value="acc__MAX").notes
    assert any("'acc__MAX' is the greatest of the points that a chart draws as one" in note for note in notes)
