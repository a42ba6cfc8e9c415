"""Predictions that check themselves, in a study file and in its results."""

from __future__ import annotations

import pytest
import tomli_w
from bnstudy.analysis.predictions import FAILED, HELD, UNKNOWN, checked
from bnstudy.analysis.results import Results
from bnstudy.analysis.tables.predictions import prediction_table
from bnstudy.study.errors import InputError
from bnstudy.study.predictions import Prediction
from bnstudy.study.study import Study

from tests.conftest import ROOT

STUDY = {"dataset": "digits", "inits": ["default", "zero"], "scales": [0.001, 100]}


def predicting(*told: object) -> Study:
    return Study.make({**STUDY, "predictions": list(told)})


def test_each_expectation_is_checked_against_its_comparisons():
    results = Results.open(ROOT / "studies" / "data" / "init-sweep")
    declared = {"predictions": [
        "in words alone",
        {"text": "small", "expect": [{"condition": "scaled-normal:0.001", "verdict": ["mainly", "more"]}]},
        {"text": "zero", "expect": {"model": "mlp", "condition": "zero", "sign": "gain"}},
        {"text": "hidden", "expect": {"model": "cnn", "condition": "zero-hidden", "verdict": "harms"}},
        {"text": "reference", "expect": {"model": "cnn", "condition": "default", "sign": "gain"}},
    ]}  # fmt: skip
    told = checked(results.assessment, declared)
    assert [(one.prediction, one.model, one.expected, one.found, one.held) for one in told] == [
        ("small", "mlp", "mainly or more", "mainly", HELD), ("small", "cnn", "mainly or more", "mainly", HELD),
        ("zero", "mlp", "gain", "none", FAILED), ("hidden", "cnn", "harms", "unclear", UNKNOWN),
        ("reference", "cnn", "gain", "gain", HELD),
    ]  # fmt: skip
    table = prediction_table(told)
    assert table.header[-3:] == ("predicted", "found", "held")
    assert all(len(row) == len(table.header) for row in table.rows)
    assert "on which side of 0 the 95 % interval of the gain there lies" in table.notes[0]  # not the verdict's words
    assert prediction_table(told[:2]).notes == ("1: small",)


def test_a_study_keeps_them_and_hashes_them():
    expect = {"condition": "zero", "verdict": "none"}
    study = predicting("words", {"text": "nothing", "expect": expect})
    assert study != predicting("words", {"text": "nothing", "expect": {**expect, "verdict": "harms"}})
    assert study.digest != predicting("words", {"text": "nothing"}).digest
    again = Study.make(STUDY | {"predictions": study.stored["predictions"]})
    assert again.digest == study.digest
    assert tomli_w.dumps(study.stored)


@pytest.mark.parametrize(("told", "reason"), [
    ({"text": "x", "expect": {"condition": "zero"}}, "either a verdict"),
    ({"text": "x", "expect": {"condition": "zero", "verdict": "none", "sign": "gain"}}, "either a verdict"),
    ({"text": "x", "expect": {"condition": "zero", "verdict": "supported"}}, "'mainly'"),
    ({"text": "x", "expect": {"verdict": "none"}}, "condition"),
    ({"text": "x", "expect": {"condition": "nowhere", "verdict": "none"}}, "the condition 'nowhere', which is not"),
    ({"text": "x", "expect": {"condition": "zero", "model": "vgg", "verdict": "none"}}, "the model 'vgg', which"),
    ({"expect": {"condition": "zero", "verdict": "none"}}, "text"), (3, "one is not a text"),
])  # fmt: skip
def test_what_is_none_is_refused(told, reason):
    with pytest.raises(InputError, match=reason) as caught:
        predicting(told)
    assert caught.value.key == "predictions"


def test_an_option_that_takes_levels_away_takes_what_was_expected_of_them(tmp_path):
    """A shipped study with other inits: what it says of levels that are there stays, of others nothing does."""
    told = [{"text": "nothing", "expect": [{"condition": "zero", "verdict": "none"},
                                           {"condition": "scaled-normal:100", "verdict": "none"}]},
            {"text": "of both", "expect": {"condition": ["zero", "scaled-normal:100"], "sign": "none"}},
            {"text": "of another", "expect": {"condition": "scaled-normal:100", "sign": "none"}},
            {"text": "to be seen"}, "zero: as it was", "scaled-normal:100: diverges"]  # fmt: skip
    path = tmp_path / "study.toml"
    path.write_text(tomli_w.dumps({**STUDY, "predictions": told}))
    nothing, both, *others = Study.load(path, inits="default,zero", scales="10").predictions
    assert [one.condition for one in (*nothing.expect, *both.expect)] == [("zero",), ("zero",)]
    assert others == [Prediction(text="to be seen"), "zero: as it was"]
    assert Study.load(path, inits="default", scales="10").predictions == (Prediction(text="to be seen"),)
    assert Study.load(path, seeds=3).predictions == Study.load(path).predictions
    assert Study.load(path, inits="default", predictions=["mine"]).predictions == ("mine",)
    told[0]["expect"][0]["condition"] = "zerro"
    path.write_text(tomli_w.dumps({**STUDY, "predictions": told}))
    with pytest.raises(InputError, match="zerro"):
        Study.load(path, inits="default,zero")


@pytest.mark.parametrize(("told", "wrong"), [
    ({"text": "so", "expect": {"condition": "zero", "arm": "batch", "sign": "gain"}},
     "expect has no key 'arm'; there are model, setting, treatment, condition, verdict, sign"),
    ({"text": "so", "expects": {}}, "one has no key 'expects'; there are text, expect"),
])  # fmt: skip
def test_a_key_that_is_not_there_is_told_with_those_that_are(told, wrong):
    with pytest.raises(InputError, match=wrong):
        predicting(told)
