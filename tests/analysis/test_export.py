"""Exports against the dataset they are from: every run and epoch once, numbers as stored, labels harmless."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bnstudy.analysis import export, responses
from bnstudy.storage import atomic
from bnstudy.study.errors import InputError
from bnstudy.study.schema import CURVES

from tests.synthetic import CURVE_DIMS, RUN_DIMS, make_dataset


@pytest.fixture
def source(tmp_path):
    dataset = make_dataset(diverged=2, pending=3, lrs=[0.1, 0.01])
    dataset.to_netcdf(tmp_path / "made-up.nc")
    return tmp_path / "made-up.nc", dataset


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_tables_hold_every_run_and_epoch_once(source, tmp_path, form):
    path, dataset = source
    written = export.export(path, tmp_path / "out", form=form)
    assert [one.name for one in written] == [f"made-up-curves.{form}", f"made-up-runs.{form}"]
    read = pd.read_parquet if form == "parquet" else pd.read_csv
    curves, runs = (read(one) for one in written)
    assert len(curves) == dataset.test_accuracy.size
    assert len(runs) == dataset.status.size
    again = curves.set_index(list(CURVE_DIMS)).to_xarray()
    for variable in CURVES:
        found = again[variable.name].sel({dim: dataset[dim] for dim in CURVE_DIMS}).transpose(*CURVE_DIMS)
        np.testing.assert_allclose(found, dataset[variable.name], rtol=1e-6)
    once = runs.set_index(list(RUN_DIMS)).to_xarray()
    final = once.final_accuracy.sel({dim: dataset[dim] for dim in RUN_DIMS}).transpose(*RUN_DIMS)
    np.testing.assert_allclose(final, responses.final(dataset, "test_accuracy"), rtol=1e-6)
    assert runs.status.value_counts().to_dict() == {"done": dataset.status.size - 5, "pending": 3, "diverged": 2}
    assert set(runs.init_role) == {"well", "poor"}
    assert runs.loc[runs.model == "mlp", "n_parameters"].eq(100).all()


def test_a_label_that_a_spreadsheet_would_run_is_text(tmp_path):
    dataset = make_dataset(models=["=1+1"], inits=["@x", "default"], seeds=1)
    dataset.to_netcdf(tmp_path / "x.nc")
    curves = pd.read_csv(export.export(tmp_path / "x.nc", tmp_path)[0])
    assert set(curves.model) == {"'=1+1"}
    assert set(curves.init) == {"'@x", "default"}


def test_event_files_hold_every_observed_run(source, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    path, dataset = source
    (folder,) = export.export(path, tmp_path / "out", form="tensorboard")
    runs = sorted({file.parent for file in folder.rglob("events*")})
    assert len(runs) == dataset.status.size - 3
    one = EventAccumulator(str(folder / "cnn" / "none" / "zero" / "lr-0.1" / "seed-1")).Reload()
    assert set(one.Tags()["scalars"]) >= {"accuracy/test", "loss/train", "weight_norm"}
    events = one.Scalars("accuracy/test")
    assert [event.step for event in events] == dataset.epoch.values.tolist()
    wanted = dataset.test_accuracy.sel(model="cnn", norm="none", init="zero", lr=0.1, seed=1).squeeze()
    np.testing.assert_allclose([event.value for event in events], wanted)
    died = EventAccumulator(str(folder / "mlp" / "none" / "default" / "lr-0.1" / "seed-0")).Reload()
    assert [event.step for event in died.Scalars("accuracy/test")] == [1, 2]  # it diverged in the third epoch
    assert export.export(path, tmp_path / "out", form="tensorboard", force=True) == [folder]


@pytest.mark.parametrize("form", ["csv", "tensorboard"])
def test_what_a_killed_export_left_goes_with_the_next(source, tmp_path, form):
    dies = (
        "import os, signal, sys\n"
        "from bnstudy.analysis import export; from bnstudy.storage import atomic\n"
        "def die(*_): os.kill(os.getpid(), signal.SIGKILL)\n"
        f"{'export.write_scalars' if form == 'tensorboard' else 'atomic.publish'} = die\n"
        "export.export(sys.argv[1], sys.argv[3], form=sys.argv[2])\n"
    )
    (tmp_path / "out").mkdir()
    if form == "tensorboard":
        atomic.temporary(tmp_path / "out" / "made-up-tensorboard").mkdir()  # and so another process would have left it
        (left,) = (tmp_path / "out").iterdir()
        left.rename(left.with_name(left.name.replace(f".{os.getpid()}.", f".{2**22 + 1}.")))
    else:
        subprocess.run([sys.executable, "-c", dies, str(source[0]), form, str(tmp_path / "out")], check=False)
    assert [path.name[0] for path in (tmp_path / "out").iterdir()] == ["."]
    written = export.export(source[0], tmp_path / "out", form=form)
    assert sorted((tmp_path / "out").iterdir()) == sorted(written)


def test_events_stand_at_the_epochs_of_the_dataset(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    dataset = make_dataset(models=["mlp"], inits=["default"], seeds=1, epochs=3).assign_coords(epoch=[10, 20, 30])
    dataset.to_netcdf(tmp_path / "sparse.nc")
    (folder,) = export.export(tmp_path / "sparse.nc", tmp_path, form="tensorboard")
    one = EventAccumulator(str(folder / "mlp" / "none" / "default" / "seed-0")).Reload()
    assert [event.step for event in one.Scalars("accuracy/test")] == [10, 20, 30]


@pytest.mark.parametrize("name", ["", "study"])
def test_a_study_without_a_name_goes_by_its_folder(tmp_path, monkeypatch, name):
    dataset = make_dataset(models=["mlp"], inits=["default"], seeds=1).assign_attrs(study_name=name)
    monkeypatch.setattr(export, "open_results", lambda source: dataset)
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "second")
    for source, called in ((tmp_path / "first", "first"), (".", "second"), ("curves.nc", "second"),
                           ("../first/curves.nc", "first"), ("../mine.nc", "mine")):  # fmt: skip
        assert [path.name for path in export.export(source, tmp_path / "out", force=True)] == [
            f"{called}-curves.csv", f"{called}-runs.csv"
        ]  # fmt: skip


@pytest.mark.parametrize("form", ["csv", "parquet", "tensorboard"])
def test_what_is_there_is_written_over_only_when_asked(source, tmp_path, form):
    path, dataset = source
    written = export.export(path, tmp_path / "out", form=form)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    again = dataset.assign(test_accuracy=dataset.test_accuracy / 2)
    (tmp_path / "other").mkdir()
    again.to_netcdf(tmp_path / "other" / "made-up.nc")
    with pytest.raises(
        InputError, match=rf"{written[0]} is there; choose another --out, or write over it with --force"
    ):
        export.export(tmp_path / "other" / "made-up.nc", tmp_path / "out", form=form)
    assert {file: file.read_bytes() for file in before} == before
    assert export.export(tmp_path / "other" / "made-up.nc", tmp_path / "out", form=form, force=True) == written
    after = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    assert any(content not in before.values() for file, content in after.items() if "other" not in file.parts)


def test_nothing_is_written_where_the_second_of_two_tables_is_there(source, tmp_path):
    (tmp_path / "made-up-runs.csv").write_text("mine")
    with pytest.raises(InputError, match=r"made-up-runs\.csv is there"):
        export.export(source[0], tmp_path)
    assert not (tmp_path / "made-up-curves.csv").exists()
    assert (tmp_path / "made-up-runs.csv").read_text() == "mine"


def test_event_files_stay_in_their_folder(tmp_path):
    make_dataset(models=["../../x", "/etc"], inits=["default", ".."], seeds=1).to_netcdf(tmp_path / "x.nc")
    export.export(tmp_path / "x.nc", tmp_path / "out", form="tensorboard")
    outside = [path for path in tmp_path.rglob("*") if path.is_file() and tmp_path / "out" not in path.parents]
    assert outside == [tmp_path / "x.nc"]
    assert len(list((tmp_path / "out").rglob("events*"))) == 8


def test_a_folder_with_other_files_is_not_replaced(source, tmp_path):
    kept = tmp_path / "made-up-tensorboard" / "notes.txt"
    kept.parent.mkdir()
    kept.write_text("mine")
    with pytest.raises(InputError, match="is there; choose another --out"):
        export.export(source[0], tmp_path, form="tensorboard")
    with pytest.raises(InputError, match=r"notes\.txt is no event file"):
        export.export(source[0], tmp_path, form="tensorboard", force=True)
    assert kept.read_text() == "mine"


def test_a_file_in_the_place_of_the_folder_is_not_replaced(source, tmp_path):
    (tmp_path / "made-up-tensorboard").write_text("mine")
    with pytest.raises(InputError, match="is there"):
        export.export(source[0], tmp_path, form="tensorboard")
    with pytest.raises(InputError, match="is a file, and its place would be a folder's"):
        export.export(source[0], tmp_path, form="tensorboard", force=True)
    assert (tmp_path / "made-up-tensorboard").read_text() == "mine"


@pytest.mark.parametrize(("form", "package"), [("parquet", "pyarrow"), ("tensorboard", "tensorboard")])
def test_a_missing_package_is_named(source, tmp_path, monkeypatch, form, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"pip install 'bnstudy\[{form}\]'"):
        export.export(source[0], tmp_path, form=form)


def test_what_cannot_be_is_refused(source, tmp_path):
    with pytest.raises(InputError, match="must be one of csv, parquet, tensorboard"):
        export.export(source[0], tmp_path, form="xlsx")
    with pytest.raises(InputError, match="is not a folder"):
        export.export(source[0], source[0], form="csv")


def test_a_dataset_of_accuracies_alone(tmp_path):
    bare = make_dataset()[["test_accuracy"]].drop_vars(["init_family", "init_value"]).drop_attrs()
    bare.to_netcdf(tmp_path / "others.nc")
    curves, runs = (pd.read_csv(path) for path in export.export(tmp_path / "others.nc", tmp_path, form="csv"))
    assert list(curves) == [*CURVE_DIMS, "test_accuracy"]
    assert {"epochs_to_target", "final_accuracy", "init_role"} <= set(runs)


def test_events_that_were_there_stay_until_the_new_ones_are_in_place(source, tmp_path, monkeypatch):
    path, _ = source
    (folder,) = export.export(path, tmp_path / "out", form="tensorboard")
    before = {file.name: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    rename = Path.rename

    def fails(self, target):
        if target == folder and not self.name.startswith(f".{folder.name}.before"):
            assert not folder.exists()
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises((OSError, InputError)):
        export.export(path, tmp_path / "out", form="tensorboard", force=True)
    assert {file.name: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before
    assert list(folder.parent.iterdir()) == [folder]
