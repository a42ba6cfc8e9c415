"""Scores: the plain mean on equal grids, the same whatever the cadence, and the shapes that were promised."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from bnstudy.analysis.export import export
from bnstudy.analysis.external.scores import DIMS, MOST_STEPS
from bnstudy.study.schema import Status

from tests.analysis.external.made_up import ANSWER, gains, run_of, score, table
from tests.synthetic import make_dataset

T = table()


def test_the_score_is_the_mean_over_the_steps():
    scored = score(T)
    expected = np.log2(1 - T.acc).groupby([T.init, T.norm, T.seed]).mean()
    found = scored.scores.squeeze(["model", "setting"], drop=True).to_series()
    for (condition, arm, seed), value in found.items():
        assert value == pytest.approx(expected[condition, arm, seed])
    assert gains(scored) == ANSWER
    assert scored.scores.dims == DIMS
    assert scored.failed.dims == DIMS
    assert scored.failed.dtype == bool
    assert scored.curves.dims == (*DIMS, "step")
    assert np.allclose(scored.curves.mean("step"), scored.scores)
    assert scored.scores.model.values.tolist() == scored.scores.setting.values.tolist() == [""]


def test_a_value_counts_until_the_next_whatever_the_cadence():
    steps = T.assign(step=T.step * 10)
    dense = pd.concat([steps.assign(step=steps.step + i) for i in range(10)])
    assert np.allclose(score(dense).scores, score(T).scores)
    one = pd.concat([dense[run_of(dense)], steps[~run_of(steps)]])
    assert score(one).scores.isel(seed=1).equals(score(dense[dense.step <= 40]).scores.isel(seed=1))


def test_rows_may_come_in_any_order():
    assert score(T.sample(frac=1, random_state=1)).scores.equals(score(T).scores.sel(condition=["good", "bad"]))


def test_long_curves_are_drawn_on_fewer_steps():
    frame = table(steps=2000).assign(acc=lambda t: 0.3 + t.step / 4000)
    scored = score(frame)
    assert scored.curves.sizes["step"] == MOST_STEPS
    assert scored.curves.notnull().all()


def test_our_own_export_gives_the_same_scores(tmp_path):
    dataset = make_dataset(diverged=3, pending=2, epochs=8)
    dataset.status.values.reshape(-1)[1] = Status.DIVERGED
    dataset.test_accuracy.values.reshape(-1, 8)[1] = np.nan  # in its first epoch
    dataset["test_accuracy"] = dataset.test_accuracy.round(4)  # of ten thousand samples
    dataset.to_netcdf(tmp_path / "x.nc")
    error = (np.rint((1 - dataset.test_accuracy) * 1e4) + 0.5) / 10001
    error = np.minimum(error, 0.9).where(error.notnull(), 0.9)
    log = np.log2(error).mean("epoch").where(dataset.status != Status.PENDING).squeeze(drop=True)
    asked = {"reference": "default", "well": ("scaled-normal:1",), "step": "epoch", "value": "test_accuracy",
             "by": ("model",), "test_size": 10_000, "classes": 10}  # fmt: skip
    for form in ("csv", "parquet"):
        scored = score(export(tmp_path / "x.nc", tmp_path / form, form=form)[0], **asked)
        found = scored.scores.squeeze("setting", drop=True).rename(condition="init", arm="norm")
        expected = log.sel(init=found.init, norm=found.norm).transpose(*found.dims)
        np.testing.assert_allclose(found, expected, atol=1e-4)
        assert int(scored.failed.sum()) >= 3


def test_a_million_rows_take_seconds():
    runs = 1000
    frame = pd.concat([T.head(1)] * runs, ignore_index=True)
    frame["norm"] = np.tile(["none", "batch"], runs // 2)
    frame["init"] = np.repeat(["good", "bad"], runs // 2)
    frame["seed"] = np.arange(runs) // 2 % (runs // 4)
    frame = frame.loc[frame.index.repeat(1000)].reset_index(drop=True)
    frame["step"] = np.tile(np.arange(1000), runs)
    frame["acc"] = np.random.default_rng(1).integers(1000, 9000, len(frame)) / 1e4
    start = time.perf_counter()
    score(frame, test_size=10_000, classes=10)
    assert time.perf_counter() - start < 8


def test_no_torch_is_loaded():
    code = "import sys, bnstudy.analysis.external; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
