"""What a study asks: every default that is spelled out, and every question that is refused."""

from __future__ import annotations

import pytest
from bnstudy.study.errors import InputError
from bnstudy.study.question import default_role
from bnstudy.study.study import Study


def asked(**settings: object) -> Study:
    return Study.make({"dataset": "digits", "models": "mlp", **settings})


def test_norms_under_inits_are_asked_about_where_nothing_is_said():
    study = asked(inits="default,zero", scales="1")
    assert (study.treatment, study.control) == ("norm", "none")
    assert (study.condition, study.reference) == ("init", "default")
    assert study.roles == {"default": "well", "zero": "poor", "scaled-normal:1": "well"}
    assert (study.mainly_times, study.margin, study.alpha, study.looks) == (2.0, 0.15, 0.05, ())


def test_a_study_without_the_usual_control_has_none():
    assert asked(norms="batch,layer").control == ""
    assert asked(norms="batch,layer", control="batch").control == "batch"


@pytest.mark.parametrize(
    ("settings", "control"),
    [
        ({"treatment": "optimizer", "optimizers": "sgd,adam", "control": "sgd"}, "sgd"),
        ({"treatment": "lr", "lr": "0.01,0.1", "control": "1e-2"}, "0.01"),
        ({"treatment": "model", "models": "mlp,mlp:8", "control": "mlp"}, "mlp"),
        ({"treatment": "batch_size", "batch_size": "100,20", "control": "100"}, "100"),
        ({"treatment": "optimizer", "optimizers": "adam"}, ""),
        ({"treatment": "init", "condition": "lr", "inits": "default,xavier", "control": "default"}, "default"),
    ],
)
def test_any_factor_may_be_the_treatment(settings, control):
    assert asked(**settings).control == control


@pytest.mark.parametrize(
    ("settings", "roles"),
    [
        ({"lr": "0.01,0.1,1", "reference": "0.01"}, {"0.01": "well", "0.1": "poor", "1": "poor"}),
        ({"lr": "0.01,1", "roles": {"1": "poor", "1e-2": "well"}}, {"0.01": "well", "1": "poor"}),
        ({"lr": "0.01,0.1,1", "roles": {"0.01": "well", "0.1": "well"}}, {"0.01": "well", "0.1": "well", "1": "poor"}),
        ({"lr": 0.01}, {"0.01": "poor"}),
    ],
)
def test_numbers_are_well_where_they_are_said_to_be(settings, roles):
    study = asked(condition="lr", **settings)
    assert study.roles == roles
    well = [level for level, role in roles.items() if role == "well"]
    assert study.reference == (well[0] if well else "")


def test_naming_an_init_the_reference_declares_it_well():
    assert asked(inits="default,zero,constant:1", reference="zero").roles == {
        "default": "well", "zero": "well", "constant:1": "poor",
    }  # fmt: skip


def test_what_is_spelled_out_is_spelled_out_once():
    for settings in (
        {"treatment": "optimizer", "control": "sgd", "optimizers": "sgd,adam", "condition": "lr", "lr": "0.1,1",
         "reference": "0.1", "looks": "5,10"},
        {"inits": "default,zero"},
    ):  # fmt: skip
        study = asked(**settings)
        again = Study.make(study.model_dump())
        assert again == study
        assert again.digest == study.digest


BAD = [
    ("treatment", {"treatment": "colour"}, "must be one of model, norm, init"),
    ("condition", {"condition": "seed"}, "must be one of"),
    ("condition", {"treatment": "init"}, "another factor than the treatment, which is init"),
    ("control", {"treatment": "optimizer", "optimizers": "sgd,adam"}, "the others are compared with: sgd, adam"),
    ("control", {"control": "layer"}, "'layer' is not a level of norms"),
    ("control", {"control": "bacth"}, "did you mean 'batch'"),
    ("control", {"treatment": "lr", "lr": "0.1,1", "control": "fast"}, "'fast' is no number"),
    ("control", {"treatment": "lr", "lr": "0.1,1", "control": "0.2"}, "'0.2' is not a level of lr"),
    ("reference", {"condition": "lr", "lr": "0.1,1"}, "name the level of lr that is good"),
    ("reference", {"condition": "lr", "lr": "0.1,1", "reference": "2"}, "'2' is not a level of lr"),
    ("reference", {"condition": "lr", "lr": "0.1,1", "reference": "1", "roles": {"1": "poor", "0.1": "well"}},
     "'1' is declared poor"),
    ("reference", {"inits": "default,zero", "reference": "zero", "roles": {"zero": "poor"}}, "'zero' is declared poor"),
    ("reference", {"inits": "default,zero", "reference": "xavier"}, "'xavier' is not a level of inits"),
    ("roles", {"roles": {"zero": "poor"}}, "'zero' is not a level of inits"),
    ("roles", {"condition": "lr", "lr": "0.1,1", "roles": {"slow": "well"}}, "'slow' is no number"),
    ("roles", {"roles": {"default": "good"}}, "'well' or 'poor'"),
    ("roles", {"condition": "lr", "lr": "0.1,1", "reference": "0.1",
               "roles": {"0.1": "well", "1e-1": "poor"}}, "declared twice"),
    ("mainly_times", {"mainly_times": 0.5}, "greater than or equal to 1"),
    ("margin", {"margin": 0}, "greater than 0"),
    ("margin", {"margin": 10}, "less than 10"),
    ("alpha", {"alpha": 0.5}, "less than 0.5"),
    ("looks", {"looks": "10,5"}, "must rise"),
    ("looks", {"looks": "5,5"}, "must rise"),
    ("looks", {"looks": "0,5"}, "greater than or equal to 1"),
    ("looks", {"looks": "soon"}, "whole number"),
    ("looks", {"looks": ""}, "empty"),
    ("lr", {"condition": "lr", "lr": "0.1234561,0.1234562", "reference": "0.123456"}, "told alike"),
    ("lr", {"treatment": "lr", "lr": "0.1234561,0.1234562", "control": "0.123456"}, "told alike"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "settings", "message"), BAD)
def test_a_question_that_cannot_be_asked_is_refused_by_its_key(key, settings, message):
    with pytest.raises(InputError) as caught:
        asked(**settings)
    assert caught.value.key == key
    assert message in caught.value.problem
    assert "\n" not in str(caught.value)


def test_the_role_of_an_init_is_what_its_entry_says():
    assert {level: default_role(level) for level in ("default", "zero", "scaled-normal:1", "scaled-normal:30")} == {
        "default": "well", "zero": "poor", "scaled-normal:1": "well", "scaled-normal:30": "poor",
    }  # fmt: skip


RATES = {"models": "mlp", "lr": "0.1,1", "condition": "lr", "reference": "0.1"}


def test_a_level_that_is_a_number_may_be_written_as_one():
    asked = Study.make({**RATES, "reference": 0.10})
    assert (asked.reference, asked.digest) == ("0.1", Study.make(RATES).digest)
    sizes = {"models": "mlp", "norms": "none", "inits": "default,zero", "batch_size": "20,50"}
    assert Study.make({**sizes, "treatment": "batch_size", "control": 50}).control == "50"


@pytest.mark.parametrize(("settings", "told"), [
    ({"reference": "3"}, "reference: '3' is not a level of lr, which are 0.1, 1"),
    ({"roles": {"7": "poor"}}, "roles: '7' is not a level of lr, which are 0.1, 1"),
    ({"control": "layer"}, "control: 'layer' is not a level of norms, which are none, batch"),
    ({"reference": True}, "reference: must be text"),
    ({"predictions": [{"text": "so", "expect": {"condition": "1.0", "sign": "gain"}}]}, "there are 0.1, 1"),
])  # fmt: skip
def test_what_is_not_there_is_told_with_what_is(settings, told):
    with pytest.raises(InputError, match=told):
        Study.make({**RATES, **settings})
