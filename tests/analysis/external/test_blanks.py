"""What is not there: a failure where that is written or clear, else nothing, and refused where it could be either."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from bnstudy.study.errors import InputError

from tests.analysis.external.made_up import ANSWER, gains, run_of, score, table, writer


@pytest.mark.parametrize("word", ["nan", "NaN", "-inf", "Infinity"])
def test_a_value_written_as_no_number_is_failure_from_there_on(tmp_path, word):
    frame = table().astype({"acc": str})
    frame.loc[2, "acc"] = word
    scored = score(writer(tmp_path)(frame.to_csv(index=False)), test_size=100, classes=10)
    assert scored.failed.sel(arm="none", condition="good", seed=0).item()
    assert int(scored.failed.sum()) == 4  # and three that hardly learn
    expected = np.log2([50.5 / 101, 45.5 / 101, 0.9, 0.9, 0.9]).mean()
    assert scored.scores.sel(arm="none", condition="good", seed=0).item() == pytest.approx(expected)


def test_a_blank_in_a_file_is_nothing(tmp_path):
    rows = table()
    others = rows.assign(acc=float("nan"), train_loss=1.0, step=rows.step + 0.5)
    mixed = pd.concat([rows, others]).sort_values(["norm", "init", "seed", "step"])
    scored = score(writer(tmp_path)(mixed.to_csv(index=False)))
    assert gains(scored) == ANSWER
    assert not scored.failed.any()
    assert any("60 rows without a value" in note for note in scored.notes)
    assert gains(score(mixed.reset_index(drop=True))) == ANSWER  # NaN there, in rows of another metric


def test_nan_in_a_dataframe_is_failure_where_a_curve_breaks_off():
    frame = table()
    frame.loc[run_of(frame) & (frame.step > 2), "acc"] = np.nan
    scored = score(frame)
    assert scored.failed.sel(arm="none", condition="good", seed=0).item()
    assert any("taken as failed" in note for note in scored.notes)
    with pytest.raises(InputError, match="stop early"):  # a blank before it, too: rows of something else
        score(frame.assign(acc=frame.acc.where(frame.step != 1)))
    frame = table()
    frame.loc[1, "acc"] = np.nan
    assert not score(frame).failed.any()


def test_a_run_of_nan_alone_can_be_either():
    frame = table()
    frame.loc[run_of(frame), "acc"] = np.nan
    with pytest.raises(InputError, match="failed at once, or never"):
        score(frame)
    frame.loc[run_of(frame), "acc"] = np.inf
    assert score(frame).failed.sel(arm="none", condition="good", seed=0).item()


def test_the_status_of_our_own_export_tells(tmp_path):
    frame = table().assign(status="done")
    for seed, status in enumerate(["diverged", "pending"]):
        frame.loc[run_of(frame, seed=seed), ["acc", "status"]] = np.nan, status
    for source in (frame, writer(tmp_path)(frame.to_csv(index=False))):
        scored = score(source, test_size=100, classes=10)
        assert scored.failed.sel(arm="none", condition="good", seed=0).item()
        assert scored.scores.sel(arm="none", condition="good", seed=0).item() == pytest.approx(np.log2(0.9))
        assert np.isnan(scored.scores.sel(arm="none", condition="good", seed=1).item())
        assert any("left out, as not run" in note for note in scored.notes)


def test_nan_for_blanks_is_seen_through(tmp_path):
    rows = table()
    mixed = pd.concat([rows, rows.assign(acc=np.nan, step=rows.step + 0.5)])
    with pytest.raises(InputError, match="have numbers after nan"):
        score(writer(tmp_path)(mixed.to_csv(index=False, na_rep="nan")))


def test_a_factor_that_is_blank_is_refused():
    frame = table()
    frame.loc[3, "norm"] = None
    with pytest.raises(InputError, match="row 4"):
        score(frame)
    frame.loc[3, "acc"] = None
    assert gains(score(frame))["bad"] == ANSWER["bad"]
