"""Commands that read a study before all its runs are there: how many there are comes first."""

from __future__ import annotations

import shutil

import pytest
from bnstudy.analysis.report import page
from bnstudy.cli import main
from bnstudy.storage.consolidation import consolidate
from bnstudy.storage.store import Store
from bnstudy.study.study import Study
from bnstudy.training.running.execution import run

STUDY = {
    "dataset": "digits", "train_size": 100, "models": "mlp", "hidden": "4", "inits": "default,zero", "epochs": 1,
    "seeds": 12, "name": "some",
}  # fmt: skip
SO_FAR = "32 of 48 runs so far"


@pytest.fixture(scope="module")
def half_done(tmp_path_factory):
    """A study of two arms and twelve seeds of which one arm lacks two thirds, as if it were still training."""
    folder = tmp_path_factory.mktemp("half") / "some"
    run(Study.make(STUDY), folder)
    store = Store.open(folder)
    left = [ensemble for ensemble in store.plan if ensemble.runs[0].norm == "batch"][1:]
    assert sum(len(ensemble.runs) for ensemble in left) == 16
    for ensemble in left:
        store.path(ensemble).unlink()
    consolidate(store)
    return folder


@pytest.fixture
def bnstudy(half_done, tmp_path, monkeypatch, capsys):
    """Runs a command where the study lies in ``some``."""
    shutil.copytree(half_done, tmp_path / "some")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(page, "_pictures", lambda results: [])  # seconds a page

    def command(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([*arguments])
        assert not ended.value.code
        return capsys.readouterr()

    return command


def test_the_answer_begins_with_it_and_rests_on_complete_pairs(bnstudy):
    said = " ".join(bnstudy("analyze", "some").out.split())
    assert said.startswith(f"note: {SO_FAR}: the words rest on the pairs that are complete, and may change")
    assert f"mlp: With {SO_FAR}, Batch Normalization" in said
    assert "12/12 · 4/4" in said  # runs of the control and of the treated that are there
    table = bnstudy("analyze", "some", "--csv").out.splitlines()
    assert dict(zip(table[0].split(","), table[1].split(","), strict=True))["n"] == "4"


def test_the_page_says_so_on_top(bnstudy, tmp_path):
    assert bnstudy("report", "some").err == f"some: {SO_FAR}\n"
    text = (tmp_path / "some" / "report.html").read_text()
    assert text.index(f"<b>{SO_FAR}.</b>") < text.index("Batch Normalization")


def test_figures_and_their_page_say_so(bnstudy, tmp_path):
    assert bnstudy("figures", "some", "--only", "forest").err == f"some: {SO_FAR}\n"
    assert SO_FAR in (tmp_path / "figures" / "README.md").read_text()
    assert "runs so far" in (tmp_path / "figures" / "some" / "forest.svg").read_text()


def test_tables_hold_what_is_there_and_status_and_export_say_how_much(bnstudy, tmp_path):
    assert bnstudy("export", "some").err == f"some: {SO_FAR}\n"
    status = [line.split(",") for line in (tmp_path / "some-runs.csv").read_text().splitlines()]
    at = status[0].index("status")
    assert [row[at] for row in status].count("pending") == 16
    assert SO_FAR in bnstudy("status", "some").out.splitlines()[0]


def test_a_whole_study_says_nothing_of_it(bnstudy, tmp_path):
    run(Study.make(STUDY), tmp_path / "some")
    said = bnstudy("report", "some")
    assert (said.err, bnstudy("status", "some").out.count("so far")) == ("", 0)
    assert "so far" not in bnstudy("analyze", "some").out
    assert "runs so far" not in (tmp_path / "some" / "report.html").read_text()
