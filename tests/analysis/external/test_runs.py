"""Runs: what cannot be told apart, paired or compared is refused, with the mend."""

from __future__ import annotations

import pandas as pd
import pytest
from bnstudy.study.errors import InputError

from tests.analysis.external.made_up import ANSWER, gains, run_of, score, table

T = table()
OTHER = T.assign(acc=T.acc + 0.01)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (T[T.norm == "none"], "one level, 'none'"),
        (T[T.init == "good"], "nothing to judge"),
        (T[run_of(T)], "one level"),
        (table(seeds=1), "nothing is repeated"),
        (T[T.step == 4], "no curves"),
        (T[(T.norm != "none") | (T.init != "bad")], "no run of the control"),
        (T.assign(seed=T.seed + 10 * (T.norm == "batch")), "--unpaired"),
        (pd.concat([T, OTHER]), "logged twice"),
        (pd.concat([T.assign(lr=0.1), OTHER.assign(lr=0.2)]), "differ in 'lr'.*--by"),
        (pd.concat([T.assign(split="val"), OTHER.assign(split="test", step=OTHER.step + 0.5)]), "--by split"),
        (T.assign(step="2020-01-01"), "must hold numbers"),
        (T.assign(acc=pd.Timestamp("2020-01-01")), "dates"),
        (T.assign(init=[["good"]] * len(T)), "lists"),
        (T.assign(acc=None), "blank"),
    ],
)
def test_what_cannot_be_compared_is_refused(frame, reason):
    with pytest.raises(InputError, match=reason):
        score(frame)


def test_one_run_alone_is_refused():
    with pytest.raises(InputError, match="one run alone"):
        score(pd.concat([T[run_of(T)], T.assign(acc=float("nan"), train_loss=1.0)], ignore_index=True))


def test_a_setting_without_the_reference_is_refused():
    frame = pd.concat([T.assign(lr=0.1), T[T.init == "bad"].assign(lr=0.2)])
    with pytest.raises(InputError, match=r"no run at 'good' \(lr 0.2\)"):
        score(frame, by=("lr",))


def test_rows_that_are_the_same_are_one():
    scored = score(pd.concat([T, T.head(7)]))
    assert gains(scored) == ANSWER
    assert any("7 rows that repeat" in note for note in scored.notes)


def test_other_columns_are_settings_and_the_model_is_one_of_its_own():
    frame = pd.concat([T.assign(model=m, lr=lr, width="w") for m in ("mlp", "cnn") for lr in (0.1, 1)])
    scored = score(frame, by=("lr", "model", "width"))
    assert scored.scores.model.values.tolist() == ["mlp", "cnn"]
    assert scored.scores.setting.values.tolist() == ["lr 0.1, width w", "lr 1, width w"]
    assert not scored.scores.isnull().any()
    assert "4 seeds" not in scored.notes[0]
    assert scored.notes[0] == ("read 2 arms × 2 conditions × 2 models × 2 settings, 48 runs of 5 steps, 240 values")


def test_the_control_and_the_reference_come_first():
    frame = pd.concat([T, T[T.norm == "batch"].assign(norm="a"), T[T.init == "bad"].assign(init="b")])
    scored = score(frame, control="batch", reference="bad", well=("b",))
    assert scored.scores.arm.values.tolist() == ["batch", "none", "a"]
    assert scored.scores.condition.values.tolist() == ["bad", "b", "good"]
    assert scored.well == ("bad", "b")
    assert (scored.treatment, scored.control, scored.condition, scored.reference) == ("norm", "batch", "init", "bad")


def test_numbers_are_levels_however_they_are_written():
    numbers = {"good": 0, "bad": 1.5}
    scored = score(T.assign(init=T.init.map(numbers)), reference="0.0", well=("0",))
    assert scored.scores.condition.values.tolist() == ["0", "1.5"]
    assert scored.scores.seed.values.tolist() == [0, 1, 2]
    assert score(T.assign(seed="s" + T.seed.astype(str))).scores.seed.values.tolist() == ["s0", "s1", "s2"]


def test_unpaired_runs_are_numbered_in_their_cell():
    runs = T.norm + T.init + T.seed.astype(str)
    scored = score(T.assign(seed=runs), unpaired=True)
    assert scored.scores.sizes["seed"] == 3
    assert not scored.scores.isnull().any()
    with pytest.raises(InputError, match="cannot be told apart"):
        score(T, unpaired=True, seed=None)


def test_what_has_no_counterpart_is_told():
    scored = score(T[~run_of(T, "batch", "bad", 2)])
    assert "init bad: 1 seed without all arms" in scored.notes
    scored = score(pd.concat([T, T[(T.norm == "none") & (T.init == "good")].assign(init="c")]))
    assert "init c has the control alone: not judged" in scored.notes


def test_a_column_that_is_no_factor_does_not_fill_memory(monkeypatch):
    monkeypatch.setattr("bnstudy.analysis.external.scores.MOST_CELLS", 100)
    frame = pd.concat([T.assign(seed=T.seed + 3 * i, lr=i) for i in range(10)])
    with pytest.raises(InputError, match="120 runs in a grid of 10 settings × 2 conditions × 2 arms × 30 seeds"):
        score(frame, by=("lr",))


def test_true_and_false_may_be_named_1_and_0():
    frame = T.assign(norm=T.norm == "batch")
    for control in ("False", "false", "0", False):
        scored = score(frame, control=control)
        assert (scored.scores.arm.values.tolist(), gains(scored)) == (["False", "True"], ANSWER)


def test_levels_that_differ_in_case_alone_are_told():
    frame = pd.concat([T, T[T.init == "bad"].assign(init="BAD")])
    assert "init bad and BAD differ in case only" in score(frame).notes
    assert not any("in case" in note for note in score(T).notes)
