"""Assessments end to end: from accuracies to words, what may be missing, and what a reader is told."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import tomli_w
import xarray as xr
from bnstudy.analysis.criteria import Criteria, criteria_of
from bnstudy.analysis.normal_form import factor_form
from bnstudy.analysis.results import Results, assess
from bnstudy.analysis.tables.sentences import sentences
from bnstudy.analysis.tables.verdicts import rows, verdict_table
from bnstudy.analysis.verdict import WORDS
from bnstudy.study.errors import InputError
from bnstudy.study.schema import Status
from bnstudy.study.study import Study, digest_of

from tests.analysis.made_up import AT_REFERENCE, CONTROL, GAINS, NOISE, study, with_status


def pair(word: str = "mainly", **attributes: object) -> xr.Dataset:
    return study({"well": AT_REFERENCE, "poor": GAINS[word]}, **attributes)


def cell(result: xr.Dataset, condition: str = "poor") -> xr.Dataset:
    return result.sel(condition=condition).squeeze(["model", "setting", "arm"])


def word(dataset: xr.Dataset) -> str:
    return str(cell(assess(dataset)).word.values)


def remark(dataset: xr.Dataset) -> str:
    return str(cell(assess(dataset)).remark.values)


def told(dataset: xr.Dataset) -> str:
    return " | ".join(assess(dataset).attrs["warnings"])


@pytest.mark.parametrize("name", WORDS)
def test_every_word_has_its_accuracies(name):
    result = assess(pair(name))
    assert str(cell(result).word.values) == name
    assert str(cell(result, "well").word.values) == ""
    assert cell(result).gain == pytest.approx(np.median(GAINS[name]), abs=1e-6)
    assert cell(result).reference_gain == pytest.approx(0.21, abs=1e-6)
    assert cell(result).difference == pytest.approx(np.median(GAINS[name] - AT_REFERENCE), abs=1e-6)
    assert not result.attrs["warnings"]


def test_a_number_and_a_word_stand_where_they_mean_something():
    result = assess(pair())
    assert np.isnan(cell(result, "well").p_adjusted)
    assert cell(result).p_adjusted == 2.0**-10
    assert 13 < cell(result).times_at_least < 15
    assert np.isnan(cell(assess(pair("alike"))).times_at_least)
    assert result.runs.squeeze().values.tolist() == [[10, 10]] * 2
    assert result.attrs["control"] == "none"


# ------------------------------------------------------------------ what completes a word


def test_neither_arm_learns():
    dead = study({"well": AT_REFERENCE, "poor": np.zeros(10)})
    dead.test_accuracy.loc[{"init": "poor"}] = 0.1
    assert (word(dead), remark(dead)) == ("none", "neither arm learns")
    assert remark(pair("none")) == ""
    dead.test_accuracy.loc[{"init": "poor", "norm": "batch", "seed": 3}] = 0.9  # one run learns
    assert (word(dead), remark(dead)) == ("none", "")


def test_harm_that_is_as_at_the_reference():
    same = study({"well": GAINS["harms"], "poor": GAINS["harms"] + NOISE})
    assert (word(same), remark(same)) == ("harms", "as at the reference")
    assert remark(pair("harms")) == ""


@pytest.mark.parametrize(("seeds", "poor", "few"), [(5, 1, True), (6, 1, False), (6, 2, True), (7, 2, False)])
def test_too_few_seeds_to_tell(seeds, poor, few):
    dataset = study({"well": AT_REFERENCE, **{f"poor {i}": GAINS["unclear"] for i in range(poor)}})
    result = assess(dataset.isel(seed=slice(seeds)))
    assert set(result.word.values.ravel()[1:]) == {"unclear"}
    assert (set(result.remark.values.ravel()[1:]) == {"too few seeds to tell"}) == few
    assert bool(result.attrs["warnings"] and result.attrs["warnings"][0].startswith("too few seeds")) == few
    if few:
        needed = int(result.attrs["warnings"][0].split("it takes ")[1].split()[0])
        assert str(cell(assess(pair().isel(seed=slice(6)))).word.values) == "mainly"
        assert needed == {1: 6, 2: 7}[poor]


def test_no_bound_where_no_gain_at_the_reference_limits_it():
    free = study({"well": -AT_REFERENCE, "poor": GAINS["mainly"]})
    assert (word(free), remark(free)) == ("mainly", "no bound")
    assert cell(assess(free)).times_at_least == np.inf
    assert rows(assess(free))[0]["ratio_at_least"] is None
    assert remark(pair()) == ""


def test_five_pairs_have_no_interval():
    result = assess(pair().isel(seed=slice(5)))
    assert np.isnan(cell(result).gain_low)
    assert cell(result).gain == pytest.approx(3, abs=1e-6)


# ------------------------------------------------------------------ missing and diverged runs, failures


def test_a_diverged_run_counts_and_a_missing_one_drops_its_pair():
    dataset = with_status(pair(), {"norm": "none", "init": "poor", "seed": 0}, Status.DIVERGED)
    dataset = with_status(dataset, {"norm": "batch", "init": "poor", "seed": 1}, Status.FAILED)
    found = cell(assess(dataset))
    assert found.n == 9
    assert found.sel(every_arm="none").failures == 1
    assert found.runs.sel(every_arm=["none", "batch"]).values.tolist() == [10, 9]
    assert "1 of 40 runs are not there" in told(dataset)
    gain = (2 * np.log2(0.9 / CONTROL)) / 4 + 3  # of its four epochs the last two are guesses
    row = rows(assess(dataset))[0]
    assert row["gain_high"] < gain
    assert row["failures"] == {"control": [1, 10], "treated": [0, 9], "p": 1.0}


def test_without_a_status_an_end_without_accuracy_is_a_divergence():
    dataset = pair()
    dataset.test_accuracy.loc[{"norm": "none", "init": "poor", "seed": 0, "epoch": slice(3, None)}] = np.nan
    dataset.test_accuracy.loc[{"norm": "none", "init": "poor", "seed": 1}] = np.nan
    assert cell(assess(dataset)).n == 9
    assert "1 runs have no accuracy at their end" in told(dataset)


def test_a_run_that_lacks_an_epoch_is_left_out_and_told():
    dataset = pair()
    dataset.test_accuracy.loc[{"norm": "none", "init": "poor", "seed": 0, "epoch": 2}] = np.nan
    assert cell(assess(dataset)).n == 9
    assert "1 run lacks the accuracy of an epoch" in told(dataset)


def test_rare_failures_are_counted_and_compared():
    dataset = pair()
    dataset.test_accuracy.loc[{"norm": "none", "init": "poor", "seed": slice(0, 7)}] = 0.1
    dataset.test_accuracy.loc[{"norm": "batch", "init": "poor", "seed": 9}] = 0.1
    found = cell(assess(dataset))
    assert found.failures.sel(every_arm=["none", "batch"]).values.tolist() == [8, 1]
    assert found.p_failures == pytest.approx(2 * 10 / 2**9)  # one of nine that disagree
    assert cell(assess(dataset), "well").p_failures == 1.0


def test_a_study_that_has_just_begun():
    dataset = with_status(pair(), {"init": "poor"}, Status.PENDING)
    found = cell(assess(dataset))
    assert (found.n, str(found.word.values)) == (0, "unclear")
    assert "cannot be judged yet" in sentences(assess(dataset))["mlp"]
    assert not any("nan" in text for text in verdict_table(assess(dataset)).rows[0])


# ------------------------------------------------------------------ roles, reference, criteria


def test_without_a_reference_no_word_compares_with_it():
    dataset = pair("harms").assign_coords(init_role=("init", ["poor", "poor"]))
    result = assess(dataset)
    assert result.word.values.ravel().tolist() == ["unclear", "harms"]
    assert result.difference.isnull().all()
    assert "no init is declared well" in told(dataset)
    assert word(pair("mainly").assign_coords(init_role=("init", ["poor", "poor"]))) == "unclear"


def test_an_unknown_role_is_told_and_left_out():
    dataset = study({"well": AT_REFERENCE, "poor": GAINS["mainly"], "odd": GAINS["mainly"]})
    dataset = dataset.assign_coords(init_role=("init", ["well", "poor", "?"]))
    assert str(cell(assess(dataset), "odd").word.values) == ""
    assert cell(assess(dataset)).p_adjusted == 2.0**-10
    assert "odd has no role" in told(dataset)


def test_the_studys_own_criteria_are_used():
    declared = {"mainly_times": 20.0, "margin": 0.05, "alpha": 0.05, "reference": "well"}
    dataset = pair(study=tomli_w.dumps(declared))
    assert word(dataset) == "more"
    assert assess(dataset).attrs["margin"] == 0.05
    assert word(pair(mainly_times=20.0)) == "more"
    for key, value in (("alpha", 0), ("alpha", "x"), ("target_accuracy", 98), ("margin", np.inf), ("looks", "x")):
        with pytest.raises(InputError, match=key):
            assess(pair(**{key: value}))


def test_whatever_a_study_may_declare_is_what_it_is_judged_by():
    for key, value in (
        ("margin", 9.9),
        ("mainly_times", 1000),
        ("mainly_times", 1),
        ("alpha", 0.49),
        ("looks", [5, 10]),
    ):
        asked = Study.make({"inits": "default,zero", "models": "mlp", key: value})
        dataset = study({"default": AT_REFERENCE, "zero": GAINS["mainly"]}, asked)
        assert assess(dataset).attrs[key] == value
    with pytest.raises(InputError, match="margin"):
        Study.make({"margin": 10})


def test_a_file_is_not_judged_by_something_else_than_its_hash_says():
    """An attribute, a role or the study itself, changed since the study was hashed."""
    declared = {"margin": 0.2, "alpha": 0.05, "reference": "well", "roles": {"well": "well", "poor": "poor"}}
    dataset = pair(study=tomli_w.dumps(declared), study_hash=digest_of(declared), margin=0.2)
    assert assess(dataset).attrs["margin"] == 0.2
    other = {**declared, "margin": 0.1}
    for changed, reason in (
        (dataset.assign_attrs(margin=0.1), "margin is 0.1, and its study declared 0.2"),
        (dataset.assign_attrs(alpha=0.2), "alpha is 0.2, and its study declared 0.05"),
        (dataset.assign_attrs(reference="poor"), "reference is poor, and its study declared well"),
        (dataset.assign_attrs(study=tomli_w.dumps(other)), "not the one of its study_hash"),
        (dataset.assign_coords(init_role=("init", ["well", "well"])), "init_role of poor is well"),
    ):
        with pytest.raises(InputError, match=reason):
            assess(changed)


def test_what_was_not_declared_may_be_tried_and_is_told():
    declared = {"margin": 0.2, "mainly_times": 2.0, "alpha": 0.05}
    dataset = pair(study=tomli_w.dumps(declared))
    assert "post hoc" not in told(dataset)
    criteria = replace(criteria_of(factor_form(dataset)), margin=0.1)
    result = assess(dataset, criteria)
    assert result.attrs["margin"] == 0.1
    assert any("post hoc: judged by margin 0.1 (declared: 0.2)" in text for text in result.attrs["warnings"])
    before = pair(study=tomli_w.dumps({"alpha": 0.05}))
    assert "post hoc: the study was declared before there were mainly_times 2 and margin 0.15" in told(before)


def test_what_cannot_be_compared_is_refused():
    dataset = pair()
    for wrong, reason in (
        (dataset.sel(norm=["none"]), "nothing to compare"),
        (dataset.sel(norm=["batch"]), "nothing to compare"),
        (dataset.drop_vars("init_role"), "init_role"),
        (dataset.assign_attrs(treatment="colour"), "treatment is 'colour', which is no factor"),
        (dataset.assign_attrs(condition="norm"), "treatment and condition are both norm"),
    ):
        with pytest.raises(InputError, match=reason):
            assess(wrong)


def test_what_was_assumed_is_told():
    dataset = pair().drop_attrs()
    assert "does not tell its test_size" in told(dataset)
    assert "ten are assumed" in told(dataset)


# ------------------------------------------------------------------ looks and added seeds


def test_looks_share_alpha():
    """Of two looks each is judged at half, which nine of ten pairs on one side do not reach."""
    nine = GAINS["harms"].copy()
    nine[0] = 0.5
    dataset = study({"well": -0.3 - NOISE[::-1], "poor": nine})
    once = {"margin": 0.001, "mainly_times": 2.0, "alpha": 0.04}
    assert word(dataset.assign_attrs(study=tomli_w.dumps(once))) == "harms"
    twice = dataset.assign_attrs(study=tomli_w.dumps({**once, "looks": [10, 20]}))
    assert word(twice) == "unclear"
    assert "look 1 of 2: each is judged at alpha/2" in told(twice)
    assert "9 seeds are no declared look (10, 20)" in told(twice.isel(seed=slice(9)))


def test_seeds_added_without_looks_are_told():
    changes = {"seeds": [list(range(5)), list(range(10))]}
    added = pair(amendments=json.dumps([{"changes": {"inits": [["a"], ["a", "b"]]}}, {"changes": changes}]))
    assert "seeds were added once the study had begun (from 5 to 10) and no looks were declared" in told(added)
    levels = told(pair(amendments=json.dumps([{"changes": {"inits": [["a"], ["a", "b"]]}}])))
    assert "levels of init were added once the study had begun" in levels
    assert "seeds were added" not in levels
    assert "were added" not in told(pair(amendments=json.dumps([{"changes": {"epochs": [5, 10]}}])))


# ------------------------------------------------------------------ any treatment, any condition

ASKED = {
    "optimizer": {"treatment": "optimizer", "control": "sgd", "optimizers": "sgd,adam", "norms": "none",
                  "inits": "default,zero"},
    "lr": {"treatment": "lr", "control": "0.01", "lr": "0.01,0.1", "norms": "none", "inits": "default,zero"},
    "model": {"treatment": "model", "control": "mlp", "models": "mlp,cnn", "norms": "none", "inits": "default,zero"},
    "weight_decay": {"treatment": "weight_decay", "control": "0", "weight_decay": "0,0.1", "norms": "none",
                     "inits": "default,zero"},
    "condition lr": {"condition": "lr", "reference": "0.01", "lr": "0.01,1"},
    "condition batch_size": {"condition": "batch_size", "reference": "100", "batch_size": "100,10"},
    "both": {"treatment": "lr", "control": "0.01", "lr": "0.01,0.1", "norms": "none", "condition": "batch_size",
             "reference": "100", "batch_size": "100,10"},
}  # fmt: skip
SAID = {
    "optimizer": ("adam matters mainly", "than with sgd", "at default"),
    "lr": ("lr 0.1 matters mainly", "than with lr 0.01", "at default"),
    "model": ("cnn matters mainly", "than with mlp", "at default"),
    "weight_decay": ("weight decay 0.1 matters mainly", "than with weight decay 0", "at default"),
    "condition lr": ("Batch Normalization matters mainly at lr 1:", "than without it", "at lr 0.01"),
    "condition batch_size": ("Batch Normalization matters mainly at batch size 10:", "without it", "at batch size 100"),
    "both": ("lr 0.1 matters mainly at batch size 10:", "than with lr 0.01", "at batch size 100"),
}


@pytest.mark.parametrize("name", ASKED)
def test_words_and_labels_are_the_treatments_own(name):
    asked = Study.make({"models": "mlp", "dataset": "digits", **ASKED[name]})
    well, poor = asked.roles
    dataset = study({well: AT_REFERENCE, poor: GAINS["mainly"]}, asked)
    results = Results(dataset)
    found = results.assessment
    assert set(found.word.sel(condition=poor).values.ravel()) == {"mainly"}
    assert (found.attrs["treatment"], found.attrs["control"]) == (asked.treatment, asked.control)
    (sentence,) = sentences(found).values()
    for text in SAID[name]:
        assert text in sentence
    if asked.treatment != "norm":
        assert "BN" not in sentence
        assert "Batch" not in sentence
    (row,) = rows(found)
    assert row["condition"] == poor
    assert asked.treatment not in row["setting"]
    assert asked.condition not in row["setting"]
    table = verdict_table(found)
    assert f"poor {asked.condition}" in table.header
    drawn_apart = any("share batches" in text for text in found.attrs["warnings"])
    assert drawn_apart == (asked.treatment == "model")


def test_several_arms_settings_and_models_are_judged_each_by_itself():
    parts = [
        pair(name).assign_coords(model=[model]).expand_dims(lr=[lr])
        for model, lr, name in (("a", 0.01, "mainly"), ("a", 0.1, "none"), ("b", 0.01, "less"), ("b", 0.1, "unclear"))
    ]  # fmt: skip
    dataset = xr.combine_by_coords(parts, combine_attrs="override")
    layer = dataset.sel(norm=["batch"]).assign_coords(norm=["layer"])
    dataset = xr.concat([dataset, layer], "norm", data_vars="minimal", coords="minimal", compat="override")
    dataset = dataset.sel(norm=["batch", "none", "layer"])
    found = assess(dataset).word.sel(condition="poor")
    assert found.arm.values.tolist() == ["batch", "layer"]
    assert found.setting.values.tolist() == ["lr 0.01", "lr 0.1"]
    for model, words in (("a", ["mainly", "none"]), ("b", ["less", "unclear"])):
        for arm in ("batch", "layer"):
            assert found.sel(model=model, arm=arm).values.tolist() == words


def test_runs_that_are_no_pairs_are_judged_by_rank_sums():
    dataset = pair()
    rng = np.random.default_rng(2)
    shuffled = dataset.copy(deep=True)
    shuffled.test_accuracy.loc[{"norm": "batch"}] = dataset.test_accuracy.sel(norm="batch").values[
        ..., rng.permutation(10), :
    ]
    criteria = replace(criteria_of(factor_form(dataset)), paired=False)
    for of in (dataset, shuffled):
        found = cell(assess(of, criteria))
        assert str(found.word.values) == "mainly"
        assert found.gain == pytest.approx(3, abs=0.02)
        assert found.p_helps == pytest.approx(1 / 184756)  # of 20 choose 10


def test_criteria_are_those_of_the_study_or_the_usual():
    asked = Study.make({"inits": "default,zero", "mainly_times": 3, "looks": "5,10"})
    criteria = Criteria.of(asked)
    assert (criteria.mainly_times, criteria.looks, criteria.reference) == (3, (5, 10), "default")
    assert criteria.poor == ("zero",)
    stored = factor_form(study({"default": AT_REFERENCE, "zero": GAINS["none"]}, asked))
    assert criteria_of(stored) == criteria
    assert Criteria().attributes()["margin"] == 0.15
