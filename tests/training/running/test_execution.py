"""Running a study: the same numbers however it is run, resumed or interrupted."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import bnstudy
import pytest
import xarray as xr
from bnstudy.storage.store import Store
from bnstudy.study import provenance
from bnstudy.study.errors import FailedRunsError, InputError, LockedError
from bnstudy.study.study import Study
from bnstudy.training.running.execution import Observer, run
from bnstudy.training.running.stopping import StoppedError
from bnstudy.training.running.this_machine import resolve_device

SMALL = {"dataset": "digits", "train_size": 200, "hidden": "8", "channels": "2", "epochs": 2, "seeds": 2}
TIMES = ["train_seconds", "epoch_seconds_alone"]


def study_of(**settings) -> Study:
    return Study.make({**SMALL, "inits": "default,zero", **settings})


def numbers(dataset: xr.Dataset) -> xr.Dataset:
    return dataset.drop_vars(TIMES)


class Recorder(Observer):
    def __init__(self):
        self.trained, self.failures = [], []

    def done(self, ensemble, curves):
        self.trained.append(ensemble.index)

    def failed(self, ensemble, reason):
        self.failures.append(reason)


@pytest.mark.slow
def test_the_numbers_do_not_depend_on_jobs(tmp_path):
    here = run(study_of(), tmp_path / "here")
    apart = run(study_of(), tmp_path / "apart", jobs=2)
    assert numbers(here).equals(numbers(apart))
    assert int(here.n_parameters.sel(model="mlp", norm="none")) == 64 * 8 + 8 + 8 * 10 + 10
    assert (here.epoch_seconds_alone > 0).all()


def test_a_finished_study_is_not_trained_again(tmp_path):
    first, recorder = run(study_of(), tmp_path / "s"), Recorder()
    assert run(study_of(), tmp_path / "s", observer=recorder).equals(first)
    assert recorder.trained == []


def test_a_resumed_study_is_the_uninterrupted_one(tmp_path):
    class Stop(Observer):
        def done(self, ensemble, curves):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(bnstudy.training.running.execution.StoppedError) as stopped:
        run(study_of(), tmp_path / "cut", observer=Stop())
    assert stopped.value.exit_code == 143
    assert len(Store.open(tmp_path / "cut").pending()) == 3
    recorder = Recorder()
    resumed = run(study_of(), tmp_path / "cut", observer=recorder)
    assert recorder.trained == [1, 2, 3]
    assert numbers(resumed).equals(numbers(run(study_of(), tmp_path / "whole")))


def test_arms_train_in_the_forms_that_were_found_at_the_start(tmp_path):
    class Stopping(Observer):
        def __init__(self):
            self.forms = {}

        def done(self, ensemble, curves):
            self.forms[ensemble.runs[0].model] = curves.form
            if len(self.forms) == 1:
                os.kill(os.getpid(), signal.SIGINT)

    observer, study = Stopping(), study_of(inits="default", norms="none")
    with pytest.raises(StoppedError):
        run(study, tmp_path, observer=observer)
    store = Store.open(tmp_path)
    store.save_arms({arm: {**facts, "forms": []} for arm, facts in store.arms().items()})
    run(study, tmp_path, observer=observer)
    first, second = observer.forms.values()
    assert not first.startswith("one by one")
    assert second == "one by one (no other form is faster)"


@pytest.mark.parametrize(
    ("what", "now", "told"),
    [
        ("versions", provenance.versions().replace("torch==", "torch==0."), r"torch==\S+ before, torch==0\.\S+ now"),
        ("instructions", "abacus", r"\S* before, abacus now"),
    ],
)
def test_a_study_is_not_resumed_by_something_else(tmp_path, monkeypatch, what, now, told):
    """Other versions or processors compute other last digits: refused with what differs, unless asked for."""
    study = study_of()
    wanted = run(study, tmp_path / "s")
    store = Store.open(tmp_path / "s")
    store.path(store.plan[0]).unlink()
    monkeypatch.setattr(provenance, what, lambda: now)
    with pytest.raises(InputError, match=f"{what}: {told}") as refused:
        run(study, tmp_path / "s")
    assert "--allow-mixed" in str(refused.value)
    assert len(store.pending()) == 1
    resumed = run(study, tmp_path / "s", allow_mixed=True)
    assert (resumed.test_loss == wanted.test_loss).all()
    assert len(store.computed_by()) == 2


def test_a_finished_study_may_be_opened_by_anything(tmp_path, monkeypatch):
    study = study_of()
    run(study, tmp_path / "s")
    monkeypatch.setattr(provenance, "versions", lambda: "torch==0")
    run(study, tmp_path / "s")


def test_a_locked_study_is_left_alone(tmp_path):
    store = Store.create(tmp_path / "s", study_of(), "cpu")
    with store.locked(), pytest.raises(LockedError):
        run(study_of(), tmp_path / "s")


@pytest.mark.parametrize(
    ("error", "told"), [(ValueError("no\nway"), "ValueError: no"), (SystemExit(7), "SystemExit: 7")]
)
def test_a_failing_ensemble_is_tried_twice_and_the_others_finish(tmp_path, monkeypatch, error, told):
    from bnstudy.training import ensembles

    train, tries = ensembles.training, []

    def sometimes(study, ensemble, *args, **options):
        if ensemble.index == 1:
            tries.append(ensemble.index)
            raise error
        return train(study, ensemble, *args, **options)

    monkeypatch.setattr(ensembles, "training", sometimes)
    recorder = Recorder()
    with pytest.raises(FailedRunsError, match="4 of 16 runs failed") as caught:
        run(study_of(), tmp_path / "s", observer=recorder)
    assert caught.value.exit_code == 3
    assert tries == [1, 1]
    (failure,) = recorder.failures
    assert failure.endswith(told)
    assert recorder.trained == [0, 2, 3]
    assert Store.open(tmp_path / "s").counts()["failed"] == 4
    monkeypatch.setattr(ensembles, "training", train)
    assert numbers(run(study_of(), tmp_path / "s")).equals(numbers(run(study_of(), tmp_path / "t")))


@pytest.mark.slow
def test_a_killed_worker_loses_only_what_it_had(tmp_path):
    class KillOne(Observer):
        killed = False

        def progress(self, ensemble, progress):
            if not self.killed:
                self.killed = True
                multiprocessing.active_children()[0].kill()

    killer = KillOne()
    dataset = run(study_of(epochs=5), tmp_path / "s", jobs=2, observer=killer)
    assert killer.killed
    assert numbers(dataset).equals(numbers(run(study_of(epochs=5), tmp_path / "t")))


def test_missing_data_leave_no_folder(tmp_path, monkeypatch):
    from torchvision.datasets import MNIST

    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(InputError, match="--dataset digits"):
        run(Study.make({}), tmp_path / "s", data_dir=tmp_path / "data")
    assert not (tmp_path / "s").exists()


def test_divergence_is_a_result(tmp_path):
    dataset = run(study_of(inits="default,constant:1e+30", norms="none"), tmp_path / "s")
    assert (dataset.status.sel(init="constant:1e+30") == 2).all()
    assert (dataset.diverged_epoch.sel(init="constant:1e+30") == 1).all()
    assert dataset.test_accuracy.sel(init="constant:1e+30").isnull().all()
    assert (dataset.status.sel(init="default") == 1).all()


@pytest.mark.parametrize("name", ["tpu", "cuda:", "cuda:x", "cpu:0", ""])
def test_unknown_devices(name):
    with pytest.raises(InputError) as caught:
        resolve_device(name)
    assert caught.value.key == "device"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_signal_stops_within_seconds_and_the_study_resumes(tmp_path, number, code):
    """A study of hours ends at once: that it does is all the haste a slow or busy machine can promise."""
    command = [sys.executable, "-c", "from bnstudy.cli import main; main()", "baseline", "--dataset", "digits"]
    command += ["--models", "mlp", "--epochs", "100000", "--seeds", "4", "--jobs", "2", "--out", str(tmp_path / "s")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "s" / "running.json").exists() and process.poll() is None:
        time.sleep(0.1)
    time.sleep(0.5)  # somewhere in the start of the workers
    process.send_signal(number)
    try:
        _, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == code
    assert "the same command resumes" in error
    assert "Traceback" not in error
    assert not Store.open(tmp_path / "s").is_locked()
