"""TensorBoard's event files, while a study trains: what they hold, and what is refused before it does."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from bnstudy.analysis.export import export
from bnstudy.analysis.export.scalars import EVENTS
from bnstudy.cli import tensorboard
from bnstudy.storage.opening import open_results
from bnstudy.storage.store import Store

STUDY = """
dataset = "digits"
train_size = 100
models = ["mlp"]
hidden = [4]
lr = [0.1, 0.01]
epochs = 3
seeds = [0, 1]
"""
RUN = ["run", "study.toml", "--out", "s", "--jobs", "1", "--quiet", "--tensorboard", "events"]


@pytest.fixture
def bnstudy(command, tmp_path):
    (tmp_path / "study.toml").write_text(STUDY)
    return command


def scalars(folder):
    """The steps and values of every tag of every run, by its folder."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = {}
    for file in sorted(folder.rglob(f"{EVENTS}*")):
        run = accumulator.EventAccumulator(str(file.parent))
        run.Reload()
        for tag in run.Tags()["scalars"]:
            events = run.Scalars(tag)
            assert np.all(np.diff([event.wall_time for event in events]) > 0)
            found[file.parent.relative_to(folder).as_posix(), tag] = [(event.step, event.value) for event in events]
    return found


def test_each_run_has_a_file_as_an_export_would_write_it(bnstudy, tmp_path):
    assert bnstudy(*RUN) == (0, "", "")
    found = scalars(tmp_path / "events")
    (exported,) = export(tmp_path / "s", tmp_path, form="tensorboard")
    assert found == scalars(exported)
    assert len(list((tmp_path / "events").rglob(f"{EVENTS}*"))) == 8
    curve = open_results(tmp_path / "s").test_accuracy.sel(norm="batch", lr=0.01, seed=1).values.ravel().tolist()
    assert found["mlp/batch/default/lr-0.01/seed-1", "accuracy/test"] == list(zip((1, 2, 3), curve, strict=True))
    assert not list((tmp_path / "events").rglob("*.tmp"))


def test_files_come_as_ensembles_finish_and_those_of_before_are_made_up_for(bnstudy, tmp_path, monkeypatch):
    counts, done = [], tensorboard.EventStream.done

    def counted(self, ensemble, curves):
        done(self, ensemble, curves)
        counts.append(len(list((tmp_path / "events").rglob(f"{EVENTS}*"))))

    monkeypatch.setattr(tensorboard.EventStream, "done", counted)
    assert bnstudy(*RUN)[0] == 0
    assert counts == [4, 8]
    before = scalars(tmp_path / "events")
    store = Store.open(tmp_path / "s")
    store.path(store.plan[1]).unlink()
    for file in (tmp_path / "events" / "mlp" / "none").rglob(f"{EVENTS}*"):
        file.unlink()
    assert bnstudy(*RUN)[0] == 0
    assert scalars(tmp_path / "events") == before


def test_files_grow_with_each_epoch_and_are_not_written_anew_in_the_end(bnstudy, tmp_path, monkeypatch):
    steps, files, progress, done = [], [], tensorboard.EventStream.progress, tensorboard.EventStream.done

    def told(self, ensemble, one):
        progress(self, ensemble, one)
        found = scalars(self.folder / self.names[ensemble.runs[0]])
        steps.append({max(step for step, _ in events) for events in found.values()})
        files.append(self._files(ensemble.runs[0]))

    def last(self, ensemble, curves):
        done(self, ensemble, curves)
        files.append(self._files(ensemble.runs[0]))

    monkeypatch.setattr(tensorboard.EventStream, "progress", told)
    monkeypatch.setattr(tensorboard.EventStream, "done", last)
    assert bnstudy(*RUN) == (0, "", "")
    assert steps == [{1}, {2}, {3}] * 2
    assert files[:4] == [files[0]] * 4
    assert files[4:] == [files[4]] * 4


def test_what_a_process_that_died_has_left_is_made_whole(bnstudy, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(tensorboard.EventStream, "done", lambda *_: None)
        patched.setattr(tensorboard, "add_scalars", lambda *_: None)
        assert bnstudy(*RUN) == (0, "", "")
    cut = scalars(tmp_path / "events")
    assert bnstudy(*RUN) == (0, "", "")
    whole = scalars(tmp_path / "events")
    assert {len(events) for events in cut.values()} == {1}
    assert {len(events) for events in whole.values()} == {3}


def test_what_cannot_be_added_is_told_and_made_up_for_in_the_end(bnstudy, tmp_path, monkeypatch):
    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(tensorboard, "add_scalars", full)
    code, _, err = bnstudy(*RUN)
    assert (code, err) == (0, "bnstudy: events: not written: OSError: no space left\n" * 2)
    assert {len(events) for events in scalars(tmp_path / "events").values()} == {3}


@pytest.mark.parametrize("kind", ["file", "other"])
def test_what_holds_something_else_is_left_alone(bnstudy, tmp_path, kind):
    if kind == "file":
        (tmp_path / "events").write_text("mine")
    else:
        (tmp_path / "events").mkdir()
        (tmp_path / "events" / f"{EVENTS}1.host.0123").write_text("mine")
    code, out, err = bnstudy(*RUN)
    assert (code, out) == (2, "")
    assert err.startswith("bnstudy: --tensorboard: events")
    there = [tmp_path / "events", *(tmp_path / "events").rglob("*")]
    assert [path.read_text() for path in there if path.is_file()] == ["mine"]
    assert not list(tmp_path.glob("s/ensembles/*"))


def test_a_missing_package_is_asked_for_before_anything_trains(bnstudy, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    code, out, err = bnstudy(*RUN)
    assert (code, out) == (2, "")
    told = "bnstudy: --tensorboard: tensorboard needs the package tensorboard: pip install 'bnstudy[tensorboard]'"
    assert err.splitlines() == [told]
    assert not (tmp_path / "s").exists()
