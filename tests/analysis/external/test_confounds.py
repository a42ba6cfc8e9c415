"""What else differs where runs are compared is told; what only names or measures them is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.analysis.external.made_up import score, table

T = table(seeds=4)
RUN = T.groupby(["norm", "init", "seed"], sort=False).ngroup()


def differing(frame: pd.DataFrame, **further) -> list[str]:
    return [note for note in score(frame, **further).notes if "differ" in note]


def test_a_setting_that_differs_between_the_arms_is_told():
    told = ["lr differs between the arms (none 0.01, batch 0.1): not taken into account"]
    frame = T.assign(lr=np.where(T.norm == "batch", 0.1, 0.01))
    assert differing(frame) == told
    in_one_row = frame.assign(lr=frame.lr.where(frame.step == 2))
    assert differing(in_one_row) == told
    tuned = T.assign(lr=np.where((T.norm == "batch") & (T.init == "bad"), 0.1, 0.01))
    assert differing(tuned) == ["lr differs between the arms (none 0.01, batch 0.01 or 0.1): not taken into account"]
    blank = T.assign(decay=np.where(T.norm == "batch", "cosine", None))
    assert "(none nothing, batch cosine)" in differing(blank)[0]
    one_run = T.assign(optimizer=np.where(RUN == 0, "adam", "sgd"))
    assert differing(one_run)[0].startswith("optimizer differs between the arms (none adam or sgd, batch sgd)")


def test_a_setting_that_differs_between_seeds_is_told():
    frame = T.assign(model=np.where(T.seed < 2, "mlp", "cnn"))
    assert differing(frame) == ["model differs between the levels of seed (mlp, cnn): --by model?"]
    unpaired = T.assign(seed=RUN, model=np.where(T.seed < 2, "mlp", "cnn"))
    assert differing(unpaired, unpaired=True) == ["model differs between runs of an arm (mlp, cnn): --by model?"]


@pytest.mark.parametrize("column", [
    {"run_id": RUN % 5}, {"runName": T.norm + "x"}, {"Created": RUN // 3}, {"_step": RUN % 2},
    {"group": T.norm + "-" + T.init}, {"test_size": 100}, {"best_acc": 0.1 + RUN / 77}, {"loss": T.acc - 0.1},
    {"lr": np.where(T.init == "bad", 0.1, 0.01)}, {"fold": T.seed}, {"pair": [[1]] * len(T)},
])  # fmt: skip
def test_names_times_and_measurements_are_not(column):
    assert not differing(T.assign(**column))


def test_what_a_table_of_runs_says_besides_counts_too():
    frame = T.assign(Name="run " + RUN.astype(str))
    runs = frame.groupby("Name", as_index=False)[["norm", "init", "seed"]].first()
    runs = runs.assign(lr=np.where(runs.norm == "batch", 0.1, 0.01), acc=0.5, State="finished", Runtime=range(16))
    assert differing(frame[["Name", "step", "acc"]], runs=runs) == [
        "lr differs between the arms (none 0.01, batch 0.1): not taken into account"
    ]
