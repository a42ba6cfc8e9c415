"""``bnstudy judge``: what it prints and writes, and that it writes nothing where it refuses."""

from __future__ import annotations

import csv
import io
import json

import pytest
from bnstudy.cli.app import main

from tests.analysis.test_judge import table

ASKED = ["--treatment", "method", "--control", "plain", "--condition", "noise", "--reference", "0", "--seed", "seed",
         "--step", "epoch", "--value", "accuracy"]  # fmt: skip


@pytest.fixture
def judge(monkeypatch, tmp_path, capsys):
    """Judge runs.csv in an empty folder: (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)
    table({0: 0.2, 1: 2.0, 2: 0.2}).to_csv("runs.csv", index=False)

    def call(*options: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["judge", "runs.csv", *(str(option) for option in options)])
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


def test_it_says_what_it_read_and_then_the_answer(judge, tmp_path):
    code, out, err = judge(*ASKED, "--report", "page.html", "--figures", "drawn")
    assert (code, err) == (0, "")
    assert out.index("read 2 arms × 3 conditions") < out.index("new matters mainly at noise 1") < out.index("Verdicts")
    assert (tmp_path / "page.html").stat().st_size > 10_000
    assert (tmp_path / "drawn" / "forest.svg").exists()


def test_json_and_csv_and_latex(judge):
    code, out, _ = judge(*ASKED, "--json")
    told = json.loads(out)
    assert code == 0
    assert list(told) == ["verdicts", "sentences", "warnings"]
    assert set(told["verdicts"][0]) >= {
        "model", "setting", "treatment", "condition", "reference", "n", "gain", "gain_low", "gain_high",
        "reference_gain", "difference", "difference_low", "difference_high", "ratio_at_least", "p", "verdict",
        "failures",
    }  # fmt: skip
    assert told["verdicts"][0]["failures"]["control"] == [0, 8]
    read = list(csv.DictReader(io.StringIO(judge(*ASKED, "--csv")[1], newline="")))
    assert [row["verdict"] for row in read] == ["mainly", "alike"]
    assert read[0]["failures.treated_runs"] == "8"
    assert judge(*ASKED, "--latex")[1].startswith("\\begin{tabular}")


@pytest.mark.parametrize(("options", "told"), [
    (["--condition", "nois"], "--condition: "), (["--control", "nobody"], "--control: "),
    (["--reference", "9"], "--reference: "), (["--stopped", "maybe"], "--stopped: must be failed, missing or carry"),
    (["--margin", "-1"], "--margin: must be a number"), (["--alpha", "nan"], "--alpha: must be a number"),
    (["--best", "x"], "--best: must be a number"), (["--by", "a,,b"], "--by: has nothing between two commas"),
    (["--test-size", "0"], "--test-size: "), (["--classes", "1"], "--classes: "), (["--json", "--csv"], "give one of"),
    (["--well", "0,1,2"], "good levels alone"), (["--mainly-times", "0"], "--mainly-times: must be a number"),
])  # fmt: skip
def test_bad_input_is_one_line_and_nothing_is_written(judge, tmp_path, options, told):
    code, out, err = judge(*ASKED, "--report", "page.html", "--figures", "drawn", *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert told in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs.csv"]


def test_runs_are_paired_or_said_not_to_be(judge):
    asked = [*ASKED[:8], *ASKED[10:]]
    assert "--unpaired" in judge(*asked)[2]
    code, out, _ = judge(*ASKED, "--unpaired")
    assert code == 0
    assert "new matters mainly at noise 1" in out
