"""What differs between two studies, said in a few words: what only one of them has."""

from __future__ import annotations

import pytest
from bnstudy.study.differing import told
from bnstudy.study.study import Study

MANY = "default,zero,large-variance,zero-hidden,dead-biases"


@pytest.mark.parametrize(("there", "asked", "text"), [
    ({"inits": MANY, "scales": "0.01,1,10"}, {"inits": MANY, "scales": "0.01,1"},
     "inits: scaled-normal:10 there, not asked"),
    ({"inits": MANY, "scales": "0.1"}, {"inits": MANY, "scales": "10"},
     "inits: scaled-normal:0.1 there, not asked, scaled-normal:10 asked, not there"),
    ({"lr": "0.1,0.2"}, {"lr": "0.2,0.1"}, "lr: the same in another order"),
    ({"epochs": 3}, {"epochs": 9}, "epochs: 3 there, 9 asked"),
    ({"question": f"{'Long ' * 30} one?"}, {"question": f"{'Long ' * 30} other?"},
     'question: ...Long Long  one?" there, ...Long Long  other?" asked'),
])  # fmt: skip
def test_only_what_differs_is_named(there, asked, text):
    one, other = (Study.make({"dataset": "digits", **settings}) for settings in (there, asked))
    changes = {key: both for key, both in one.differences(other).items() if key != "roles"}
    assert told(changes) == text


def test_of_roles_those_that_differ():
    assert told({"roles": ({"a": "well", "b": "poor"}, {"a": "well", "b": "well"})}) == (
        'roles: b: "poor" there, "well" asked'
    )
    assert told({"seeds": ([*range(80)], [])}).endswith("... there, not asked")


def test_of_predictions_the_one_that_was_edited_and_where():
    def predictions(word: str) -> list[dict[str, object]]:
        told = [
            {"text": f"{'Long ' * 30}{i}", "expect": [{"condition": ["zero"], "verdict": ["none"]}]} for i in (1, 2)
        ]
        told[1]["expect"][0]["verdict"] = [word]
        return told

    changes = {"predictions": (predictions("mainly"), predictions("less"))}
    assert (
        told(changes)
        == "predictions: number 2: expect: number 1: verdict: mainly there, not asked, less asked, not there"
    )
