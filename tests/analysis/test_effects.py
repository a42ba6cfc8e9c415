"""Effects of made-up scores: what is known of a treatment, paired and not."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from bnstudy.analysis import ranks, signs
from bnstudy.analysis.effects import TESTS, effects, times_at_least


def arms(gains: np.ndarray, rng: np.random.Generator, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Scores of both arms with these gains, run by run."""
    control = rng.normal(-3, spread, np.shape(gains)).round(6)
    return control, control - gains


def test_gains_and_differences_are_medians_of_pairs(rng):
    gains = np.array([[0.1, 0.3, 0.2, 0.0, 0.1, 0.2], [4.0, 5.0, 7.0, 6.0, 4.5, 5.5]])
    found = effects(*arms(gains, rng), 0, 2.0, 0.15)
    np.testing.assert_allclose(found.gain, [0.15, 5.25])
    np.testing.assert_allclose(found.difference, [0.0, 5.0], atol=1e-12)
    np.testing.assert_allclose(found.gain_low, [0.0, 4.0])
    np.testing.assert_allclose(found.difference_high, [0.0, 6.8], atol=1e-9)
    assert found.n.tolist() == [6, 6]


def test_each_test_asks_what_it_is_called(rng):
    at_reference, gains = rng.normal(0.5, 0.3, (2, 9)).round(3)
    found = effects(*arms(np.stack([at_reference, gains]), rng), 0, 2.0, 0.15)
    wanted = {
        "helps": signs.sign_test(gains), "harms": signs.sign_test(-gains),
        "more": signs.sign_test(gains - at_reference), "less": signs.sign_test(at_reference - gains),
        "mainly": signs.sign_test(gains - 2 * at_reference), "none": signs.within(gains, 0.15),
        "alike": signs.within(gains - at_reference, 0.15),
    }  # fmt: skip
    assert tuple(wanted) == TESTS == tuple(found.p)
    assert {name: p[1] for name, p in found.p.items()} == wanted


@pytest.mark.parametrize("paired", [True, False])
def test_exactly_a_margin_is_no_less_than_it_however_it_was_computed(paired):
    """0.1 + 0.05 is not 0.15 in binary, and twice 0.1 + 0.2 is not 0.6."""
    control = np.array([[0.1 + 0.2] * 12, [0.7] * 12])
    treated = np.array([[0.15] * 12, [0.4] * 12])
    p = effects(control, treated, 0, 2.0, 0.15, paired).p
    assert p["none"].tolist() == [1.0, 1.0]  # exactly the margin, and twice it
    assert p["mainly"][1] == 1.0  # exactly twice the gain at the reference
    assert p["alike"][1] == 1.0


def test_missing_runs_cost_their_pair_and_what_is_compared_with_it(rng):
    control, treated = arms(rng.normal(1, 0.2, (3, 8)).round(3), rng)
    control[0, 1] = treated[1, 2] = np.nan
    found = effects(control, treated, 0, 2.0, 0.15)
    assert found.n.tolist() == [7, 7, 8]
    both = [0, 3, 4, 5, 6, 7]
    gains = control - treated
    assert found.difference[1] == pytest.approx(np.median((gains[1] - gains[0])[both]))
    assert found.p["more"][2] == signs.sign_test(np.delete(gains[2] - gains[0], 1))
    assert found.p["helps"][2] == 2.0**-8


@pytest.mark.parametrize("paired", [True, False])
def test_without_a_reference_nothing_is_known_of_a_difference(rng, paired):
    control, treated = arms(rng.normal(1, 0.2, (2, 8)), rng)
    found = effects(control, treated, None, 2.0, 0.15, paired)
    assert np.isnan(found.difference).all()
    assert all(np.isnan(found.p[name]).all() for name in ("more", "less", "mainly", "alike"))
    assert not np.isnan(found.p["helps"]).any()
    assert np.isnan(times_at_least(control, treated, None, 0.025, paired)).all()


@pytest.mark.parametrize("paired", [True, False])
def test_families_are_taken_each_by_itself(rng, paired):
    control, treated = arms(rng.normal(0.5, 1, (2, 2, 3, 7)).round(3), rng)
    whole = effects(control, treated, 1, 2.0, 0.15, paired)
    part = effects(control[1, 0], treated[1, 0], 1, 2.0, 0.15, paired)
    for field in fields(whole):
        values, alone = getattr(whole, field.name), getattr(part, field.name)
        pairs = [(values[name], alone[name]) for name in TESTS] if field.name == "p" else [(values, alone)]
        for many, one in pairs:
            assert many.shape == (2, 2, 3)
            np.testing.assert_allclose(many[1, 0], one)


# ------------------------------------------------------------------ runs that are no pairs


def test_unpaired_effects_are_rank_sums_within_arms(rng):
    control, treated = rng.normal(0, 1, (2, 9)), rng.normal(-1, 1, (2, 7))
    treated[1] -= 2
    found = effects(control, treated, 0, 2.0, 0.15, paired=False)
    assert found.n.tolist() == [7, 7]
    assert found.p["helps"][1] == ranks.rank_test(control[1], treated[1])
    assert found.p["mainly"][1] == ranks.rank_test(control[1] - 2 * control[0], treated[1] - 2 * treated[0])
    assert found.p["less"][1] == ranks.rank_test(treated[1] - treated[0], control[1] - control[0])
    assert found.gain[1] == ranks.shift(control[1], treated[1])
    within_arms = control[1] - control[0], treated[1] - treated[0]
    assert found.difference[1] == pytest.approx(ranks.shift(*within_arms), abs=2e-9)
    lower = ranks.rank_test(control[1] + 0.15, treated[1]), ranks.rank_test(treated[1], control[1] - 0.15)
    assert found.p["none"][1] == max(lower)


def test_the_order_of_runs_within_an_arm_matters_no_gain(rng):
    control, treated = rng.normal(0, 1, (2, 8)), rng.normal(-1, 1, (2, 8))
    found = effects(control, treated, 0, 2.0, 0.15, paired=False)
    shuffled = effects(control[:, ::-1], treated, 0, 2.0, 0.15, paired=False)
    np.testing.assert_allclose(found.gain, shuffled.gain)
    np.testing.assert_allclose(found.p["more"], shuffled.p["more"])


def test_the_unpaired_bound_inverts_its_test(rng):
    control = np.stack([rng.normal(0, 0.05, 10), rng.normal(0, 0.3, 10)])
    treated = control - np.array([[0.5], [3.0]]) + rng.normal(0, 0.05, (2, 10))
    (bound,) = times_at_least(control, treated, 0, 0.025, paired=False)[1:]
    assert 3 < bound < 6
    for k, shown in ((bound, True), (bound * 1.011, False)):
        p = ranks.rank_test(control[1] - k * control[0], treated[1] - k * treated[0])
        assert (p <= 0.025) == shown


def test_the_unpaired_bound_has_no_end_where_nothing_limits_it(rng):
    control = np.stack([np.full(8, -1.0), rng.normal(0, 0.3, 8)])
    treated = np.stack([np.full(8, -1.0), rng.normal(-3, 0.3, 8)])
    assert times_at_least(control, treated, 0, 0.025, paired=False)[1] == np.inf
    assert np.isnan(times_at_least(treated, control, 0, 0.025, paired=False)[1])
