"""The dataset of a study that trains: renewed in between, rarely, and in the end as if it had never been."""

from __future__ import annotations

import numpy as np
import pytest
from bnstudy.storage import atomic
from bnstudy.storage.consolidation import consolidate
from bnstudy.storage.opening import open_results
from bnstudy.storage.store import Store
from bnstudy.storage.verification import verify
from bnstudy.study.errors import InputError
from bnstudy.study.study import Study
from bnstudy.training.running import renewal
from bnstudy.training.running.execution import Observer, run

STUDY = {"dataset": "digits", "train_size": 100, "models": "mlp", "hidden": "4", "inits": "default,zero", "epochs": 1}


@pytest.fixture
def study():
    return Study.make({**STUDY, "seeds": 2})


@pytest.fixture
def always(monkeypatch):
    """Renewed as often as there is something new."""
    monkeypatch.setattr(renewal, "FIRST", 0.0)
    monkeypatch.setattr(renewal, "EVERY", 0.0)
    monkeypatch.setattr(renewal, "SHARE", np.inf)


class Looks(Observer):
    """What one who opens the folder sees each time."""

    def __init__(self, folder):
        self.folder, self.seen = folder, []

    def renewed(self):
        self.seen.append(open_results(self.folder))


@pytest.mark.usefixtures("always")
def test_one_sees_what_is_there_and_how_much_is_not(tmp_path, study):
    looks = Looks(tmp_path / "s")
    run(study, tmp_path / "s", observer=looks)
    half, whole = looks.seen
    assert (half.attrs["runs_finished"], half.attrs["runs_planned"]) == (4, 8)
    there = half.status > 0
    assert int(there.sum()) == 4
    assert (half.test_accuracy.notnull().all("epoch") == there).all()
    assert half.where(there).test_loss.equals(whole.where(there).test_loss)
    assert not {"runs_finished", "runs_planned"} & whole.attrs.keys()


@pytest.mark.usefixtures("always")
def test_in_the_end_the_file_is_the_one_of_a_study_nobody_looked_at(tmp_path, study):
    run(study, tmp_path / "s", observer=Looks(tmp_path / "s"))
    file = tmp_path / "s" / "curves.nc"
    before = file.read_bytes()
    file.unlink()
    consolidate(Store.open(tmp_path / "s"))
    assert file.read_bytes() == before
    assert verify(tmp_path / "s") == []


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("at", ["stage", "publish"])
def test_a_renewal_that_the_disk_refuses_is_passed_over(tmp_path, study, monkeypatch, at):
    """Of the kinds of trouble this is the one in which the process lives on; kills have tests of their own."""
    real, refused = getattr(atomic, at), []

    def once(*arguments):
        path = arguments[0] if at == "stage" else arguments[1]
        if path.name == "curves.nc" and not refused:
            refused.append(path)
            raise InputError("the disk is full")
        return real(*arguments)

    monkeypatch.setattr(atomic, at, once)
    dataset = run(study, tmp_path / "s")
    assert refused
    assert (dataset.status == 1).all()
    assert verify(tmp_path / "s") == []


class Clock:
    now = 0.0

    def monotonic(self):
        return self.now


def renewals(monkeypatch, cost: float, seconds: int) -> list[float]:
    """When the dataset is renewed, where each takes `cost` seconds and an ensemble is stored every second."""
    clock, times = Clock(), []
    monkeypatch.setattr(renewal, "time", clock)

    def took(store):
        times.append(clock.now)
        clock.now += cost

    monkeypatch.setattr(renewal, "consolidate", took)
    looked = renewal.Renewal(None, lambda: None)
    while clock.now < seconds:
        looked.stored()
        looked.look()
        clock.now += 1
    return times


def test_it_is_renewed_once_a_minute_at_most(monkeypatch):
    assert np.diff(renewals(monkeypatch, 0.1, 600)).min() >= 60
    assert renewals(monkeypatch, 0.1, 600)[0] == 15


def test_renewals_take_little_of_the_time(monkeypatch):
    times = renewals(monkeypatch, 10, 7200)
    assert len(times) > 5
    assert 10 * len(times) < 0.05 * 7200


def test_nothing_new_is_nothing_to_renew(monkeypatch):
    monkeypatch.setattr(renewal, "FIRST", 0.0)
    monkeypatch.setattr(renewal, "consolidate", lambda store: pytest.fail("it was renewed"))
    renewal.Renewal(None, lambda: None).look()
