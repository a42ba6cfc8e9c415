"""Extending a study adds to it, keeps what is stored, and says so."""

from __future__ import annotations

import json
from contextlib import contextmanager

import numpy as np
import pytest
import xarray as xr
from bnstudy.cli.app import main
from bnstudy.storage import atomic, locking
from bnstudy.storage.extension import extend
from bnstudy.storage.store import Store
from bnstudy.storage.verification import verify
from bnstudy.study import provenance
from bnstudy.study.enlarging import extended
from bnstudy.study.errors import InputError
from bnstudy.study.schema import Status
from bnstudy.study.study import Study
from bnstudy.training.datasets import data
from bnstudy.training.running import execution
from bnstudy.training.running.execution import run

SETTINGS = {
    "dataset": "digits", "train_size": 200, "hidden": "8", "channels": "2", "epochs": 2, "seeds": 2,
    "inits": "default,zero", "norms": "none,batch",
}  # fmt: skip
STUDY = Study.make(SETTINGS)
TIMES = ["train_seconds", "epoch_seconds_alone"]


@pytest.mark.parametrize(
    ("asked", "key", "levels"),
    [
        ({"seeds": "3"}, "seeds", (0, 1, 2)),
        ({"seeds": "7,"}, "seeds", (0, 1, 7)),
        ({"inits": "xavier,zero"}, "inits", ("default", "zero", "xavier")),
        ({"scales": "10"}, "inits", ("default", "zero", "scaled-normal:10")),
        ({"inits": "xavier", "scales": "10"}, "inits", ("default", "zero", "xavier", "scaled-normal:10")),
        ({"lr": "0.1"}, "lr", (0.01, 0.1)),
        ({"optimizers": "adam"}, "optimizers", ("sgd", "adam")),
        ({"epochs": "5"}, "epochs", 5),
    ],
)
def test_what_is_asked_comes_after_what_is_there(asked, key, levels):
    larger = extended(STUDY, asked)
    assert getattr(larger, key) == levels
    assert set(STUDY.differences(larger)) <= {key, "roles"}
    assert larger.reference == STUDY.reference


def test_only_what_is_asked_is_added():
    study = Study.make({**SETTINGS, "inits": "zero,scaled-normal:1"})
    assert extended(study, {"scales": "1,10"}).inits == ("zero", "scaled-normal:1", "scaled-normal:10")


def test_what_is_expected_stays():
    expected = [{"text": "so", "expect": {"condition": "zero", "verdict": "none"}}]
    study = Study.make({**SETTINGS, "predictions": expected})
    assert extended(study, {"seeds": "3"}).predictions == study.predictions
    assert extended(study, {"inits": "xavier"}).predictions == study.predictions


def test_declared_roles_stay():
    study = Study.make({**SETTINGS, "roles": {"default": "poor", "zero": "well"}, "reference": "zero"})
    larger = extended(study, {"inits": "xavier"})
    assert larger.roles == {"default": "poor", "zero": "well", "xavier": "well"}
    assert larger.reference == "zero"


@pytest.mark.parametrize(
    ("question", "asked", "key"),
    [
        ({}, {"norms": "layer"}, "norms"),
        (
            {"predictions": [{"text": "BN changes nothing.", "expect": {"condition": "zero", "verdict": "none"}}]},
            {"scales": "10"},
            "inits",
        ),
        (
            {"treatment": "optimizer", "control": "sgd", "optimizers": "sgd,adam"},
            {"optimizers": "adamw"},
            "optimizers",
        ),
        ({"condition": "lr", "lr": "0.01,1", "reference": "0.01"}, {"lr": "0.1"}, "lr"),
        ({"condition": "lr", "lr": "0.01,1", "reference": "0.01"}, {"seeds": "5"}, "seeds"),
    ],
)
def test_what_is_asked_about_may_get_more_levels(question, asked, key):
    study = Study.make({**SETTINGS, **question})
    larger = extended(study, asked)
    assert set(study.differences(larger)) <= {key, "roles"}
    assert (larger.control, larger.reference) == (study.control, study.reference)
    assert study.roles.items() <= larger.roles.items()
    assert all(larger.roles[level] == "poor" for level in larger.roles.keys() - study.roles.keys())


@pytest.mark.parametrize(
    ("asked", "key"),
    [({}, None), ({"seeds": "2"}, None), ({"epochs": "2"}, "epochs"), ({"epochs": "1"}, "epochs"),
     ({"inits": "zreo"}, "inits"), ({"scales": "0"}, "scales"), ({"momentum": "0.5"}, "momentum")],
)  # fmt: skip
def test_nothing_new_or_something_wrong_is_refused(asked, key):
    with pytest.raises(InputError) as caught:
        extended(STUDY, asked)
    assert caught.value.key == key


def identities(store: Store) -> dict[str, tuple[int, int]]:
    return {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in (store.folder / "ensembles").iterdir()}


def test_new_levels_and_seeds_leave_what_is_stored(tmp_path):
    before = run(STUDY, tmp_path / "s")
    kept = identities(Store.open(tmp_path / "s"))
    larger = extended(STUDY, {"inits": "xavier", "seeds": "3"})
    store = extend(tmp_path / "s", larger)
    assert store.counts()["pending"] == larger.n_runs - STUDY.n_runs
    after = run(larger, tmp_path / "s")
    assert kept.items() <= identities(store).items()
    old = after.sel(init=before.init, seed=before.seed)
    xr.testing.assert_equal(old.drop_vars(TIMES), before.drop_vars(TIMES))
    assert (after.status == Status.DONE).all()
    assert verify(tmp_path / "s") == []
    (amendment,) = json.loads(after.attrs["amendments"])
    assert amendment["study_hash"] == STUDY.digest
    assert amendment["changes"]["seeds"] == [[0, 1], [0, 1, 2]]
    assert Store.open(tmp_path / "s").study == larger
    with pytest.raises(InputError, match="holds another study"):
        run(STUDY, tmp_path / "s")


def test_more_epochs_begin_as_the_old_ones_did(tmp_path):
    before = run(STUDY, tmp_path / "s")
    for epochs in (3, 4):
        larger = extended(Store.open(tmp_path / "s").study, {"epochs": str(epochs)})
        store = extend(tmp_path / "s", larger)
        assert store.counts()["pending"] == larger.n_runs
        assert verify(tmp_path / "s") == []
        after = run(larger, tmp_path / "s")
    assert after.sizes["epoch"] == 4
    for name in ("train_loss", "test_accuracy", "weight_norm"):
        np.testing.assert_array_equal(after[name].sel(epoch=before.epoch), before[name])
    assert len(list((tmp_path / "s" / "ensembles").iterdir())) == len(store.plan)
    assert verify(tmp_path / "s") == []
    assert len(json.loads(after.attrs["amendments"])) == 2


@pytest.mark.parametrize("name", ["plan.json", "study.toml"])
def test_killed_while_it_is_amended_a_study_is_the_old_or_the_new_one(tmp_path, monkeypatch, name):
    Store.create(tmp_path / "s", STUDY, "cpu")
    write = atomic.write_text

    def dies(path, text):
        if path.name == name:
            raise KeyboardInterrupt
        return write(path, text)

    larger = extended(STUDY, {"seeds": "3"})
    with monkeypatch.context() as patched:
        patched.setattr(atomic, "write_text", dies)
        with pytest.raises(KeyboardInterrupt):
            extend(tmp_path / "s", larger)
    assert Store.open(tmp_path / "s").study == (STUDY if name == "plan.json" else larger)
    assert extend(tmp_path / "s", larger).study == larger
    assert Study.load(tmp_path / "s" / "study.toml") == larger
    assert run(larger, tmp_path / "s").sizes["seed"] == 3


def meanwhile(monkeypatch, module, act):
    """Let `act` happen after everything was looked at and before the lock is held."""
    real = module.hold

    @contextmanager
    def late(folder, wait=False):
        monkeypatch.setattr(module, "hold", real)
        act()
        with real(folder, wait) as check:
            yield check

    monkeypatch.setattr(module, "hold", late)


def contents(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_run_that_waited_while_the_study_was_extended_says_so_and_writes_nothing(tmp_path, monkeypatch):
    run(STUDY, tmp_path / "s")
    larger = extended(STUDY, {"epochs": "3"})
    seen = {}

    def extend_and_run():
        run(extend(tmp_path / "s", larger).study, tmp_path / "s")
        seen.update(contents(tmp_path / "s"))

    meanwhile(monkeypatch, execution, extend_and_run)
    with pytest.raises(InputError, match=r"was extended \(epochs: 3 there, 2 asked\); `bnstudy run .* --out .*s`"):
        run(STUDY, tmp_path / "s", wait=True)
    assert contents(tmp_path / "s") == seen
    assert run(larger, tmp_path / "s").sizes["epoch"] == 3


def test_a_run_whose_folder_another_one_made_and_extended_meanwhile_makes_nothing(tmp_path, monkeypatch):
    larger = extended(STUDY, {"seeds": "3"})

    def other():
        Store.create(tmp_path / "s", STUDY, "cpu")
        extend(tmp_path / "s", larger)

    meanwhile(monkeypatch, execution, other)
    with pytest.raises(InputError, match="to which this one was extended"):
        run(STUDY, tmp_path / "s")
    assert Store.open(tmp_path / "s").study == larger


def test_a_study_that_lost_a_file_while_a_run_waited_is_whole_afterwards(tmp_path, monkeypatch):
    run(STUDY, tmp_path / "s")
    store = Store.open(tmp_path / "s")
    meanwhile(monkeypatch, execution, store.path(store.plan[0]).unlink)
    assert (run(STUDY, tmp_path / "s").status == Status.DONE).all()


def test_two_extensions_at_once_lose_nothing(tmp_path, monkeypatch):
    Store.create(tmp_path / "s", STUDY, "cpu")
    other = extended(STUDY, {"seeds": "3"})
    meanwhile(monkeypatch, locking, lambda: extend(tmp_path / "s", other))
    with pytest.raises(InputError, match="other than by more of it"):
        extend(tmp_path / "s", extended(STUDY, {"inits": "xavier"}))
    assert Store.open(tmp_path / "s").study == other
    assert Study.load(tmp_path / "s" / "study.toml") == other


def test_a_study_without_a_reference_gets_the_first_level_that_is_well(tmp_path):
    poor = Study.make({**SETTINGS, "inits": "zero,scaled-normal:100"})
    assert poor.reference == ""
    Store.create(tmp_path / "s", poor, "cpu")
    larger = extended(poor, {"inits": "constant:1,default,xavier"})
    store = extend(tmp_path / "s", larger)
    assert store.study.reference == "default"
    assert store.amendments[0]["changes"]["reference"] == ["", "default"]
    with pytest.raises(InputError, match="other than by more") as refused:
        extend(tmp_path / "s", Study.make({**larger.model_dump(), "seeds": 3, "reference": "xavier"}))
    assert refused.value.key == "reference"


def test_another_study_is_no_extension(tmp_path):
    Store.create(tmp_path / "s", STUDY, "cpu")
    for changed in ({"seeds": 1}, {"inits": "default"}, {"epochs": 1}, {"momentum": 0.5}):
        with pytest.raises(InputError):
            extend(tmp_path / "s", Study.make({**SETTINGS, **changed}))
    assert Store.open(tmp_path / "s").study == STUDY


@pytest.mark.parametrize("why", ["something else computes", "no data"])
def test_what_cannot_be_run_is_not_recorded_either(tmp_path, monkeypatch, capsys, why):
    folder = tmp_path / "s"
    run(STUDY, folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    if why == "no data":
        monkeypatch.setattr(data, "load", lambda *_, **__: pytest.fail("read"))
        monkeypatch.setattr(data, "check", _refuse)
    else:
        monkeypatch.setattr(provenance, "instructions", lambda: "something-else")
    with pytest.raises(SystemExit) as ended:
        main(["extend", str(folder), "--seeds", "3", "--jobs", "1", "--quiet"])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert ("no data" if why == "no data" else "computed in part by something else") in told
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    if why != "no data":
        with pytest.raises(SystemExit) as ended:
            main(["extend", str(folder), "--seeds", "3", "--jobs", "1", "--quiet", "--allow-mixed"])
        assert not ended.value.code
        assert len(Store.open(folder).study.seeds) == 3


def _refuse(*_):
    raise InputError("no data")
