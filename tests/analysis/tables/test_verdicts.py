"""Verdicts told: rows that say what the assessment says, tables, sentences, and files for other programs."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from bnstudy.analysis.assessment import VERDICTS, assess
from bnstudy.analysis.tables.formats import to_csv, to_latex
from bnstudy.analysis.tables.summary import Table
from bnstudy.analysis.tables.verdicts import rows, sentences, verdict_table

from tests.analysis.test_assessment import CASES, study
from tests.synthetic import make_dataset


@pytest.mark.parametrize("verdict", VERDICTS)
def test_rows_sentence_and_table_say_the_verdict(verdict):
    result = assess(study(CASES[verdict], study_name="made-up"))
    (row,) = rows(result)
    assert row["verdict"] == verdict
    assert row["effect"] == float(result.did.sel(response="epochs_to_target", init="poor").squeeze())
    assert row["interval"][0] <= row["effect"] <= row["interval"][1]
    assert list(row)[:5] == ["model", "norm", "optimizer", "lr", "init"]
    assert list(row["responses"]) == ["epochs_to_target", "final_accuracy", "epochs_to_stay", "mean_accuracy"]
    json.dumps(row, allow_nan=False)
    table = verdict_table(result)
    assert table.rows[0][-1] == verdict
    assert len(table.rows[0]) == len(table.header)
    sentence = sentences(result)["mlp"]
    assert sentence.startswith("mlp: Batch Normalization saves ")
    assert "at the well init well" in sentence
    assert "n = 10 seeds" in sentence
    phrase = {
        "both-fail": "no run of either arm", "supported": "matters at poor",
        "helps-more-when-poor": "helps more at poor",
        "helps-everywhere": "not measurably more", "contradicted": "helps less", "no-effect": "equals",
        "inconclusive": "cannot tell",
    }[verdict]  # fmt: skip
    assert phrase in sentence


def test_numbers_stand_in_the_sentence():
    sentence = sentences(assess(study(CASES["supported"])))["mlp"]
    saved = (15 + np.arange(10) % 2 - (7 + np.arange(10) % 3)).mean()
    assert f"at poor ({saved:.1f} epochs, 95 % interval " in sentence


def test_what_is_not_there_is_null_not_nan():
    one = {key: np.asarray(value)[:1] for key, value in CASES["supported"].items()}
    (row,) = rows(assess(study(one)))
    assert row["interval"] == [None, None]
    assert row["responses"]["epochs_to_target"]["p_h2"] is None
    json.dumps(row, allow_nan=False)
    without = assess(study(CASES["supported"], roles={"well": "poor", "poor": "poor"}))
    assert [row["effect"] for row in rows(without)] == [None, None]
    assert "cannot be judged" in sentences(without)["mlp"]
    assert verdict_table(without).rows[0][-1] == "inconclusive"


def test_csv_is_read_back():
    listed = rows(assess(study(CASES["supported"])))
    (read,) = csv.DictReader(io.StringIO(to_csv(listed), newline=""))
    assert read["verdict"] == "supported"
    assert float(read["effect"]) == listed[0]["effect"]
    assert float(read["responses.final_accuracy.effect_interval_low"]) == pytest.approx(
        listed[0]["responses"]["final_accuracy"]["effect_interval"][0]
    )
    assert to_csv([]) == "\r\n"


@pytest.mark.parametrize("label", ["=1+1", "+x", "-x", "@x", "\tx"])
def test_no_label_becomes_a_formula(label):
    assert to_csv([{"model": label}]).splitlines()[1].strip('"').startswith("'")
    assert to_csv([{"effect": -1.5}]).splitlines()[1] == "-1.5"


def test_latex_escapes_what_it_would_obey():
    text = to_latex(Table("t", ("a_b", "c"), (("50 % & \\input{x} $y^2$ #~", "<1 [2]"),), ("x",)))
    assert r"50 \% \& \textbackslash{}input\{x\} \$y\textasciicircum{}2\$ \#\textasciitilde{}" in text
    assert r"\textless{}1 {[}2{]}" in text
    assert text.count("&") == 3 + 0
    assert text.startswith("\\begin{tabular}{lr}\n\\toprule\na\\_b & c \\\\\n")


def test_a_study_that_has_just_begun_is_told_without_numbers():
    curves = make_dataset(models=["mlp"], pending=24)
    told = sentences(assess(curves))["mlp"]
    assert "no pair of runs yet at the well init default" in told
    assert "no pair of runs is there yet at scaled-normal:0.01 and zero" in told
    assert "nan" not in told
