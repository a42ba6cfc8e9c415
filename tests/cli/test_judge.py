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


def test_what_is_assumed_stands_below_the_verdicts_until_options_say_it(judge):
    def assumed(*options: str) -> list[str]:
        words = " ".join(judge(*ASKED, *options)[1].split()).partition("Verdicts")[2]
        told = words.partition("assumed, as no option says otherwise: ")[2]
        assert told.split("; ") == (json.loads(judge(*ASKED, *options, "--json")[1])["assumed"] or [""])
        return told.split("; ")

    said = assumed()
    assert [text.rpartition(" ")[2] for text in said] == ["(--well)", "(--test-size)", "(--classes)"]
    assert said[0] == "every noise but 0 is poor (--well)"
    assert assumed("--well", "2", "--classes", "10") == said[1:2]
    size = ["--test-size", "1000000000000"]
    assert assumed("--well", "2", *size) == said[2:]
    assert assumed("--well", "2", *size, "--classes", "10") == [""]


def test_json_and_csv_and_latex(judge):
    code, out, _ = judge(*ASKED, "--json")
    told = json.loads(out)
    assert code == 0
    assert list(told) == ["verdicts", "sentences", "warnings", "criteria", "by", "assumed"]
    assert told["criteria"] == {
        "treatment": "method", "control": "plain", "condition": "noise", "reference": "0",
        "roles": {"0": "well", "1": "poor", "2": "poor"}, "mainly_times": 2.0, "margin": 0.15, "alpha": 0.05,
        "paired": True,
    }  # fmt: skip
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


@pytest.mark.parametrize(("options", "told"), [
    (["--report", ""], "--report: is empty"), (["--figures", ""], "--figures: is empty"),
    (["--report", "."], "--report: . is a folder"),
    (["--report", "runs.csv"], "--report: runs.csv is there and no page"),
    (["--report", "runs.csv/page.html"], "choose another with --report"),
    (["--figures", "."], "--figures: forest.md is there and was not drawn by bnstudy; choose another folder with --f"),
    (["--report", "mine.html"], "--report: mine.html is there and no page of bnstudy's"),
    (["--report", "page.html", "--figures", "runs.csv"], "--figures: runs.csv is not a folder"),
])  # fmt: skip
def test_where_it_cannot_write_it_writes_nothing_and_loses_nothing(judge, tmp_path, options, told):
    (tmp_path / "mine.html").write_text("<!DOCTYPE html><title>mine</title>")
    (tmp_path / "forest.md").write_text("# Trees\n")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    code, out, err = judge(*ASKED, *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert told in err
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.usefixtures("few_figures")
def test_a_page_and_figures_of_its_own_are_written_over(judge, tmp_path):
    for _ in range(2):
        assert judge(*ASKED, "--report", "page.html", "--figures", "drawn")[0] == 0
    assert (tmp_path / "page.html").stat().st_size > 10_000


@pytest.mark.parametrize("level", ["[/]", "[bold]x[/bold]", "a,b", "模型", "inf", "nan"])
def test_any_plain_label_is_told_as_it_is(judge, level):
    made = table({0: 0.2, 1: 2.0})
    made.assign(noise=made.noise.map({0: level, 1: "much"})).to_csv("runs.csv", index=False)
    code, out, err = judge(*ASKED, "--reference", level, "--figures", "drawn")
    assert (code, err) == (0, "")
    assert f"at {level}" in out


def test_a_gain_of_any_size_is_told(judge):
    made = table({0: 0.2, 1: 2.0}).rename(columns={"accuracy": "loss"})
    made.loc[(made.method == "new") & (made.noise == 1), "loss"] = 1e-320
    made.to_csv("runs.csv", index=False)
    code, out, _ = judge(*ASKED, "--value", "loss", "--lower-is-better")
    assert code == 0
    assert "there the error is 2^1063 times smaller" in out


def test_a_level_has_one_best(judge):
    told = judge(*ASKED, "--best", "0=1,1=1,2=1,0=2", "--worst", "0")[2]
    assert "--best: names the level '0' twice" in told
    assert (
        "--best: has two numbers for the level '0'" in judge(*ASKED, "--best", "0=1,1=1,2=1,0.0=2", "--worst", "0")[2]
    )


def test_a_file_that_is_not_there_says_all(judge, capsys):
    with pytest.raises(SystemExit):
        main(["judge", "no.csv", *ASKED])
    assert capsys.readouterr().err == "bnstudy: no.csv is not there\n"
    assert judge(*ASKED, "--step", "stepp")[2].endswith("(`bnstudy explain judge` says more)\n")
