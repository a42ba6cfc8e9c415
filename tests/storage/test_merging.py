"""Shards run apart and merged are the study run whole."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import contextmanager

import pytest
import xarray as xr
from bnstudy.cli import main
from bnstudy.storage import checksummed_json, merging
from bnstudy.storage.extension import extend
from bnstudy.storage.locking import hold
from bnstudy.storage.merging import merge
from bnstudy.storage.opening import open_results
from bnstudy.storage.store import Store
from bnstudy.storage.verification import verify
from bnstudy.study.enlarging import extended
from bnstudy.study.errors import InputError, LockedError
from bnstudy.study.plan import Shard, make_plan
from bnstudy.study.study import Study
from bnstudy.training.running.execution import default_folder, run

TIMES = ["train_seconds", "epoch_seconds_alone"]
STUDY = Study.make(
    {"dataset": "digits", "train_size": 200, "hidden": "8", "channels": "2", "epochs": 2, "inits": "default,zero"}
)


def numbers(dataset: xr.Dataset) -> xr.Dataset:
    return dataset.drop_vars(TIMES)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """A study run whole, and in three parts."""
    folder = tmp_path_factory.mktemp("shards")
    whole = run(STUDY, folder / "whole")
    for index in (1, 2, 3):
        run(STUDY, folder / str(index), shard=Shard(index, 3))
    return folder, whole


@pytest.fixture
def copies(shards, tmp_path):
    folder, whole = shards
    return shutil.copytree(folder, tmp_path / "copies"), whole


def test_every_ensemble_is_of_one_shard():
    plan = make_plan(STUDY)
    for count in (1, 2, 3, 7, 100):
        parts = [[e for e in plan if Shard(k, count).holds(e)] for k in range(1, count + 1)]
        assert sorted(e.index for part in parts for e in part) == [e.index for e in plan]
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/0", "-1/2", "1/2/3", "a/b", "1.0/2", "1/" + "9" * 30])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(InputError) as caught:
        Shard.parse(text)
    assert caught.value.key == "shard"


def test_shards_merged_are_the_whole_bit_for_bit(shards, tmp_path):
    folder, whole = shards
    store = merge([folder / "1", folder / "2", folder / "3"], tmp_path / "merged")
    found = open_results(store.folder)
    assert numbers(found).identical(numbers(whole).assign_attrs(found.attrs))
    assert found.epoch_seconds_alone.notnull().all()
    assert store.pending() == []
    assert verify(store.folder) == []
    assert run(STUDY, store.folder).equals(found)


def test_a_shard_alone_says_what_it_lacks_and_the_rest_can_be_trained_where_it_is(copies):
    folder, whole = copies
    part = open_results(folder / "2")
    assert 0 < int((part.status == 0).sum()) < part.status.size
    merged = merge([folder / "3", folder / "1"], folder / "merged")
    assert merged.pending() == [e for e in merged.plan if Shard(2, 3).holds(e)]
    assert numbers(run(STUDY, merged.folder)).equals(numbers(whole))


def test_merging_goes_on_where_it_was_and_takes_nothing_twice(copies):
    folder, whole = copies
    merge([folder / "1"], folder / "merged")
    lines = (folder / "merged" / "manifest.jsonl").read_text().count('"ensemble"')
    merge([folder / "1", folder / "1", folder / "2"], folder / "merged")
    merge([folder / "3"], folder / "merged")
    assert (folder / "merged" / "manifest.jsonl").read_text().count('"ensemble"') == len(Store.open(folder / "1").plan)
    assert 0 < lines < len(Store.open(folder / "1").plan)
    assert numbers(open_results(folder / "merged")).equals(numbers(whole))


def test_a_damaged_shard_is_refused_and_nothing_of_it_taken(copies):
    folder, _ = copies
    store = Store.open(folder / "1")
    held = next(e for e in store.plan if Shard(1, 3).holds(e))
    content = bytearray(store.path(held).read_bytes())
    content[len(content) // 2] ^= 1
    store.path(held).write_bytes(content)
    with pytest.raises(InputError, match=f"{held.name}.*damaged"):
        merge([folder / "1", folder / "2"], folder / "merged")
    assert not (folder / "merged" / "ensembles" / f"{held.name}.nc").exists()
    assert verify(folder / "merged") == []


def test_other_studies_and_other_plans_are_refused(copies, tmp_path):
    folder, _ = copies
    other = Study.make({**STUDY.model_dump(), "epochs": 3})
    Store.create(tmp_path / "other", other, "cpu")
    Store.create(tmp_path / "finer", STUDY, "cpu", make_plan(STUDY, capacity=1))
    with pytest.raises(InputError, match=r"different studies .*epochs"):
        merge([folder / "1", tmp_path / "other"], folder / "merged")
    with pytest.raises(InputError, match="planned otherwise"):
        merge([folder / "1", tmp_path / "finer"], folder / "merged")
    with pytest.raises(InputError, match="holds another study"):
        merge([folder / "1"], tmp_path / "other")
    with pytest.raises(InputError, match="no study there"):
        merge([folder / "1", tmp_path], folder / "merged")
    assert not (folder / "merged").exists()


def test_shards_of_other_kernels_are_mixed_only_when_asked(copies):
    folder, _ = copies
    manifest = folder / "2" / "manifest.jsonl"
    lines = [checksummed_json.unseal(line) for line in manifest.read_text().splitlines()]
    for line in lines:
        if "computed" in line:
            line["computed"]["kernel"] = "another"
    manifest.write_text("".join(checksummed_json.seal(line) + "\n" for line in lines))
    with pytest.raises(InputError, match=r"another now.*--allow-mixed"):
        merge([folder / "1", folder / "2"], folder / "merged")
    merged = merge([folder / "1", folder / "2"], folder / "merged", allow_mixed=True)
    assert len(merged.computed_by()) == 2


def test_failed_ensembles_stay_failed(copies):
    folder, _ = copies
    store = Store.open(folder / "1")
    held = next(e for e in store.plan if Shard(1, 3).holds(e))
    store.path(held).unlink()
    store.mark_failed(held, "ValueError: no")
    assert merge([folder / "1", folder / "2"], folder / "merged").counts()["failed"] == len(held.runs)


def extend_and_run(folder, changes, shard=None):
    larger = extended(Store.open(folder).study, changes)
    extend(folder, larger)
    return run(larger, folder, shard=shard)


@pytest.mark.parametrize("changes", [pytest.param({"epochs": "3"}, marks=pytest.mark.slow), {"seeds": "12"}])
def test_shards_that_were_extended_are_the_extended_study(copies, changes):
    folder, _ = copies
    wanted = extend_and_run(folder / "whole", changes)
    for index in (1, 2, 3):
        extend_and_run(folder / str(index), changes, Shard(index, 3))
    merged = merge([folder / "3", folder / "1", folder / "2"], folder / "merged")
    assert merged.pending() == []
    assert merged.amendments == Store.open(folder / "3").amendments
    assert verify(merged.folder) == []
    found = open_results(merged.folder)
    assert numbers(found).identical(numbers(wanted).assign_attrs(found.attrs))
    (amendment,) = json.loads(found.attrs["amendments"])
    assert set(amendment["changes"]) == set(changes)
    assert Store.open(merged.folder).study == Store.open(folder / "1").study


@pytest.mark.parametrize(
    ("order", "at_once"),
    [
        ("12", True),
        *(pytest.param(*rest, marks=pytest.mark.slow) for rest in (("21", False), ("12", False), ("21", True))),
    ],
)
def test_an_extended_source_and_a_fresh_one_merge_with_what_was_recorded(copies, order, at_once):
    folder, _ = copies
    larger = extended(STUDY, {"epochs": "3"})
    extend_and_run(folder / "1", {"epochs": "3"}, Shard(1, 3))
    shutil.rmtree(folder / "2")
    run(larger, folder / "2", shard=Shard(2, 3))
    sources = [folder / name for name in order]
    for some in [sources] if at_once else [sources[:1], sources[1:]]:
        merged = merge(some, folder / "merged")
        assert verify(merged.folder) == []
    assert merged.amendments == Store.open(folder / "1").amendments
    assert merged.pending() == [e for e in merged.plan if Shard(3, 3).holds(e)]
    assert run(larger, merged.folder).sizes["epoch"] == 3
    assert verify(merged.folder) == []
    assert len(list((merged.folder / "ensembles").iterdir())) == len(merged.plan)


def test_sources_extended_in_different_steps_are_refused(copies):
    folder, _ = copies
    for changes in ({"epochs": "3"}, {"lr": "0.1"}):
        extend(folder / "1", extended(Store.open(folder / "1").study, changes))
    larger = Store.open(folder / "1").study
    run(extend(folder / "2", larger).study, folder / "2", shard=Shard(2, 3))
    with pytest.raises(InputError, match=r"different steps \(lr and epochs; epochs, then lr\)"):
        merge([folder / "1", folder / "2"], folder / "merged")
    assert not (folder / "merged").exists()


def test_merging_nothing_is_no_success(tmp_path, capsys):
    Store.create(tmp_path / "a", STUDY, "cpu")
    store = Store.create(tmp_path / "b", STUDY, "cpu")
    store.mark_failed(store.plan[0], "ValueError: no")
    with pytest.raises(SystemExit) as ended:
        main(["merge", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "merged")])
    assert ended.value.code == 2
    assert "nothing to merge: no ensemble is finished" in capsys.readouterr().err
    assert not (tmp_path / "merged").exists()


@pytest.mark.slow
def test_a_folder_at_work_is_waited_for_when_asked(copies):
    folder, _ = copies
    merge([folder / "1"], folder / "merged")
    begin = "from bnstudy.cli import main; main()"
    command = [sys.executable, "-c", begin, "merge", str(folder / "2"), "--out", str(folder / "merged"), "--wait"]
    with hold(folder / "merged"):
        with pytest.raises(LockedError):
            merge([folder / "2"], folder / "merged")
        waiting = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(2.5)
    assert waiting.wait(60) == 0
    assert len(Store.open(folder / "merged").pending()) == sum(Shard(3, 3).holds(e) for e in make_plan(STUDY))


def test_a_target_that_was_extended_while_it_was_waited_for_is_left_alone(copies, monkeypatch):
    folder, _ = copies
    merge([folder / "1"], folder / "merged")
    larger = extended(STUDY, {"seeds": "11"})

    @contextmanager
    def late(out, wait=False):
        extend(out, larger)
        with hold(out, wait):
            yield

    monkeypatch.setattr(merging, "hold", late)
    with pytest.raises(InputError, match="to which this one was extended"):
        merge([folder / "2"], folder / "merged", wait=True)
    assert Store.open(folder / "merged").study == larger


def test_shards_have_folders_of_their_own():
    assert str(default_folder(STUDY)) == "results/study"
    assert str(default_folder(STUDY, Shard(2, 8))) == "results/study.shards/2-of-8"
