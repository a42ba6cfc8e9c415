"""The store: files absent or whole, a manifest that knows them, and the dataset's layout."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tomli_w
import xarray as xr
from bnstudy import open_results
from bnstudy.storage import atomic, checksummed_json
from bnstudy.storage.consolidation import consolidate, curves_dataset
from bnstudy.storage.extension import extend, larger_plan
from bnstudy.storage.merging import merge
from bnstudy.storage.store import Store
from bnstudy.storage.verification import verify
from bnstudy.study import schema
from bnstudy.study.curves import Curves
from bnstudy.study.enlarging import extended
from bnstudy.study.errors import InputError, LockedError
from bnstudy.study.schema import Status
from bnstudy.study.study import Study, digest_of
from bnstudy.study.study_files import read_toml
from bnstudy.training.running.execution import run

from tests.faults.studies import TINY

STUDY = Study.make({"dataset": "digits", "inits": "zero,default", "scales": "0.01", "seeds": 2, "epochs": 3})


def curves_of(ensemble, value: float) -> Curves:
    runs = len(ensemble.runs)
    values = {v.name: np.full((runs, 3), value, np.float32) for v in schema.CURVES}
    status = np.full(runs, Status.DONE, np.int8)
    status[0] = Status.DIVERGED
    dead = np.full(runs, -1, np.int32)
    dead[0] = 2
    return Curves(values, status, dead, seconds=runs * 2.0)


@pytest.fixture
def store(tmp_path) -> Store:
    return Store.create(tmp_path / "study", STUDY, "cpu")


def fill(store: Store, ensembles=None) -> None:
    for ensemble in store.plan if ensembles is None else ensembles:
        store.save(ensemble, curves_of(ensemble, ensemble.index / 10), {"device": "cpu"})


def test_a_study_folder_comes_back_as_it_was(store):
    again = Store.open(store.folder)
    assert again.study == STUDY
    assert again.plan == store.plan
    assert Store.find(store.folder, STUDY) == again
    assert again.pending() == list(store.plan)


def test_every_run_lands_in_its_cell(store):
    fill(store)
    dataset = xr.load_dataset(consolidate(store))
    assert dataset.test_accuracy.dims == schema.CURVE_DIMS
    for ensemble in store.plan:
        for position, one in enumerate(ensemble.runs):
            cell = dataset.sel({name: getattr(one, name) for name in schema.RUN_DIMS})
            assert {name: cell[name].item() for name in vars(one)} == vars(one)
            assert (cell.test_accuracy == np.float32(ensemble.index / 10)).all()
            assert int(cell.status) == (Status.DIVERGED if position == 0 else Status.DONE)
            assert int(cell.diverged_epoch) == (2 if position == 0 else -1)
            assert float(cell.train_seconds) == 2.0


def test_the_dataset_keeps_the_schema(store):
    fill(store, store.plan[:1])
    store.save_arms(
        {(m, n): {"n_parameters": 7, "epoch_seconds_alone": 1.5} for m in STUDY.models for n in STUDY.norms}
    )
    consolidate(store)
    dataset = open_results(store.folder)
    for variable in schema.variables(validation=False):
        stored = dataset[variable.name]
        assert stored.dims == variable.dims
        assert stored.dtype == variable.dtype
        assert stored.attrs["long_name"] == variable.long_name
        assert stored.attrs["units"] == variable.units
    assert dataset.status.attrs["flag_meanings"] == "pending done diverged failed"
    assert list(dataset.status.attrs["flag_values"]) == [0, 1, 2, 3]
    assert dataset.init_role.values.tolist() == ["poor", "well", "poor"]
    assert dataset.init_family.values.tolist() == ["zero", "default", "scaled-normal"]
    assert dataset.init_value.sel(init="scaled-normal:0.01") == 0.01
    assert (dataset.n_parameters == 7).all()
    assert Study.make(__import__("tomllib").loads(dataset.attrs["study"])) == STUDY
    assert dataset.attrs["study_hash"] == STUDY.digest
    some = dataset.test_accuracy.sel(norm="batch", init="scaled-normal:0.01").mean("seed")
    assert some.sizes == {"model": 2, "epoch": 3}
    with xr.open_dataset(store.folder / "curves.nc") as lazy:
        assert lazy.test_accuracy.encoding["zlib"]


def test_pending_and_failed_runs_are_told_by_status(store):
    fill(store, store.plan[:2])
    store.mark_failed(store.plan[2], "ValueError: no")
    assert store.counts() == {
        "pending": sum(len(e.runs) for e in store.plan[3:]),
        "done": sum(len(e.runs) - 1 for e in store.plan[:2]),
        "running": 0,
        "diverged": 2,
        "failed": len(store.plan[2].runs),
    }
    dataset = curves_dataset(store)
    assert (dataset.status == Status.FAILED).sum() == len(store.plan[2].runs)
    assert dataset.test_accuracy.where(dataset.status == Status.FAILED).isnull().all()
    assert store.plan[2] in store.pending()
    fill(store, [store.plan[2]])
    assert store.counts()["failed"] == 0


def test_a_torn_manifest_line_is_cut_off(store):
    fill(store, store.plan[:1])
    with (store.folder / "manifest.jsonl").open("a") as manifest:
        manifest.write('{"ensemble": "ensemble-00001", "sha2')
    assert len(store.pending()) == len(store.plan) - 1
    fill(store, store.plan[1:])
    assert store.pending() == []
    assert [json.loads(line) for line in (store.folder / "manifest.jsonl").read_text().splitlines()]


def test_a_line_without_its_file_means_still_to_be_trained(store):
    fill(store)
    store.path(store.plan[0]).unlink()
    assert store.pending() == [store.plan[0]]


def test_a_failed_write_leaves_nothing_behind(store, monkeypatch):
    fill(store, store.plan[:1])
    before = {path: path.read_bytes() for path in store.folder.rglob("*") if path.is_file()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(InputError, match="no space left"):
        fill(store, store.plan[1:])
    assert {path: path.read_bytes() for path in store.folder.rglob("*") if path.is_file()} == before


def test_a_damaged_ensemble_is_named(store):
    fill(store)
    path = store.path(store.plan[1])
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"{path.name}.*damaged"):
        curves_dataset(store)


def test_an_earlier_dataset_put_back_is_not_taken_for_the_current_one(store):
    fill(store, store.plan[:1])
    earlier = consolidate(store).read_bytes()
    fill(store)
    consolidate(store).write_bytes(earlier)
    with pytest.raises(InputError, match="an earlier one"):
        open_results(store.folder)
    assert [finding.kind for finding in verify(store.folder)] == ["damaged"]
    consolidate(store)
    assert verify(store.folder) == []


def test_killed_between_its_line_and_its_place_a_dataset_is_the_old_or_the_new_one(store, monkeypatch):
    fill(store, store.plan[:1])
    consolidate(store)
    fill(store)

    def dies(*_):
        raise KeyboardInterrupt

    for name, is_new in (("publish", False), ("flush_folder", True)):
        with monkeypatch.context() as patched:
            patched.setattr(atomic, name, dies)
            with pytest.raises(KeyboardInterrupt):
                consolidate(store)
        assert (open_results(store.folder).status != Status.PENDING).all() == is_new
        assert verify(store.folder) == []


def test_a_published_dataset_whose_manifest_tells_of_no_placing_is_read(store):
    fill(store)
    consolidate(store)
    manifest = store.folder / "manifest.jsonl"
    manifest.write_text("".join(line for line in manifest.read_text().splitlines(True) if "placed" not in line))
    assert open_results(store.folder).sizes["seed"] == 2
    assert verify(store.folder) == []


def test_a_dataset_replaced_while_it_is_opened_is_no_damage(store, monkeypatch):
    fill(store, store.plan[:1])
    consolidate(store)
    add_up, replaced = atomic.sha256, []

    def meanwhile(path):
        if path.name == "curves.nc" and not replaced:
            replaced.append(path)
            fill(store)
            consolidate(store)
        return add_up(path)

    monkeypatch.setattr(atomic, "sha256", meanwhile)
    assert (open_results(store.folder).status != Status.PENDING).all()
    assert replaced


def test_a_study_amended_while_it_is_opened_is_the_new_one(store, monkeypatch):
    larger = extended(STUDY, {"seeds": "3"})
    amended = []

    def meanwhile(path):
        if not amended:
            amended.append(store.amend(larger, larger_plan(store.plan, larger, "cpu")))
        return read_toml(path)

    monkeypatch.setattr("bnstudy.storage.store.read_toml", meanwhile)
    assert Store.open(store.folder) == amended[0]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("amendments", 5),
        ("amendments", [{}]),
        ("amendments", [{"at": "", "study_hash": "", "changes": {"epochs": []}}]),
        ("amendments", [{"at": "", "study_hash": "", "changes": {"epochs": [[], 1]}}]),
        ("amendments", [{"at": [], "study_hash": "", "changes": {}}]),
        ("ensembles", []),
        ("ensembles", [[0], [0]]),
        ("ensembles", [["a"]]),
        ("ensembles", 5),
        ("study", {**STUDY.model_dump(mode="json"), "seeds": 200_000_000}),
        ("study", []),
    ],
)
def test_a_plan_of_right_checksum_that_is_none_is_refused(store, key, value):
    path = store.folder / "plan.json"
    path.write_text(checksummed_json.seal({**checksummed_json.unseal(path.read_text()), key: value}))
    with pytest.raises(InputError, match=r"plan\.json: damaged"):
        Store.open(store.folder)


@pytest.mark.parametrize("name", ["plan.json", "manifest.jsonl"])
def test_nesting_without_end_is_damage(store, name):
    fill(store)
    (store.folder / name).write_text("[" * 100_000)
    if name == "plan.json":
        with pytest.raises(InputError, match="nested too deeply"):
            Store.open(store.folder)
    else:
        assert store.pending() == list(store.plan)


@pytest.mark.parametrize(
    "line", [{"ensemble": []}, {"file": "curves.nc"}, {"ensemble": "e", "sha256": "0"}, {"ensemble": "e", "failed": 1},
             {}, {"ensemble": "e", "failed": "", "computed": {"device": 1}}]
)  # fmt: skip
def test_a_line_of_right_checksum_that_says_nothing_is_passed_over(store, line):
    fill(store)
    counts = store.counts()
    with (store.folder / "manifest.jsonl").open("a") as manifest:
        manifest.write(checksummed_json.seal(line) + "\n")
    assert store.counts() == counts
    assert store.computed_by() == [{"device": "cpu"}]


def test_another_study_is_refused_with_the_differences(store):
    other = Study.make({**STUDY.model_dump(), "epochs": 9})
    with pytest.raises(InputError, match="epochs: 3 there, 9 asked"):
        Store.find(store.folder, other)


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds no study"):
        Store.find(tmp_path, STUDY)
    assert Store.find(tmp_path / "new", STUDY) is None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plan.json", "{"),
        ("plan.json", "[]"),
        ("plan.json", '{"ensembles": [[99999]], "device": "cpu", "study_hash": ""}'),
        ("study.toml", ""),
        ("study.toml", STUDY.to_toml().replace("epochs = 3", "epochs = 4")),
    ],
)
def test_a_folder_changed_by_hand_is_refused(store, name, content):
    (store.folder / name).write_text(content)
    with pytest.raises(InputError, match=name):
        Store.open(store.folder)


def test_what_a_killed_process_left_is_removed(store):
    fill(store, store.plan[:1])
    left = [store.folder / ".curves.nc.123.tmp", store.folder / "ensembles" / ".ensemble-00001.nc.123.tmp"]
    for path in left:
        path.write_bytes(b"half")
    store.clean()
    assert not any(path.exists() for path in left)
    assert len(store.pending()) == len(store.plan) - 1


def test_a_folder_killed_while_it_was_made_is_made_again(tmp_path):
    (tmp_path / "study.toml").write_text(STUDY.to_toml())
    (tmp_path / ".plan.json.9.tmp").write_text("{")
    assert Store.find(tmp_path, STUDY) is None
    assert Store.create(tmp_path, STUDY, "cpu").study == STUDY


def test_the_lock_is_exclusive(store):
    assert not store.is_locked()
    with store.locked():
        with pytest.raises(LockedError), store.locked():
            pass
        assert store.is_locked()
    assert not store.is_locked()


def test_open_results_refuses_what_is_not_one(tmp_path):
    (tmp_path / "noise.nc").write_bytes(b"noise" * 100)
    xr.Dataset({"x": ("a", [1.0])}).to_netcdf(tmp_path / "other.nc")
    for name, reason in (("none", "no results"), ("noise.nc", "netCDF"), ("other.nc", "not a study's dataset")):
        with pytest.raises(InputError, match=reason):
            open_results(tmp_path / name)


def test_a_study_from_before_a_key_existed_keeps_its_digest_and_goes_on(tmp_path, capsys):
    """As if `mechanism` and `momentum` were new: its folder does not name them, and its hash knows nothing of them."""
    study = Study.make({**TINY, "seeds": 2})
    Store.create(tmp_path, study, "cpu")
    old = {key: value for key, value in study.stored.items() if key not in ("mechanism", "momentum")}
    plan = checksummed_json.unseal((tmp_path / "plan.json").read_bytes())
    plan |= {"study": old, "study_hash": digest_of(old)}
    (tmp_path / "plan.json").write_text(checksummed_json.seal(plan))
    (tmp_path / "study.toml").write_text(tomli_w.dumps(old))
    assert Store.open(tmp_path).study == study
    assert Store.open(tmp_path).study.digest == digest_of(old) != study.digest
    dataset = run(study, tmp_path)
    assert dataset.attrs["study_hash"] == digest_of(old)
    assert verify(tmp_path) == []
    merged = merge([tmp_path], tmp_path / "merged")
    assert merged.study.digest == digest_of(old)
    larger = extend(tmp_path, extended(study, {"seeds": 3}))
    assert larger.study == Store.open(tmp_path).study
    assert larger.amendments[0]["study_hash"] == digest_of(old)
    assert verify(tmp_path / "merged") == []
