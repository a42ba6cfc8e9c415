"""Options that contradict one another are refused before anything is read."""

from __future__ import annotations

import pytest
from bnstudy.study.errors import InputError

from tests.analysis.external.made_up import said


@pytest.mark.parametrize(
    ("further", "key"),
    [
        ({"condition": "norm"}, "condition"),
        ({"step": ""}, "step"),
        ({"by": ("lr", "lr")}, "by"),
        ({"seed": None}, "seed"),
        ({"columns": ("a", "a")}, "columns"),
        ({"test_size": 0}, "test_size"),
        ({"classes": 1}, "classes"),
        ({"stopped": "died"}, "stopped"),
        ({"value": "loss", "lower_is_better": True, "guess": -1.0}, "guess"),
        ({"guess": 2.3}, "guess"),
        ({"best": 1.0}, "worst"),
        ({"worst": 1.0}, "best"),
        ({"best": 1.0, "worst": 0.0, "classes": 10}, "classes"),
        ({"value": "loss", "lower_is_better": True, "percent": True}, "percent"),
        ({"value": "val_loss"}, "value"),
        ({"lower_is_better": True}, "lower_is_better"),
    ],
)
def test_what_cannot_be_is_refused_with_its_option(further, key):
    with pytest.raises(InputError) as refused:
        said(**further).check()
    assert refused.value.key == key


def test_what_can_be_is_not():
    said().check()
    said(value="err_at_acc", lower_is_better=True, classes=10, percent=True).check()
    said(value="loss", lower_is_better=True, guess=2.3).check()
    said(value="reward", best={"good": 1.0, "bad": 2.0}, worst=0.0).check()
