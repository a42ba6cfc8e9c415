"""Pages that are kept up to date: by the process that trains the study, and by another that looks on."""

from __future__ import annotations

import shutil

import pytest
from bnstudy.analysis.report import page
from bnstudy.cli import watching
from bnstudy.storage.consolidation import consolidate
from bnstudy.storage.store import Store
from bnstudy.study.study import Study
from bnstudy.training.running import renewal
from bnstudy.training.running.execution import run

STUDY = """
dataset = "digits"
train_size = 100
models = ["mlp"]
hidden = [4]
inits = ["default", "zero"]
epochs = 1
seeds = [0, 1]
"""
RELOADS = "location.reload()"


@pytest.fixture
def pages(monkeypatch):
    """Every page that is written, without the pictures, which take seconds; and renewed after every ensemble."""
    written = []
    monkeypatch.setattr(page, "_pictures", lambda results: [])
    for name in ("FIRST", "EVERY"):
        monkeypatch.setattr(renewal, name, 0.0)
    monkeypatch.setattr(renewal, "SHARE", float("inf"))
    write = watching.write

    def noted(store, target, reloads):
        told = write(store, target, reloads)
        written.append(target.read_text())
        return told

    monkeypatch.setattr(watching, "write", noted)
    return written


@pytest.fixture
def bnstudy(command, tmp_path):
    (tmp_path / "study.toml").write_text(STUDY)
    return command


def test_a_run_keeps_its_page_from_the_first_moment_to_the_end(bnstudy, pages):
    code, _, err = bnstudy("run", "study.toml", "--jobs", "1", "--report", "page.html", "--out", "s", "--quiet")
    assert (code, err) == (0, "")
    first, half, whole, last = pages
    for text, told in ((first, "<b>0 of 8 runs so far.</b>"), (half, "<b>4 of 8 runs so far.</b>")):
        assert told in text
        assert RELOADS in text
        assert "reloads itself" in text
    assert "runs so far" not in whole
    assert "Verdicts" in last
    assert RELOADS not in last


def test_a_page_that_cannot_be_is_refused_before_anything_trains(bnstudy, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    code, out, err = bnstudy("run", "study.toml", "--report", "notes.txt", "--out", "s")
    assert (code, out) == (2, "")
    assert err.startswith("bnstudy: --report: notes.txt is there and no page")
    assert not (tmp_path / "s").exists()


def test_a_page_that_fails_does_not_stop_the_training(bnstudy, monkeypatch, tmp_path):
    def fails(*arguments):
        raise ZeroDivisionError("no way")

    monkeypatch.setattr(watching, "write", fails)
    code, _, err = bnstudy("run", "study.toml", "--jobs", "1", "--report", "page.html", "--out", "s", "--quiet")
    assert code == 0
    assert set(err.splitlines()) == {"bnstudy: page.html: not written: ZeroDivisionError: no way"}
    assert Store.open(tmp_path / "s").pending() == []


@pytest.fixture
def finished(tmp_path):
    """The study, trained in a folder of its own."""
    run(Study.make({"dataset": "digits", "train_size": 100, "models": "mlp", "hidden": "4", "inits": "default,zero",
                    "epochs": 1, "seeds": 2}), tmp_path / "finished")  # fmt: skip
    return Store.open(tmp_path / "finished")


def test_watching_ends_when_all_runs_are_there(bnstudy, pages, finished, monkeypatch, tmp_path):
    """Another process trains: here between the looks of this one."""
    store = Store.create(tmp_path / "s", finished.study, "cpu")
    left = list(store.plan)

    def meanwhile(seconds):
        assert seconds > 0
        if left:
            ensemble = left.pop(0)
            store.adopt(ensemble, finished.path(ensemble), finished.manifest()[finished.name(ensemble)])
            consolidate(store)

    monkeypatch.setattr(watching.time, "sleep", meanwhile)
    code, out, err = bnstudy("report", "s", "--watch", "--out", "page.html")
    assert (code, out) == (0, "page.html\n")
    assert err.splitlines() == ["0 of 8 runs so far", "4 of 8 runs so far", "all 8 runs"]
    assert [RELOADS in text for text in pages] == [True, True, False]


def test_watching_ends_with_a_signal_too(bnstudy, pages, finished, monkeypatch, tmp_path):
    Store.create(tmp_path / "s", finished.study, "cpu")

    def interrupted(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(watching.time, "sleep", interrupted)
    assert bnstudy("report", "s", "--watch") == (130, "s/report.html\n", "0 of 8 runs so far\nbnstudy: stopped\n")
    assert len(pages) == 1


def test_what_is_no_study_folder_cannot_be_watched(bnstudy, finished, tmp_path):
    shutil.copy(finished.folder / "curves.nc", tmp_path / "alone.nc")
    code, out, err = bnstudy("report", "alone.nc", "--watch")
    assert (code, out) == (2, "")
    assert "no study there" in err
