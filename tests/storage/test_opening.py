"""Results read back: alike whichever way, and files from elsewhere refused, told or understood."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import warnings

import netCDF4
import numpy as np
import pytest
import xarray as xr
from bnstudy.storage import untrusted
from bnstudy.storage.opening import open_results
from bnstudy.storage.store import Store
from bnstudy.study.errors import DataWarning, InputError
from bnstudy.study.study import Study
from bnstudy.training.running.execution import run

from tests.synthetic import make_dataset

SETTINGS = {
    "dataset": "digits", "train_size": 100, "models": "mlp", "hidden": "4", "inits": "default,zero", "seeds": 2,
    "epochs": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A study folder, and its dataset as the run gave it."""
    folder = tmp_path_factory.mktemp("stored") / "study"
    return folder, run(Study.make(SETTINGS), folder)


def test_a_folder_and_its_file_alone_give_the_same(stored, tmp_path):
    folder, dataset = stored
    assert open_results(folder).identical(dataset)
    alone = shutil.copy(folder / "curves.nc", tmp_path / "alone.nc")
    assert open_results(alone).identical(dataset)


def test_a_dataset_that_the_disk_does_not_give_back_is_bad_input(stored, monkeypatch):
    def failing(path):
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    monkeypatch.setattr("bnstudy.storage.atomic.sha256", failing)
    with pytest.raises(InputError, match=r"curves\.nc: cannot be read: input/output error$"):
        open_results(stored[0])


@pytest.mark.parametrize("format", ["NETCDF4", "NETCDF4_CLASSIC", "NETCDF3_64BIT"])
def test_the_same_dataset_in_another_format_is_the_same(stored, tmp_path, format):
    folder, dataset = stored
    written = xr.load_dataset(folder / "curves.nc")  # with its fingerprint
    written.to_netcdf(tmp_path / "other.nc", format=format)
    found = open_results(tmp_path / "other.nc")
    np.testing.assert_array_equal(found.test_accuracy, dataset.test_accuracy)
    assert found.init.values.tolist() == dataset.init.values.tolist()


def test_a_part_of_a_dataset_is_no_damage(stored, tmp_path):
    _, dataset = stored
    dataset.isel(init=[1]).to_netcdf(tmp_path / "part.nc")
    assert open_results(tmp_path / "part.nc").init.values.tolist() == ["zero"]


@pytest.mark.parametrize("what", ["number", "label", "attribute"])
def test_what_was_changed_is_told(stored, tmp_path, what):
    folder, _ = stored
    changed = xr.load_dataset(folder / "curves.nc")
    if what == "number":
        changed.test_accuracy[0, 0, 0, 0, 0] = 0.5
    elif what == "label":
        changed = changed.assign_coords(init=["default", "xavier"])
    else:
        changed.attrs["target_accuracy"] = 0.5
    changed.to_netcdf(tmp_path / "changed.nc")
    with pytest.warns(DataWarning, match="changed or damaged"):
        open_results(tmp_path / "changed.nc")


def test_a_file_from_elsewhere_needs_no_fingerprint(tmp_path):
    make_dataset().to_netcdf(tmp_path / "made-up.nc")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_results(tmp_path / "made-up.nc").sizes["seed"] == 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d.drop_vars("test_accuracy"), "it needs test_accuracy"),
        (lambda d: d.isel(seed=0), "it needs test_accuracy over"),
        (lambda d: d.drop_vars("seed"), "seed has no labels"),
        (lambda d: d.assign_coords(init=["a", "a", "b", "c"]), "init has a label twice"),
        (lambda d: d.assign_coords(init=[1, 2, 3, 4]), "init has labels of the wrong kind"),
        (lambda d: d.assign_coords(lr=["a"]), "lr has labels of the wrong kind"),
        (lambda d: d.assign_coords(lr=[np.nan]), "lr has labels of the wrong kind"),
        (lambda d: d.isel(epoch=slice(None, None, -1)), "epochs do not rise"),
        (lambda d: d.assign(test_accuracy=d.test_accuracy * 100), "not between 0 and 1"),
        (lambda d: d.assign(status=d.status + 7), "status is not between 0 and 3"),
        (lambda d: d.assign(train_loss=d.train_loss.astype(str)), "train_loss is not numbers"),
        (lambda d: d.isel(seed=[]), "seed is empty"),
    ],
)
def test_what_is_no_studys_dataset_is_refused_with_its_reason(tmp_path, change, reason):
    change(make_dataset()).to_netcdf(tmp_path / "wrong.nc")
    with pytest.raises(InputError, match=reason):
        open_results(tmp_path / "wrong.nc")


def test_a_file_that_claims_to_be_huge_is_refused_before_it_is_read(tmp_path):
    with netCDF4.Dataset(tmp_path / "huge.nc", "w") as file:
        for dim in ("model", "norm", "init", "optimizer", "lr", "seed", "epoch"):
            file.createDimension(dim, 2_000)
        file.createVariable("test_accuracy", "f4", ("model", "norm", "init", "epoch"), chunksizes=(1, 1, 1, 2_000))
    with pytest.raises(InputError, match="more than fits into memory"):
        open_results(tmp_path / "huge.nc")


def test_a_users_file_is_not_taken_for_a_librarys(stored, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("json", "random", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('mine')")
    for path in (sys.path[:], ["", *sys.path]):  # of a command, and of a notebook
        monkeypatch.setattr(sys, "path", path)
        assert open_results(shutil.copy(stored[0] / "curves.nc", tmp_path / "alone.nc")).sizes["seed"]


def test_a_reader_that_hangs_is_ended(stored, tmp_path, monkeypatch):
    monkeypatch.setattr(untrusted, "START", "import time; time.sleep(60)")
    monkeypatch.setattr(untrusted, "PATIENCE", 0.5)
    alone = shutil.copy(stored[0] / "curves.nc", tmp_path / "alone.nc")
    with pytest.raises(InputError, match="takes more than"):
        open_results(alone)


def test_a_reader_that_crashes_takes_nothing_with_it(stored, tmp_path, monkeypatch):
    monkeypatch.setattr(untrusted, "START", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    alone = shutil.copy(stored[0] / "curves.nc", tmp_path / "alone.nc")
    with pytest.raises(InputError, match="crashes the netCDF library"):
        open_results(alone)


def test_a_study_that_has_just_begun_says_how_far_it_is(tmp_path):
    study = Study.make({"dataset": "digits", "models": "mlp", "seeds": 2})
    store = Store.create(tmp_path, study, "cpu")
    with pytest.raises(InputError, match="0 of 4 runs so far, and no process is at work on them"):
        open_results(tmp_path)
    with store.locked(), pytest.raises(InputError, match="0 of 4 runs so far; they can be looked at within a minute"):
        open_results(tmp_path)
