"""Studies that ask of another treatment or condition than the first one, on the command line."""

from __future__ import annotations

import re

import pytest

QUICK = ["--dataset", "digits", "--models", "mlp", "--hidden", "8", "--train-size", "200", "--epochs", "1", "--seeds",
         "2"]  # fmt: skip
STUDY = 'name = "rates"\ncondition = "lr"\nreference = "0.1"\nlr = [0.1, 1.0]\n'


@pytest.fixture
def bnstudy(command, tmp_path):
    """A command in an empty folder with rates.toml."""
    (tmp_path / "rates.toml").write_text(STUDY)
    return command


def test_every_rate_is_in_the_table_and_a_pilot_has_to_ask_the_same(bnstudy, tmp_path):
    code, out, _ = bnstudy("run", "rates.toml", *QUICK, "--jobs", "1")
    assert code == 0
    assert "Table 2" not in out
    assert "poor" in out
    code, out, _ = bnstudy("plan", "rates.toml", *QUICK, "--pilot", "results/rates")
    assert code == 0
    assert "too hopeful" not in out
    out = " ".join(bnstudy("plan", "rates.toml", *QUICK, "--lr", "0.1,1,3,9", "--pilot", "results/rates")[1].split())
    assert "too hopeful: the pilot lacks 2 poor levels of the study, such as 3" in out
    for option in ("--csv", "--latex", "--brief"):
        assert "--multiverse: is shown" in bnstudy("analyze", "results/rates", "--multiverse", option)[2]
    (tmp_path / "other.toml").write_text('name = "other"\ninits = ["default", "zero"]\n')
    code, out, err = bnstudy("plan", "other.toml", *QUICK, "--pilot", "results/rates")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "--pilot: results/rates asks something else: its condition is lr, the study's init" in err


def test_figures_of_a_part_with_nothing_to_compare_come_without_a_warning(bnstudy):
    assert bnstudy("run", "rates.toml", *QUICK, "--jobs", "1", "-q", "--shard", "1/4", "--out", "part")[0] == 0
    code, _, err = bnstudy("figures", "part", "--out", "drawn")
    assert code == 0
    assert re.fullmatch(r"\w+: \d+ of \d+ runs so far\n", err)


def test_what_is_expected_of_a_setting_that_is_not_there_is_told(bnstudy, tmp_path):
    expected = 'predictions = [{ text = "so", expect = { condition = "1", setting = "lr 7", sign = "gain" } }]\n'
    (tmp_path / "rates.toml").write_text(STUDY + expected)
    code, out, _ = bnstudy("preregister", "rates.toml", *QUICK)
    assert code == 0
    assert "predicted: so (to be checked: lr 7: gain at 1)" in out
    assert bnstudy("run", "rates.toml", *QUICK, "--jobs", "1", "-q")[0] == 0
    code, out, _ = bnstudy("analyze", "results/rates")
    assert code == 0
    assert "not there" in out
    assert "cannot tell" in out
