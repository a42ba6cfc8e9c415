"""A real local cluster of processes: the same numbers, whatever happens to the workers."""

from __future__ import annotations

import importlib
import math
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from bnstudy.storage.store import Store
from bnstudy.storage.verification import verify
from bnstudy.study import registry
from bnstudy.study.errors import InputError
from bnstudy.study.plan import make_plan
from bnstudy.study.study import Study
from bnstudy.training.running.execution import Observer, run
from bnstudy.training.running.stopping import StoppedError
from torch import nn

from tests import commands

TIMES = ["train_seconds", "epoch_seconds_alone"]
SETTINGS = {"dataset": "digits", "train_size": 200, "hidden": "8", "channels": "2", "epochs": 2, "seeds": 2}


def study_of(**settings) -> Study:
    return Study.make({**SETTINGS, "inits": "default,zero", **settings})


def numbers(dataset: xr.Dataset) -> xr.Dataset:
    return dataset.drop_vars(TIMES)


class LocalCluster:
    """A scheduler and workers, each a process of its own, on free ports of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "scheduler.json"
        self.environment = {**os.environ, "PYTHONWARNINGS": "ignore", "DASK_DISTRIBUTED__WORKER__DAEMON": "False"}
        listening = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show")
        self.scheduler = self._start("scheduler", *listening, "--scheduler-file", str(self.file))
        self.workers: list[subprocess.Popen[bytes]] = []
        for _ in range(1200):
            if self.file.exists() and self.file.read_text().strip().endswith("}"):
                return
            time.sleep(0.1)
        raise RuntimeError("the scheduler did not start")

    def _start(self, kind: str, *options: str, **environment: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", kind, *options]
        with (self.folder / f"{kind}.log").open("ab") as log:
            return subprocess.Popen(
                command, stdout=log, stderr=log, env=self.environment | environment, cwd=self.folder
            )

    def add_worker(self, *options: str, **environment: str) -> None:
        common = ("--scheduler-file", str(self.file), "--nthreads", "1", "--no-nanny", "--no-dashboard")
        self.workers.append(self._start("worker", *common, *options, **environment))

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path):
    made = LocalCluster(tmp_path)
    yield made
    made.close()


@pytest.mark.slow
def test_a_cluster_gives_the_same_numbers_and_survives_the_death_of_workers(cluster, tmp_path):
    """Two workers; one is killed as it works, and one joins. Then an ensemble that cannot be trained."""
    for _ in range(2):
        cluster.add_worker()

    class Kills(Observer):
        done_before = 0

        def done(self, ensemble, curves):
            self.done_before += 1
            if self.done_before == 1:
                cluster.add_worker()
                cluster.workers[0].kill()

    watch = Kills()
    study = study_of(epochs=20, seeds=20)
    found = run(study, tmp_path / "cluster", scheduler=str(cluster.file), observer=watch)
    assert watch.done_before == len(Store.open(tmp_path / "cluster").plan) >= 12  # more on a machine of many cores
    assert cluster.workers[0].wait() == -signal.SIGKILL
    whole = run(study, tmp_path / "here")
    assert found.attrs["forms"] == whole.attrs["forms"]
    assert [name for name in numbers(whole) if not found[name].identical(whole[name])] == []
    assert numbers(found).identical(numbers(whole).assign_attrs(found.attrs))
    assert found.epoch_seconds_alone.notnull().all()
    assert verify(tmp_path / "cluster") == []


@pytest.mark.slow
def test_a_stopped_cluster_run_resumes_here(cluster, tmp_path):
    cluster.add_worker()

    class Stops(Observer):
        def done(self, ensemble, curves):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(StoppedError) as stopped:
        run(study_of(), tmp_path / "s", scheduler=str(cluster.file), observer=Stops())
    assert stopped.value.exit_code == 143
    left = len(Store.open(tmp_path / "s").pending())
    assert left == 3
    assert numbers(run(study_of(), tmp_path / "s")).equals(numbers(run(study_of(), tmp_path / "t")))


@pytest.mark.slow
def test_a_scheduler_that_goes_away_ends_in_one_line_and_loses_nothing(cluster, tmp_path):
    cluster.add_worker()

    class Cuts(Observer):
        def done(self, ensemble, curves):
            cluster.scheduler.kill()

    with pytest.raises(InputError, match=r"went away.*the same command resumes") as caught:
        run(study_of(epochs=30), tmp_path / "s", scheduler=str(cluster.file), observer=Cuts())
    assert caught.value.key == "scheduler"
    assert len(Store.open(tmp_path / "s").pending()) < 4
    assert not Store.open(tmp_path / "s").is_locked()


def test_a_worker_of_several_threads_trains_one_ensemble_at_a_time(register):
    """They share torch's generator, from which a dropout draws."""
    from bnstudy.training.running import cluster
    from bnstudy.training.running.workers import Setup

    @register(registry.models, "dropped")
    def dropped(inputs, classes, blocks):
        pixels = math.prod(inputs)
        return nn.Sequential(nn.Flatten(), nn.Linear(pixels, 8), nn.Dropout(), nn.ReLU(), nn.Linear(8, classes))

    study = study_of(models="dropped", norms="none", seeds=4, optimizers="sgd,adam")
    setup = Setup.of(study, None, "cpu", False, "")
    here = cluster._describe("cpu", False)
    ensembles = make_plan(study, capacity=2)

    def trained(threads: int) -> list[np.ndarray]:
        with ThreadPoolExecutor(threads) as pool:
            answers = pool.map(lambda ensemble: cluster._train(setup, ensemble, here), ensembles)
            return [curves.values["train_loss"] for curves, _ in answers]

    for alone, beside in zip(trained(1), trained(3), strict=True):
        assert np.array_equal(alone, beside)


def test_what_needs_a_gpu_goes_to_workers_that_offer_one(cluster):
    from bnstudy.training.running.cluster import Cluster

    cluster.add_worker()
    cluster.add_worker("--resources", "GPU=1")
    made = Cluster(str(cluster.file), "cpu", None, False)
    try:
        made.client.wait_for_workers(2, timeout=120)
        made.resources = {"GPU": 1}
        assert {made._one(os.getpid) for _ in range(10)} == {cluster.workers[1].pid}
    finally:
        made.close()


PLUGIN = """
import numpy as np
from bnstudy.study.registry import initializers
from bnstudy.training.datasets.own_data import register_arrays

@initializers.register("clustered", label="x")
def clustered(layer, value=None):
    layer.weight.fill_(0.1)

labels = np.arange(12) % 3
images = np.arange(12 * 64, dtype=np.uint8).reshape(12, 8, 8)
register_arrays("clustered", images, labels, images, labels)
"""


@pytest.mark.slow
def test_a_worker_that_holds_an_older_plugin_is_told(cluster, tmp_path, monkeypatch):
    """It imported it long ago, whatever is in the file now."""
    (tmp_path / "clustered_plugin.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    cluster.add_worker()
    importlib.import_module("clustered_plugin")  # not named with --plugin, and known to the worker all the same
    try:
        study = study_of(
            dataset="clustered", train_size=12, batch_size=4, inits="clustered", models="mlp", norms="none", seeds=1
        )
        found = run(study, tmp_path / "s", scheduler=str(cluster.file))
        assert re.fullmatch(r"clustered_plugin \w{12}", found.attrs["plugins"])
        assert len(found.attrs["data_sha256"]) == 64
        computed = Store.open(tmp_path / "s").computed_by()[0]
        assert (computed["plugins"], computed["data_sha256"]) == (found.attrs["plugins"], found.attrs["data_sha256"])

        entry = registry.initializers["clustered"]
        newer = replace(entry, origin=replace(entry.origin, digest="0" * 12))
        registry.initializers._entries["clustered"] = newer
        with pytest.raises(InputError, match="loaded another version of plugin clustered_plugin; restart them"):
            run(study, tmp_path / "t", scheduler=str(cluster.file))
        assert not (tmp_path / "t").exists()
    finally:
        del registry.initializers._entries["clustered"], registry.datasets._entries["clustered"]
        del sys.modules["clustered_plugin"]


def test_nobody_there_is_said_in_one_line(monkeypatch, tmp_path):
    from bnstudy.training.running import cluster

    monkeypatch.setattr(cluster, "CONNECT_TIMEOUT", 1.0)
    for address in ("tcp://127.0.0.1:9", "nonsense", "tcp://", " "):
        with pytest.raises(InputError, match=r"no scheduler answers|must be a scheduler's address") as caught:
            run(study_of(), tmp_path / "s", scheduler=address)
        assert caught.value.key == "scheduler"
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "s").exists()


@pytest.mark.slow
def test_a_worker_without_bnstudy_is_told_in_one_line(cluster, tmp_path):
    """What to install, and where."""
    missing = tmp_path / "path" / "bnstudy" / "__init__.py"
    missing.parent.mkdir(parents=True)
    missing.write_text("raise ModuleNotFoundError(\"No module named 'bnstudy'\", name='bnstudy')\n")
    cluster.add_worker(PYTHONPATH=str(tmp_path / "path"))
    found = commands.bnstudy(tmp_path, "baseline", "--scheduler", str(cluster.file), "--out", "s")
    assert (found.returncode, found.stdout) == (2, "")
    told = r"bnstudy: --scheduler: the worker tcp://\S+ has no bnstudy: install bnstudy\[dask\]==\S+ there, .*\n"
    assert re.fullmatch(told, found.stderr)
    assert not (tmp_path / "s").exists()


@pytest.mark.slow
def test_a_quiet_run_whose_workers_all_die_says_that_it_waits(cluster, tmp_path):
    cluster.add_worker()
    study = tmp_path / "study.toml"
    study.write_text(study_of(epochs=50, seeds=8).to_toml())
    command = [sys.executable, "-m", "bnstudy", "run", study, "--scheduler", cluster.file, "--out", tmp_path / "s"]
    with subprocess.Popen([*map(str, command), "--quiet"], stderr=subprocess.PIPE, text=True) as running:
        while not (tmp_path / "s" / "running.json").exists():
            assert running.poll() is None
            time.sleep(0.05)
        cluster.workers[0].kill()
        killed = time.monotonic()
        line = running.stderr.readline()
        assert time.monotonic() - killed < 30
        assert re.fullmatch(r"bnstudy: warning: the scheduler at \S+ has no workers any more; waiting .*\n", line)
        cluster.add_worker()
        assert running.wait(timeout=120) == 0
        assert running.stderr.read() == ""


def test_that_no_worker_is_left_is_told_once_each_time(monkeypatch):
    from bnstudy.training.running import cluster_workers

    class Client:
        workers, status = 1, "running"

        def scheduler_info(self, n_workers: int) -> dict[str, list[int]]:
            return {"workers": [0] * self.workers}

    now = 0.0
    monkeypatch.setattr(cluster_workers.time, "monotonic", lambda: now)
    client = Client()
    watch = cluster_workers.Watch(client, "tcp://here")
    told = []
    for now in np.arange(0.0, 120.0, 0.5):
        client.workers = int(now < 20 or 60 <= now < 80)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            watch.look()
        told += [float(now)] * len(caught)
    first, second = told
    assert 30 <= first <= 34
    assert 90 <= second <= 94
