"""Verdicts told: rows that say what the assessment says, tables, and files for other programs."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from bnstudy.analysis.results import assess
from bnstudy.analysis.tables.formats import to_csv, to_latex
from bnstudy.analysis.tables.summary import Table
from bnstudy.analysis.tables.verdicts import MEANINGS, meaning, plain, rows, times, verdict_table
from bnstudy.analysis.verdict import WORDS

from tests.analysis.made_up import AT_REFERENCE, GAINS, study

KEYS = ["model", "setting", "treatment", "control", "condition", "reference", "n", "gain", "gain_low", "gain_high",
        "reference_gain", "difference", "difference_low", "difference_high", "ratio_at_least", "p", "verdict", "remark",
        "failures"]  # fmt: skip


def pair(word: str):
    return study({"well": AT_REFERENCE, "poor": GAINS[word]})


@pytest.mark.parametrize("word", WORDS)
def test_row_and_table_say_the_verdict(word):
    result = assess(pair(word))
    (row,) = rows(result)
    assert list(row) == KEYS
    assert (row["treatment"], row["control"], row["condition"], row["reference"]) == ("batch", "none", "poor", "well")
    assert (row["verdict"], row["n"]) == (word, 10)
    found = result.sel(condition="poor").squeeze()
    assert row["gain"] == float(found.gain)
    assert row["gain_low"] <= row["gain"] <= row["gain_high"]
    assert row["difference"] == float(found.difference)
    assert row["failures"] == {"control": [0, 10], "treated": [0, 10], "p": 1.0}
    json.dumps(row, allow_nan=False)
    table = verdict_table(result)
    bounds = ["times, at least"] if word in ("mainly", "more") else []
    assert table.header == ("model", "poor init", "gain [95 %]", "gain at well", *bounds, "failed", "verdict")
    (told,) = table.rows
    assert told[2].startswith(plain(row["gain"]) + " [")
    assert told[-2:] == ("0/10 · 0/10", word)
    assert any(note.startswith("at least: ") for note in table.notes) == bool(bounds)
    assert f"{word}: {meaning(word, result.attrs)}" in table.notes[-1]


def test_a_remark_stands_beside_its_word_or_below_the_table():
    dataset = study({"well": AT_REFERENCE, "poor": GAINS["mainly"], "dead": np.zeros(10)})
    dataset.test_accuracy.loc[{"init": "dead"}] = 0.1
    result = assess(dataset)
    assert [row[-1] for row in verdict_table(result).rows] == ["mainly", "none (neither arm learns)"]
    table = verdict_table(result, marked=True)
    assert [row[-1] for row in table.rows] == ["mainly", "none*"]
    assert table.notes[-1] == "*: neither arm learns"
    assert not any(note.startswith("*") for note in verdict_table(assess(pair("none")), marked=True).notes)


def test_every_word_has_a_meaning():
    assert set(MEANINGS) == set(WORDS)


def test_setting_is_every_other_factor():
    one, other = (pair(word).expand_dims(lr=[lr]) for word, lr in (("mainly", 0.1), ("none", 0.01)))
    dataset = one.reindex(lr=[0.1, 0.01])
    dataset.test_accuracy.loc[{"lr": 0.01}] = other.test_accuracy.sel(lr=0.01)
    listed = rows(assess(dataset))
    assert [(row["setting"]["lr"], row["verdict"]) for row in listed] == [(0.1, "mainly"), (0.01, "none")]
    assert listed[0]["setting"] == {
        "optimizer": "",
        "lr": 0.1,
        "batch_size": None,
        "weight_decay": None,
        "activation": "",
    }


def test_what_is_not_there_is_null_not_nan():
    (row,) = rows(assess(pair("mainly").isel(seed=slice(5))))
    assert (row["gain_low"], row["ratio_at_least"]) == (None, None)
    json.dumps(row, allow_nan=False)
    result = assess(pair("mainly").assign_coords(init_role=("init", ["poor", "poor"])))
    assert [row["difference"] for row in rows(result)] == [None, None]
    assert not any("nan" in text for row in verdict_table(result).rows for text in row)


def test_numbers_are_told_to_two_decimals_and_never_as_minus_zero():
    assert [plain(value) for value in (-0.001, 0.125, -1.0, np.nan)] == ["0.00", "0.12", "-1.00", "–"]
    told = [times({"times_at_least": bound}) for bound in (8.89, 1.0, np.inf, np.nan)]
    assert told == ["8.8 ×", "1.0 ×", "no bound", ""]


def test_csv_is_read_back():
    listed = rows(assess(pair("mainly")))
    (read,) = csv.DictReader(io.StringIO(to_csv(listed), newline=""))
    assert read["verdict"] == "mainly"
    assert float(read["gain"]) == listed[0]["gain"]
    assert (read["failures.control_failed"], read["failures.control_runs"]) == ("0", "10")
    assert read["setting.lr"] == ""
    assert to_csv([]) == "\r\n"


@pytest.mark.parametrize("label", ["=1+1", "+x", "-x", "@x", "\tx"])
def test_no_label_becomes_a_formula(label):
    assert to_csv([{"model": label}]).splitlines()[1].strip('"').startswith("'")
    assert to_csv([{"gain": -1.5}]).splitlines()[1] == "-1.5"


def test_latex_writes_a_minus_and_no_hyphen():
    text = to_latex(Table("t", ("a-b", "c"), (("scaled-normal:-0.1", "-0.02 (-0.1 to 0.3)"), ("1e-05", "0–1")), ()))
    assert r"a-b & c \\" in text
    assert r"scaled-normal:$-$0.1 & $-$0.02 ($-$0.1 to 0.3) \\" in text
    assert r"1e-05 & 0--1 \\" in text


def test_latex_escapes_what_it_would_obey():
    text = to_latex(Table("t", ("a_b", "c"), (("50 % & \\input{x} $y^2$ #~", "<1 [2]"),), ("x",)))
    assert r"50 \% \& \textbackslash{}input\{x\} \$y\textasciicircum{}2\$ \#\textasciitilde{}" in text
    assert r"\textless{}1 {[}2{]}" in text
    assert text.count("&") == 3 + 0
    assert text.startswith("\\begin{tabular}{lr}\n\\toprule\na\\_b & c \\\\\n")
