"""Made-up studies: their truth is what they say, and the verdict's words are rarely wrong on them.

The full calibration is `make calibration`; what stands here is a small part of it.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from benchmarks import simulation
from benchmarks.calibration import DIFFERENCE, SAMENESS, false_share, table, words_of
from benchmarks.simulation import MARGIN, SETTINGS, K, false_words

from tests.conftest import ROOT

STUDIES = 400
CHANCE = 0.05 + 3 * np.sqrt(0.05 * 0.95 / STUDIES)  # three deviations beyond 5 %
FOUND = json.loads((ROOT / "docs" / "explanation" / "calibration.json").read_text())
PAGE = (ROOT / "docs" / "explanation" / "statistics.md").read_text()


@pytest.mark.parametrize(
    ("name", "conditions", "seeds"),
    [(name, (1, 3, 9)[i % 3], (7, 10, 20)[i // 3 % 3]) for i, name in enumerate(SETTINGS)],
)
def test_a_false_word_is_rare(rng, name, conditions, seeds):
    """At most 5 % of studies, whatever the attack."""
    setting = SETTINGS[name]
    words = words_of(setting.draw(rng, STUDIES, seeds, conditions))
    wrong = false_words(setting.truth(conditions))
    assert false_share(words, wrong, DIFFERENCE) < CHANCE
    assert false_share(words, wrong, SAMENESS) < CHANCE


@pytest.mark.parametrize(("name", "word"), [
    ("null", "none"), ("equal", "alike"), ("edge-of-mainly", "more"), ("reference-alone-wide", "less"),
    ("margin-loss", "harms"),
])  # fmt: skip
def test_a_true_word_is_common(rng, name, word):
    words = words_of(SETTINGS[name].draw(rng, STUDIES, 20, 3))
    assert (words == word).mean() > 0.9


@pytest.mark.parametrize("name", ["skewed", "skewed-edge", "plain-stuck-20", "tied-half", "two-samenesses"])
def test_the_truth_on_paper_is_that_of_a_large_draw(rng, name):
    setting = SETTINGS[name]
    gains = simulation.gains_of(setting.draw(rng, 1, 200_001, 2))[0]
    truth = setting.truth(2)
    for wanted, values in (
        (truth.gain, gains[1:]), (truth.difference, gains[1:] - gains[0]), (truth.excess, gains[1:] - K * gains[0]),
    ):  # fmt: skip
        # The truth lies between the quantiles around the median: a share of half is off by a third of a percent.
        low, high = np.quantile(values, [0.495, 0.505], axis=-1)
        assert (low <= wanted + 1e-9).all()
        assert (wanted <= high + 1e-9).all()


def test_an_edge_makes_its_word_false():
    truth = simulation.Truth(np.array([MARGIN]), np.array([0.0]), np.array([0.0]))
    wrong = {word: bool(flags[0]) for word, flags in false_words(truth).items()}
    assert wrong == {"none": True, "mainly": True, "more": True, "harms": True, "less": True, "alike": False}


def test_the_documented_calibration_is_the_measured_one():
    assert FOUND["studies"] >= 4000
    for line in table(FOUND):
        assert line in PAGE
    rows = FOUND["made_up"]
    worst = [100 * max(row[kind] for row in rows) for kind in ("false_difference", "false_sameness")]
    assert max(worst) <= 5
    said = " ".join(PAGE.split())
    assert f"{worst[0]:.1f} % for a false difference and {worst[1]:.1f} % for a false sameness" in said
    beyond = max(row["beyond_the_truth"] for row in FOUND["bounds"])
    assert f"truth in at most {100 * beyond:.1f} % of cases" in said
    drawn = [100 * max(row[kind] for row in FOUND["resampled"]) for kind in ("false_difference", "false_sameness")]
    assert max(drawn) <= 5
    assert (
        f"difference in at most {drawn[0]:.1f} %, and of sameness in at most {np.ceil(10 * drawn[1]) / 10:.1f} %"
        in said
    )
    for kind in ("undeclared", "declared"):
        shares = [100 * row[kind] for row in FOUND["looks"]]
        assert f"{min(shares):.1f} to {max(shares):.1f} %" in said
    for gain, deviation, noise in ((0.3, "0.12", "as stored"), (1.0, "0.5", "wide")):
        power = [f"{100 * row['mainly']:.0f}" for row in FOUND["power"] if (row["gain"], row["noise"]) == (gain, noise)]
        assert f"| {gain:g}, {deviation} | {' | '.join(power)} |" in PAGE
