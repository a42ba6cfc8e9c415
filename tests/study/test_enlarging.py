"""The command that a larger study needs, for a folder that holds less of it."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from bnstudy.storage.store import Store
from bnstudy.study.enlarging import enlarging_command, extended
from bnstudy.study.errors import InputError
from bnstudy.study.study import Study

SETTINGS = {"dataset": "digits", "models": "mlp", "hidden": "8", "inits": "default,zero", "seeds": 2, "epochs": 2}
EXPECTED = [{"text": "so", "expect": {"condition": "zero", "verdict": "none"}}]


def study(**settings) -> Study:
    return Study.make({**SETTINGS, **settings})


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({"seeds": 4}, "--seeds 4"),
        ({"seeds": "0,1,7"}, "--seeds 0,1,7"),
        ({"epochs": 5, "seeds": 3}, "--seeds 3 --epochs 5"),
        ({"inits": "default,xavier,zero", "scales": "10"}, "--inits xavier,scaled-normal:10"),
        ({"lr": "0.01,0.123456789", "batch_size": "100,20"}, "--lr 0.123456789 --batch-size 20"),
        ({"models": "mlp,mlp:8:tanh", "predictions": EXPECTED}, "--models mlp:8:tanh"),
    ],
)
def test_it_names_what_is_new_and_makes_the_study(settings, options):
    larger = study(**settings)
    command = enlarging_command(Path("results/my study"), study(), larger)
    assert command == f"bnstudy extend 'results/my study' {options}"
    given = shlex.split(options)
    asked = {name[2:].replace("-", "_"): value for name, value in zip(given[::2], given[1::2], strict=True)}
    grown = extended(study(), asked)
    for key, (there, wanted) in grown.differences(larger).items():
        assert key == "predictions" or set(there) == set(wanted)


@pytest.mark.parametrize(
    "settings",
    [{}, {"seeds": 1}, {"epochs": 1, "seeds": 3}, {"inits": "zero,xavier"}, {"momentum": 0.5, "seeds": 3},
     {"inits": "zero,default"}, {"looks": "2,3", "seeds": 3}, {"name": "other", "seeds": 3}],
)  # fmt: skip
def test_none_where_it_would_be_another_study(settings):
    assert enlarging_command(Path("s"), study(), study(**settings)) == ""


def test_a_folder_that_holds_less_names_it_and_one_that_holds_more_is_read(tmp_path):
    Store.create(tmp_path / "s", study(), "cpu")
    with pytest.raises(
        InputError, match=r"holds less of this study \(seeds: .*\); `bnstudy extend .*/s --seeds 3` adds"
    ):
        Store.find(tmp_path / "s", study(seeds=3))
    with pytest.raises(InputError, match=r"`bnstudy analyze .*/s` reads that one, which holds all of this and more"):
        Store.find(tmp_path / "s", study(seeds=1))
    with pytest.raises(InputError, match=r"another study .*; choose another folder with --out"):
        Store.find(tmp_path / "s", study(momentum=0.5))


def test_levels_in_another_order_are_the_same_study(tmp_path):
    Store.create(tmp_path / "s", study(), "cpu")
    found = Store.find(tmp_path / "s", study(inits="zero,default", seeds="1,0"))
    assert found.study == study()
