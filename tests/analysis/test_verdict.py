"""Words: each has its made-up gains, their order, Holm over the poor conditions, and a second opinion on all of it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import xarray as xr
from bnstudy.analysis import effects, verdict
from bnstudy.analysis.assessment import Scores, assess_scores, cells
from bnstudy.analysis.criteria import Criteria
from bnstudy.analysis.results import Results
from bnstudy.storage.opening import open_results

from tests import second_opinion
from tests.analysis.made_up import AT_REFERENCE, GAINS, NOISE
from tests.conftest import ROOT


def assess(gains: dict[str, np.ndarray], at_reference: np.ndarray = AT_REFERENCE, **criteria: object) -> xr.Dataset:
    """What is found where a treated arm has these gains at poor conditions."""
    conditions = ["well", *gains]
    treated = -np.stack([at_reference, *gains.values()])
    values = np.stack([np.zeros_like(treated), treated], 1)[None, None]
    coords = {"model": ["m"], "setting": [""], "condition": conditions, "arm": ["none", "batch"],
              "seed": np.arange(values.shape[-1])}  # fmt: skip
    array = xr.DataArray(values, coords, list(coords))
    roles = {label: "well" if label == "well" else "poor" for label in conditions}
    return assess_scores(Scores(array, array > 99, [{}]), Criteria(reference="well", roles=roles, **criteria))


def words(gains: dict[str, np.ndarray], *args: object, **criteria: object) -> dict[str, str]:
    found = assess(gains, *args, **criteria).word.squeeze(["model", "setting", "arm"])
    assert found.values[0] == ""  # none is given at the reference
    return dict(zip(found.condition.values.tolist()[1:], found.values.tolist()[1:], strict=True))


@pytest.mark.parametrize("word", verdict.WORDS)
def test_every_word_has_its_gains(word):
    assert words({"poor": GAINS[word]}) == {"poor": word}


@pytest.mark.parametrize("word", verdict.WORDS)
def test_with_five_seeds_no_word_of_any_kind_is_in_reach(word):
    assert words({"poor": GAINS[word][:5]}, AT_REFERENCE[:5]) == {"poor": "unclear"}


def test_the_first_word_that_applies_is_given():
    """Each pair of words that can hold at once."""
    small = np.full(10, 0.1)
    assert words({"poor": small}, np.full(10, 0.01)) == {"poor": "none"}  # mainly holds too
    assert words({"poor": -small}, np.full(10, 0.01)) == {"poor": "none"}  # harms, less and alike hold too
    assert words({"poor": small + 0.2}, np.full(10, 0.1)) == {"poor": "mainly"}  # more holds too
    assert words({"poor": small + 0.2}, np.full(10, 0.2)) == {"poor": "more"}  # alike holds too
    assert words({"poor": -3 * small}, np.full(10, -0.2)) == {"poor": "harms"}  # less and alike hold too
    assert words({"poor": 3 * small}, np.full(10, 0.4)) == {"poor": "less"}  # alike holds too


def test_mainly_is_by_the_declared_times():
    for times, word in ((2, "mainly"), (13, "mainly"), (16, "more")):
        assert words({"poor": GAINS["mainly"]}, mainly_times=float(times)) == {"poor": word}


def test_mainly_takes_help_and_not_only_a_larger_gain():
    """At the reference it harms: less harm is no help, though it is more than twice as much."""
    assert words({"poor": np.full(10, -0.5)}, np.full(10, -2.0)) == {"poor": "harms"}


def test_the_margin_and_alpha_are_the_declared_ones():
    assert words({"poor": GAINS["none"]}, margin=0.05) == {"poor": "less"}
    assert words({"poor": GAINS["harms"]}, margin=0.5) == {"poor": "none"}
    assert words({"poor": GAINS["harms"]}, alpha=0.001) == {"poor": "unclear"}
    assert words({"poor": GAINS["harms"]}, alpha=2.0**-9) == {"poor": "harms"}  # 2^-10 is half of it


def test_holm_runs_over_the_poor_conditions_for_each_word():
    """26 times 2^-10 is more than half of alpha; and what falls makes it easier for the rest."""
    alone = {"at_reference": -0.3 - NOISE[::-1], "margin": 0.001}  # no other word holds
    same = {f"poor {i}": GAINS["harms"] for i in range(25)}
    assert set(words(same, **alone).values()) == {"harms"}
    assert set(words({**same, "one more": GAINS["harms"]}, **alone).values()) == {"unclear"}
    nine = GAINS["harms"].copy()
    nine[0] = 0.5  # 11/1024: rejected alone and after two, not first of three
    assert words({"a": nine, "b": GAINS["harms"]}, **alone)["a"] == "harms"
    assert words({"a": nine, "b": GAINS["harms"], "c": GAINS["harms"]}, **alone)["a"] == "harms"
    assert words({"a": nine, "b": -GAINS["harms"], "c": -GAINS["harms"]}, **alone)["a"] == "unclear"


def test_a_word_of_several_tests_has_the_largest_p():
    p = {name: np.array([[0.5, 0.001 * (i + 1), 0.02]]) for i, name in enumerate(effects.TESTS)}
    found = effects.Effects(*[np.zeros((1, 3))] * 7, p)
    adjusted = verdict.adjusted(found, np.array([False, True, True]))
    assert adjusted["mainly"][0, 1] == pytest.approx(2 * 0.005)  # of helps, more and mainly the last
    assert adjusted["more"][0, 1] == pytest.approx(2 * 0.003)
    assert adjusted["harms"][0, 2] == pytest.approx(0.02)
    assert all(np.isnan(values[0, 0]) for values in adjusted.values())


def test_a_condition_that_could_not_be_tested_counts_in_its_family():
    nine = GAINS["harms"].copy()
    nine[0] = 0.5
    nothing = np.full(10, np.nan)
    assert words({"a": nine, "b": nothing})["a"] == "harms"
    assert words({"a": nine, "b": nothing, "c": nothing}) == {"a": "unclear", "b": "unclear", "c": "unclear"}


# ------------------------------------------------------------------ a second opinion

NUMBERS = (
    "gain", "gain_low", "gain_high", "reference_gain", "difference", "difference_low", "difference_high",
)  # fmt: skip


def exact(value: float) -> Fraction:
    """The decimal that is meant, so that the second opinion knows no rounding."""
    return Fraction(f"{value:.9f}")


def compare(result: xr.Dataset, scores: xr.DataArray, criteria: Criteria) -> list[str]:
    """Every number and word against those of an independent implementation; the words."""
    found = []
    for model, setting, arm in np.ndindex(*(result.sizes[name] for name in ("model", "setting", "arm"))):
        family = scores.isel(model=model, setting=setting)
        treated = str(result.arm.values[arm])
        runs = {
            (name, condition, seed): float(family.sel(arm=name, condition=condition).values[seed])
            for name in (criteria.control, treated) for condition in family.condition.values.tolist()
            for seed in range(family.sizes["seed"])
        }  # fmt: skip
        opinions = second_opinion.opinions(
            {run: exact(value) for run, value in runs.items() if not np.isnan(value)}, criteria.control, treated,
            criteria.reference, criteria.poor, exact(criteria.mainly_times), exact(criteria.margin), criteria.alpha,
        )  # fmt: skip
        listed = {cell["condition"]: cell for cell in cells(result.isel(model=[model], setting=[setting], arm=[arm]))}
        for condition, opinion in opinions.items():
            cell = listed[condition]
            where = (condition, opinion, cell)
            assert cell["word"] == opinion.word, where
            assert cell["n"] == opinion.n, where
            for name in NUMBERS:
                theirs = float(getattr(opinion, name))
                assert cell[name] == pytest.approx(theirs, abs=2e-9, nan_ok=True), (name, where)
            for name, p in opinion.p.items():  # what could not be tested has no p here
                same = cell[f"p_{name}"] == pytest.approx(p, rel=1e-9) or (np.isnan(cell[f"p_{name}"]) and p == 1)
                assert same, (name, where)
            if cell["word"] != "unclear":
                assert cell["p_adjusted"] == pytest.approx(opinion.p_holm[cell["word"]], rel=1e-9), where
            if cell["word"] in ("mainly", "more"):
                assert cell["times_at_least"] == pytest.approx(float(opinion.ratio_at_least), rel=1e-9), where
            else:
                assert np.isnan(cell["times_at_least"]), where
            found.append(opinion.word)
    return found


def made_up(rng: np.random.Generator) -> tuple[Scores, Criteria]:
    """A study of any effects: noise, ties, stuck runs and missing seeds."""
    n, poor, models = int(rng.integers(3, 21)), int(rng.integers(1, 6)), 3
    conditions = ["well", *(f"poor {i}" for i in range(poor))]
    gains = rng.choice([0.0, 0.05, 0.15, 0.3, 1.0, 3.0, -0.3], (models, 1, poor + 1, 1, 1))
    if rng.random() < 0.3:
        gains[:] = gains[:, :, :1]  # alike everywhere
    noise = rng.choice([0.02, 0.1, 0.5], (models, 1, poor + 1, 1, 1))
    control = rng.normal(-3, 0.3, (models, 1, poor + 1, 1, n))
    values = np.concatenate([control, control - gains + noise * rng.standard_normal((models, 1, poor + 1, 1, n))], 3)
    if rng.random() < 0.3:
        values = values.round(1)  # ties, and gains of exactly 0 and of the margin
    stuck = rng.random(values.shape) < rng.choice([0.0, 0.2, 0.9], (models, 1, poor + 1, 2, 1))
    values = np.where(stuck, np.log2(0.9), values).round(9)
    missing = rng.random(values.shape) < rng.choice([0.0, 0.1, 0.6])
    coords = {"model": list("abc"), "setting": [""], "condition": conditions, "arm": ["none", "batch"],
              "seed": np.arange(n)}  # fmt: skip
    array = xr.DataArray(np.where(missing, np.nan, values), coords, list(coords))
    roles = {label: "poor" if label.startswith("poor") else "well" for label in conditions}
    criteria = Criteria(
        reference="well", roles=roles, mainly_times=float(rng.choice([1.0, 2.0, 3.0])),
        margin=float(rng.choice([0.15, 0.3])), alpha=0.05,
    )  # fmt: skip
    return Scores(array, array > -0.5, [{}]), criteria


@pytest.mark.parametrize("count", [25, pytest.param(200, marks=pytest.mark.slow)])
def test_made_up_studies_get_a_second_opinion(rng, count):
    found: list[str] = []
    for _ in range(count):
        scores, criteria = made_up(rng)
        found += compare(assess_scores(scores, criteria), scores.values, criteria)
    assert set(found) == set(verdict.WORDS) - ({"alike"} if count < 100 else set())  # which is rare


@pytest.mark.parametrize("name", ["init-sweep", "norms", "sigmoid", "learning-rate"])
def test_published_studies_get_a_second_opinion(name):
    results = Results(open_results(ROOT / "studies" / "data" / name))
    assert compare(results.assessment, results.scores.values, results.criteria)
    if results.can_select:
        at_choice = results.at_selected_rates
        assert compare(at_choice.assessment, at_choice.scores.values, at_choice.criteria)
