"""The answer in words: what it says for each word, for groups of conditions, and where there is little to say."""

from __future__ import annotations

import numpy as np
import pytest
from bnstudy.analysis.results import assess
from bnstudy.analysis.tables.sentences import sentences
from bnstudy.analysis.verdict import WORDS

from tests.analysis.made_up import AT_REFERENCE, GAINS, study
from tests.synthetic import make_dataset

BN = "Batch Normalization"


def told(gains: dict[str, np.ndarray], at_reference: np.ndarray = AT_REFERENCE) -> str:
    (sentence,) = sentences(assess(study({"well": at_reference, **gains}))).values()
    assert sentence.endswith(".")
    assert "nan" not in sentence
    assert ".." not in sentence
    assert "  " not in sentence
    return sentence


SAID = {
    "mainly": f"{BN} matters mainly at poor: there the error is 8.1 times smaller than without it, "
    "and 1.2 times at well.",
    "more": f"{BN} helps more at poor than at well: there the error is 1.3 times smaller than without it, "
    "and 1.2 times at well.",
    "alike": f"{BN} does about the same at poor as at well.",
    "less": f"{BN} gains less at poor than at well.",
    "none": f"{BN} makes no difference at poor.",
    "harms": f"{BN} does harm at poor.",
    "unclear": f"{BN}: it is not settled at poor.",
}


@pytest.mark.parametrize("word", WORDS)
def test_each_word_is_a_sentence(word):
    assert told({"poor": GAINS[word]}) == SAID[word]


def test_several_words_are_two_sentences_and_what_is_open():
    found = told({"a": GAINS["mainly"], "b": GAINS["mainly"] + 1, "c": GAINS["none"], "d": GAINS["unclear"]})
    assert found == (
        f"{BN} matters mainly at a and b: there the error is 8.1 to 16 times smaller than without it, "
        "and 1.2 times at well. It makes no difference at c. It is not settled at d."
    )


def test_conditions_of_one_kind_are_told_together():
    found = told({"scaled-normal:0.01": GAINS["mainly"], "scaled-normal:0.001": GAINS["mainly"],
                  "scaled-normal:100": GAINS["mainly"], "poor": GAINS["mainly"]})  # fmt: skip
    assert "matters mainly where weights are too small or too large and at poor: there" in found


def test_what_is_amiss_is_called_the_same_alone_and_in_its_group():
    gains = {"large-variance": GAINS["mainly"], "scaled-normal:100": GAINS["mainly"]}
    assert "matters mainly where weights are too large: there" in told(gains)
    found = told({**gains, "scaled-normal:100": GAINS["none"]})
    assert "matters mainly where weights are too large (standard deviation 1): there" in found
    assert "makes no difference where weights are 100 times too large." in found


FAILS = ", with it or without, diverges or never gets below half the error of guessing in the time trained"


def test_where_nothing_learns_is_said_what_was_seen():
    dataset = study({"well": AT_REFERENCE, "poor": GAINS["mainly"], "dead": np.zeros(10)})
    dataset.test_accuracy.loc[{"init": "dead"}] = 0.1
    (sentence,) = sentences(assess(dataset)).values()
    assert sentence.endswith(f"It makes no difference at dead: there every run{FAILS}.")
    dataset.test_accuracy.loc[{"init": "dead", "norm": "batch"}] = 0.45  # helps, and fails all the same
    (sentence,) = sentences(assess(dataset)).values()
    assert f", though every run at dead{FAILS}." in sentence


def test_too_few_seeds_are_said_to_be_too_few():
    dataset = study({"well": AT_REFERENCE, "poor": GAINS["mainly"]}).isel(seed=slice(3))
    assert sentences(assess(dataset)) == {"mlp": f"{BN}: 3 seeds are too few to tell at poor."}


def test_without_a_reference_there_is_none_to_name():
    dataset = study({"a": GAINS["harms"], "b": GAINS["mainly"]}).assign_coords(init_role=("init", ["poor"] * 2))
    assert sentences(assess(dataset)) == {"mlp": f"{BN} does harm at a. It is not settled at b."}


def test_a_study_that_has_just_begun_has_nothing_to_judge():
    found = sentences(assess(make_dataset(pending=10_000)))
    assert found == dict.fromkeys(("mlp", "cnn"), f"{BN} cannot be judged yet.")


def test_settings_and_arms_are_told_apart():
    found = sentences(
        assess(make_dataset(models=["mlp"], norms=["none", "batch", "layer"], optimizers=["sgd", "adam"]))
    )
    sentence = found["mlp"]
    assert sentence.count("With sgd, ") == sentence.count("With adam, ") == 2
    assert sentence.count("With sgd, Layer Normalization") == 1


def test_an_init_that_is_a_setting_is_told_with_its_factor():
    result = assess(study({"well": AT_REFERENCE, "poor": GAINS["none"]}))
    result = result.assign_coords(setting=["default, lr 0.1"])
    result.attrs["settings"] = [{"init": "default", "lr": 0.1}]
    assert sentences(result)["mlp"].startswith("With init default, lr 0.1, ")
