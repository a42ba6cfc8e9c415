"""Factors in names: split where there is one way, refused where there are none or several."""

from __future__ import annotations

import pandas as pd
import pytest
from bnstudy.analysis.external.names import with_factors
from bnstudy.analysis.external.tables import Table
from bnstudy.study.errors import InputError

from tests.analysis.external.made_up import ANSWER, gains, said, score, table


def split(name, pattern, are_paths=False):
    found = with_factors(Table(pd.DataFrame({"of": [name]}), True, "of", are_paths), said(from_name=pattern)).frame
    return found.iloc[0, 1:].to_dict()


@pytest.mark.parametrize(
    ("name", "pattern", "fields"),
    [
        ("cnn_zero_3", "{model}_{init}_{seed}", {"model": "cnn", "init": "zero", "seed": "3"}),
        ("slstm_9sec_sl_default_3", "{a}_{w}sec_sl_default_{s}", {"a": "slstm", "w": "9", "s": "3"}),
        ("lr=0.1,seed=2", "lr={lr},seed={seed}", {"lr": "0.1", "seed": "2"}),
        ("x-12", "{}-{seed}", {"seed": "12"}),
        ("group/run 1", "{g} {s}", {"g": "group/run", "s": "1"}),
    ],
)
def test_a_name_is_split(name, pattern, fields):
    assert split(name, pattern) == fields


def test_a_path_is_held_against_its_end():
    assert split("out/bn/zero/v1.2.csv", "{norm}/{init}/v{v}", True) == {"norm": "bn", "init": "zero", "v": "1.2"}
    assert split("bn_0.csv.gz", "{norm}_{s}.csv.gz", True) == {"norm": "bn", "s": "0"}
    with pytest.raises(InputError, match="fewer parts"):
        split("v1.csv", "{norm}/{v}", True)


@pytest.mark.parametrize(
    ("name", "pattern", "reason"),
    [
        ("cnn_large_variance_3", "{model}_{init}_{seed}", "more than one way"),
        ("ab", "{x}{y}{z}", "does not fit"),
        ("abc", "{x}{y}", "more than one way"),
        ("cnn-zero", "{model}_{init}", "does not fit"),
        ("_zero", "{model}_{init}", "does not fit"),
        ("a", "{x", "brace"),
        ("a", "a", "no {field}"),
        ("a_a", "{x}_{x}", "twice"),
        ("a_b", "{of}_{x}", "column already"),
        ("_" * 5000, "{a}_{b}_{c}_{d}_{e}_{f}_{g}_{h}!", "does not fit"),
    ],
)
def test_a_name_that_fits_no_or_several_ways_is_refused(name, pattern, reason):
    with pytest.raises(InputError, match=reason) as refused:
        split(name, pattern)
    assert refused.value.key == "from_name"


def test_a_column_of_names_is_split():
    frame = table()
    frame["Name"] = frame.norm + "_" + frame.init + "_" + frame.seed.astype(str)
    assert gains(score(frame[["Name", "step", "acc"]], from_name="{norm}_{init}_{seed}")) == ANSWER
    with pytest.raises(InputError, match="no column that holds the names"):
        score(frame[["step", "acc"]], from_name="{norm}_{init}_{seed}")
