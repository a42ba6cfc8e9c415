"""Forms that are no faster than one run after the other are not taken."""

from __future__ import annotations

import math

import pytest
import torch
from bnstudy.study.plan import make_plan
from bnstudy.study.study import Study
from bnstudy.training import quickness
from bnstudy.training.datasets import data
from bnstudy.training.replicas import Folded, Lanes, Reference, Vmapped


def chosen(alone: float, times: dict[type, float], replicas: int = 4) -> tuple[str, ...]:
    """Of forms with these times of a replica, in seconds."""

    def seconds(form, count):
        return alone if form is Reference else times[form] * count

    return quickness.quicker(list(times), seconds, replicas)


def test_forms_that_are_slower_or_fail_are_left_out_and_the_others_keep_their_order():
    assert chosen(0.01, {Lanes: 0.008, Folded: 0.02, Vmapped: 0.001}) == ("lanes", "vmap")
    assert chosen(0.01, {Lanes: math.inf, Folded: 0.01}) == ()


def test_steps_that_are_mostly_overhead_are_not_timed():
    assert chosen(0.001, {Lanes: math.inf, Folded: 0.02}) == ("lanes", "folded")


def test_of_slow_networks_few_replicas_are_timed():
    timed = []

    def seconds(form, count):
        timed.append(count)
        return 0.5 * count

    quickness.quicker([Folded], seconds, 16)
    assert timed == [1, 2, 2]


def test_a_form_that_was_disturbed_is_timed_again_and_a_hopeless_one_is_not():
    times = {Lanes: [0.02, 0.004], Folded: [0.02, 0.02], Vmapped: [0.05, 0.001]}

    def seconds(form, count):
        return 0.01 if form is Reference else times[form].pop(0) * count

    assert quickness.quicker(list(times), seconds, 4) == ("lanes",)
    assert times == {Lanes: [], Folded: [], Vmapped: [0.001]}


@pytest.fixture
def timed(monkeypatch):
    monkeypatch.setattr(quickness, "SHORT", 0.0)


def test_the_time_of_real_networks_is_taken_and_leaves_the_generators_alone(timed, monkeypatch):
    taken = []
    real = quickness._seconds
    monkeypatch.setattr(quickness, "_seconds", lambda *rest: taken.append(real(*rest)) or taken[-1])
    settings = {"dataset": "digits", "models": "mlp", "norms": "batch", "inits": "default,zero", "train_size": 200}
    study = Study.make({**settings, "seeds": 2, "hidden": "4"})
    (ensemble,) = make_plan(study)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    found = quickness.forms_of(study, ensemble.runs, data.load(study))
    assert torch.equal(torch.get_rng_state(), before)
    assert "folded" in found  # four small networks at once
    assert all(0 < seconds < 1 for seconds in taken)
    assert len(taken) >= 3
