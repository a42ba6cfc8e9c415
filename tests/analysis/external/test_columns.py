"""Columns: found by name, levels written alike, wide tables melted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from bnstudy.analysis.external.columns import levels_of, number_label
from bnstudy.study.errors import InputError

from tests.analysis.external.made_up import ANSWER, gains, score, table


def wide(frame):
    """The chart export of Weights & Biases: a column a run, blanks where another run was logged."""
    frame = frame.assign(step=frame.step + 0.1 * frame.seed)
    runs = frame.norm + "_" + frame.init + "_" + frame.seed.astype(str) + " - val/acc"
    found = frame.assign(run=runs).pivot(index="step", columns="run", values="acc").reset_index(names="Step")
    both = [found, found.drop(columns="Step").add_suffix("__MIN"), found.drop(columns="Step").add_suffix("__MAX")]
    return pd.concat(both, axis=1)


def test_a_wide_table_is_melted(tmp_path):
    asked = {"wide": True, "from_name": "{norm}_{init}_{seed}", "step": "Step", "value": "val/acc"}
    wide(table()).to_csv(tmp_path / "chart.csv", index=False)
    for source in (tmp_path / "chart.csv", wide(table())):
        scored = score(source, **asked)
        assert scored.scores.sizes == {"model": 1, "setting": 1, "condition": 2, "arm": 2, "seed": 3}
        assert gains(scored) == pytest.approx(ANSWER, abs=0.02)
        assert not any("means of several" in note for note in scored.notes)
    with pytest.raises(InputError, match="did you mean 'val/acc'"):
        score(wide(table()), **{**asked, "value": "val/ac"})
    with pytest.raises(InputError, match="NAME - METRIC"):
        score(table(), **{**asked, "step": "step"})
    grouped = wide(table())
    grouped.iloc[:, -1] += 0.1
    assert any("means of several" in note for note in score(grouped, **asked).notes)


@pytest.mark.parametrize(
    ("column", "labels"),
    [
        ([0, 0.5, 10], ["0", "0.5", "10"]),
        (["10", "0.0", "0", " 0.50"], ["0", "0.5", "10"]),
        (["b", "a", "b "], ["b", "a"]),
        (["0", "none"], ["0", "none"]),
        ([True, False], ["True", "False"]),
        (np.array([0.1, 1e-5], np.float32), ["1e-05", "0.1"]),
        ([1234567, 1234568], ["1234567", "1234568"]),
        ([0.1234567], ["0.1234567"]),
        ([1.0, np.nan], ["1"]),
        (["", "x", None], ["x"]),
    ],
)
def test_levels_are_labels(column, labels):
    found = levels_of(pd.Series(column), "c", "by")
    assert found.labels == labels
    assert found.codes.max() == len(labels) - 1
    assert (found.codes[[one in ("", None) or one != one for one in column]] == -1).all()


def test_a_number_is_written_short_where_that_is_the_same():
    assert [number_label(one) for one in (0.0, -0.0, 1e6, np.float32(0.1), 2**53)] == [
        "0",
        "0",
        "1e+06",
        "0.1",
        str(2**53),
    ]


@pytest.mark.parametrize("label", ["a\nb", "=cmd()", "x" * 200, "\x1b[31m"])
def test_a_label_that_is_no_plain_text_is_refused(label):
    with pytest.raises(InputError, match="short, plain text") as refused:
        score(table().replace({"init": {"bad": label}}))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "key", "reason"),
    [
        ({"value": "ac"}, "value", "did you mean 'acc'"),
        ({"seed": "sede"}, "seed", "did you mean 'seed'"),
        ({"step": "epoch"}, "step", "without steps"),
        ({"control": "Non"}, "control", "did you mean 'none'"),
        ({"reference": "0"}, "reference", "'init' has good, bad"),
        ({"well": ("x",)}, "well", "no level 'x'"),
    ],
)
def test_the_nearest_name_is_told(change, key, reason):
    with pytest.raises(InputError, match=reason) as refused:
        score(table(), **change)
    assert refused.value.key == key


def test_tables_whose_factors_stand_in_names_are_told_of_from_name():
    named = table()[["step", "acc"]].assign(Name="none-good-0")
    with pytest.raises(InputError, match=r"with --from-name '\{norm\}-\{init\}-\{seed\}' .* in column 'Name'"):
        score(named)
    chart = table()[["step"]].assign(**{"none-good-0 - acc": 0.5, "none-good-0 - acc__MIN": 0.5})
    with pytest.raises(
        InputError, match=r"a chart's export of W&B .*read it with --wide, and with --from-name '\{norm\}-"
    ):
        score(chart)


def test_tables_without_runs_are_told_from_misspelled_ones():
    with pytest.raises(InputError, match="curves of one run"):
        score(table()[["step", "acc"]])
    rewards = table()[["step", "acc"]].assign(acc=lambda frame: -frame.acc)
    with pytest.raises(InputError, match=r"one run.* 'acc', which goes below 0, can be \(--best"):
        score(rewards)
    with pytest.raises(InputError, match=r"one run.* stopped at its first row .*--stopped"):
        score(table()[["step", "acc"]].head(1))
    with pytest.raises(InputError, match="W&B"):
        score(table().assign(State="finished", Created=0, Runtime=0))
    with pytest.raises(InputError, match="means over runs"):
        score(table().groupby(["norm", "init", "step"]).acc.agg(acc="mean", acc_std="std").reset_index())


@pytest.mark.parametrize("cell", ["high", "0,5", "65%"])
def test_a_value_that_is_no_number_is_refused(cell):
    frame = table().astype({"acc": str})
    frame.loc[3, "acc"] = cell
    with pytest.raises(InputError, match="row 4"):
        score(frame)
