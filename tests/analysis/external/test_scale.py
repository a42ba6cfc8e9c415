"""Errors: of accuracies, error rates, losses and scales; what is not what was said is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from bnstudy.study.errors import InputError

from tests.analysis.external.made_up import ANSWER, gains, score, table

T = table()
LOSS = T.assign(loss=2.0 - T.acc)


def first(scored):
    """The score of the first run of the control at the reference."""
    return scored.scores.isel(model=0, setting=0, condition=0, arm=0, seed=0).item()


def test_an_accuracy_counts_half_a_sample_more():
    found = first(score(T, test_size=100, classes=10))
    assert found == pytest.approx(np.log2((np.array([50, 45, 40, 35, 30]) + 0.5) / 101).mean())
    perfect = score(T.assign(acc=np.where(T.index == 0, T.acc, 1.0)), test_size=100)
    assert perfect.scores.min().item() == pytest.approx(np.log2(0.5 / 101))


def test_an_error_is_at_most_that_of_guessing_and_runs_that_never_halve_it_failed():
    scored = score(T, test_size=100, classes=2)
    assert scored.scores.sel(condition="bad", arm="none", seed=0).item() == pytest.approx(-1)
    assert scored.failed.sel(condition="bad", arm="none").all()
    assert not scored.failed.sel(condition="good", arm="batch").any()
    assert not score(T, test_size=100).failed.any()
    assert any("not known (--classes)" in note for note in score(T).notes)


def test_without_a_size_half_the_smallest_step_is_the_least_error():
    scored = score(T.assign(acc=np.where(T.acc > 0.79, 1.0, T.acc)))
    assert any("no less than 0.005" in note for note in scored.notes)
    assert scored.curves.min().item() == pytest.approx(np.log2(0.005))
    rng = np.random.default_rng(1)
    fine = T.assign(acc=np.where(T.acc > 0.79, 1.0, T.acc + rng.uniform(0, 1e-6, len(T))))
    with pytest.raises(InputError) as refused:
        score(fine)
    assert refused.value.key == "test_size"


def test_percentages_and_error_rates_give_the_same_answer():
    percent = T.assign(acc=100 * T.acc)
    assert gains(score(percent, percent=True)) == ANSWER
    rate = T.assign(err=1 - T.acc)
    asked = {"test_size": 100, "classes": 10}
    expected = gains(score(T, **asked))
    assert gains(score(rate, value="err", lower_is_better=True, **asked)) == expected
    assert (
        gains(score(rate.assign(err=100 * rate.err), value="err", lower_is_better=True, percent=True, **asked))
        == expected
    )


def test_a_size_that_does_not_fit_is_told():
    assert any("is the size right?" in note for note in score(T, test_size=33).notes)


def test_a_loss_counts_as_it_is_and_at_most_as_guessing():
    asked = {"value": "loss", "lower_is_better": True}
    assert first(score(LOSS, **asked)) == pytest.approx(np.log2([1.5, 1.45, 1.4, 1.35, 1.3]).mean())
    assert first(score(LOSS, guess=1.4, **asked)) == pytest.approx(np.log2([1.4, 1.4, 1.4, 1.35, 1.3]).mean())
    told = "60 of 60 values are worse than guessing, and count as it: an error of 0.3 (--guess)"
    assert told in score(LOSS, guess=0.3, **asked).notes
    assert not any("worse than" in note for note in score(LOSS, guess=1.4, **asked).notes)
    assert any("(--guess)" in note for note in score(LOSS, **asked).notes)


def test_without_guessing_the_worst_of_its_setting_counts_after_a_failure():
    frame = pd.concat([LOSS.assign(lr=1.0), LOSS.assign(lr=2.0, loss=9.0)], ignore_index=True)
    frame.loc[0, "loss"] = np.inf
    scored = score(frame, value="loss", lower_is_better=True, by=("lr",))
    assert scored.scores.isel(model=0, setting=0, condition=0, arm=0, seed=0).item() == pytest.approx(np.log2(1.7))


def test_a_scale_of_its_own():
    frame = T.assign(reward=100 * T.acc - 50)
    asked = {"value": "reward", "best": {"good": 50, "bad": 50}, "worst": -50}
    assert gains(score(frame, **asked)) == ANSWER
    clipped = score(frame, value="reward", best=20, worst={"good": 0.0, "bad": 10.0})
    told = [note for note in clipped.notes if "than --" in note]
    assert told[0].startswith("10 of 60 values are better than --best, and count as an error of 0.01: 'reward' goes fr")
    assert told[1].startswith("27 of 60 values are worse than --worst, and count as guessing")
    assert clipped.scores.max().item() == 0
    cost = T.assign(cost=-100 * T.acc)
    assert gains(score(cost, value="cost", lower_is_better=True, best=-100, worst=0)) == ANSWER


@pytest.mark.parametrize(
    ("frame", "further", "key", "reason"),
    [
        (T.assign(acc=100 * T.acc), {}, "value", "--percent"),
        (T.assign(acc=-T.acc), {}, "value", "--best"),
        (T.assign(acc=1000 * T.acc), {"percent": True}, "percent", "no percentages"),
        (T, {"percent": True}, "percent", "shares already"),
        (LOSS.assign(loss=LOSS.loss - 1.5), {"value": "loss", "lower_is_better": True}, "value", "above 0"),
        (T, {"best": 0.0, "worst": 1.0}, "best", "above the worst"),
        (T, {"best": {"good": 1.0}, "worst": 0.0}, "best", "no number for 'bad'"),
        (T, {"best": 0.4, "worst": 0.0}, "best", "52 of 60 values are better than this: .* 0.3 to 0.82"),
        (T, {"best": 1.0, "worst": 0.8}, "worst", "57 of 60 values are worse than this"),
        (T, {"best": {"god": 1.0}, "worst": 0.0}, "best", "did you mean 'good'"),
        (T, {"best": {"good": np.nan, "bad": 1}, "worst": 0.0}, "best", "must be a number"),
        (T.assign(acc=np.inf), {}, "value", "no run has a number"),
    ],
)
def test_values_that_are_not_what_was_said_are_refused(frame, further, key, reason):
    with pytest.raises(InputError, match=reason) as refused:
        score(frame, **further)
    assert refused.value.key == key


def test_a_mean_of_rounded_accuracies_may_be_a_little_more_than_1():
    high = T.assign(acc=np.where(T.index == 0, 1.0000001, T.acc))
    assert score(high, test_size=100).scores.notnull().all()
    assert score(high.assign(acc=100 * high.acc), test_size=100, percent=True).scores.notnull().all()
    with pytest.raises(InputError, match="no accuracy"):
        score(high.assign(acc=high.acc + 1e-4))
