"""Over which steps runs are compared, and what those are that stop."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from bnstudy.study.errors import InputError

from tests.analysis.external.made_up import run_of, score, table

T = table(steps=10).assign(acc=lambda t: t.acc - 0.2 * (t.norm == "batch"))  # below 1 for ten steps
SHORT = T[~run_of(T) | (T.step < 6)]
ASKED = {"test_size": 100, "classes": 10}


def of(scored, what="scores"):
    """The run that stops."""
    return getattr(scored, what).sel(condition="good", arm="none", seed=0).squeeze(drop=True)


def test_a_run_that_stops_needs_a_reason():
    with pytest.raises(
        InputError, match=r"1 of 12 runs stop early \(1 of 6 of none\), e\.g\. init good, norm none, seed 0 at step 5"
    ) as no:
        score(SHORT)
    assert no.value.key == "stopped"


def test_what_a_run_that_stops_is():
    errors = (np.array([50, 45, 40, 35, 30, 25]) + 0.5) / 101
    for stopped, rest in (("failed", 0.9), ("carry", errors[-1])):
        scored = score(SHORT, stopped=stopped, **ASKED)
        assert of(scored).item() == pytest.approx(np.log2([*errors, *[rest] * 4]).mean())
        assert of(scored, "failed").item() == (stopped == "failed")
        beyond = of(scored, "curves").values[6:]
        assert np.allclose(beyond, np.log2(0.9)) if stopped == "failed" else np.isnan(beyond).all()
        assert any(f"--stopped {stopped}" in note for note in scored.notes)
    scored = score(SHORT, stopped="missing", **ASKED)
    assert np.isnan(of(scored).item())
    others = scored.scores.where(scored.scores.notnull(), score(T, **ASKED).scores)
    assert np.allclose(others, score(T, **ASKED).scores)


def test_a_tenth_less_is_no_stop_and_the_shared_steps_count():
    nearly = T[~run_of(T) | (T.step < 9)]
    scored = score(nearly, **ASKED)
    assert "compared over step 0 to 8" in scored.notes
    assert np.allclose(scored.scores, score(T[T.step < 9], **ASKED).scores)
    assert "no run stops early" in score(T, stopped="carry").notes


def test_a_run_that_diverged_did_not_stop():
    dead = pd.concat([SHORT, SHORT[run_of(SHORT) & (SHORT.step == 5)].assign(step=6, acc=np.inf)])
    scored = score(dead, **ASKED)
    assert of(scored, "failed").item()
    assert of(scored).item() == pytest.approx(of(score(SHORT, stopped="failed", **ASKED)).item())


def test_a_run_that_begins_late_is_told():
    scored = score(T[~run_of(T) | (T.step > 3)])
    told = "1 of 12 runs begin late (1 of 6 of none), e.g. init good, norm none, seed 0 at step 4: nothing before it c"
    assert any(told in note for note in scored.notes)
    scored = score(T[(T.norm == "none") | (T.step > 3)])
    told = "6 of 12 runs begin late (6 of 6 of batch), e.g. init good, norm batch, seed 0 at step 4: nothing before"
    assert any(told in note and note.endswith("counts, 4 steps of 10 in any run") for note in scored.notes)
    assert "compared over step 4 to 9" in scored.notes


def test_runs_without_a_common_step_are_refused():
    with pytest.raises(InputError, match="no steps are shared"):
        score(T.assign(step=T.step.where(~run_of(T), 9.1 + T.step / 100)))


def test_an_unfinished_single_row_is_a_run_that_stops():
    with pytest.raises(InputError, match="stop early"):
        score(T[~run_of(T) | (T.step == 0)])
