"""Made-up studies: their truth is what they say, and the verdict is rarely wrong on them.

The full calibration is `make calibration`; what stands here is a small part of it.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from benchmarks.simulation import NOISES, Truth, simulate, times, true_interaction
from bnstudy.analysis.assessment import assess

from tests.conftest import ROOT

STUDIES = 300


def share(truth: Truth, verdict: str, rng: np.random.Generator) -> float:
    """Share of studies with this verdict at any poor init."""
    overall = assess(simulate(truth, STUDIES, rng)).overall.isel(init=slice(1, None))
    return float((overall == verdict).any("init").mean())


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("saves", [0.0, 1.0, 6.0])
@pytest.mark.parametrize("levels", [1, 4])
def test_supported_is_rarely_said_where_it_is_false(rng, noise, saves, levels):
    """At most 5 % of studies; with 300 of them 8.8 % is beyond chance (three deviations)."""
    assert share(Truth(saves, saves, levels, 10, noise), "supported", rng) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / STUDIES)


def test_supported_is_often_said_where_it_is_true(rng):
    assert share(Truth(0.0, 8.0, 4, 20), "supported", rng) > 0.9


@pytest.mark.parametrize("noise", ["symmetric", "skewed"])
def test_intervals_hold_the_truth(rng, noise):
    truth = Truth(1.0, 4.0, 2, 10, noise)
    one = assess(simulate(truth, STUDIES, rng)).sel(response="epochs_to_target").isel(init=slice(1, None)).squeeze()
    held = (one.did_low <= 3) & (one.did_high >= 3)
    assert 0.90 < float(held.mean()) < 0.99


def test_the_true_interaction_is_the_difference_of_what_is_saved(rng):
    np.testing.assert_allclose(true_interaction(Truth(1.0, 4.0, 3), rng), 3.0, atol=0.05)
    cut = true_interaction(Truth(0.0, 8.0, 1, noise="censored"), rng)
    assert cut < 7.95  # what nobody saw is not saved


def test_the_last_epoch_cuts_what_is_seen(rng):
    truth = Truth(0.0, 0.0, 2, 5, "censored")
    data = simulate(truth, 50, rng)
    reached = times(truth, 50, np.random.default_rng(20))
    over = (data.test_accuracy > 0.98).any("epoch").squeeze(["optimizer", "lr"])
    np.testing.assert_array_equal(over.values, reached <= truth.epochs)
    assert 0.2 < float(over.isel(init=slice(1, None)).mean()) < 0.9
    assert over.isel(init=0).all()


def test_the_documented_calibration_is_the_measured_one():
    found = json.loads((ROOT / "docs" / "calibration.json").read_text())["false"]
    page = (ROOT / "docs" / "statistics.md").read_text()
    settings: dict[tuple[str, str], list[dict[str, float]]] = {}
    for row in found:
        settings.setdefault((row["truth"], row["noise"]), []).append(row)
    for (truth, noise), rows in settings.items():
        shares = [" / ".join(f"{100 * row[name]:.1f}" for row in rows) for name in ("supported", "coverage")]
        assert f"| {truth} | {noise} | {shares[0]} | {shares[1]} |" in page
        assert f"with {' / '.join(str(row['poor_levels']) for row in rows)} poor inits" in page
    assert max(row["supported"] for row in found) <= 0.03
    assert f"At most {100 * max(row['supported'] for row in found):.1f} % of studies" in page
