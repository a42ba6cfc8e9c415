"""Plans: every run once, in ensembles of one arm."""

from __future__ import annotations

from bnstudy.study.plan import CAPACITY, LANES, idle_lanes, make_plan
from bnstudy.study.study import Study
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(deadline=None, max_examples=60)
@given(
    inits=st.integers(1, 9),
    lrs=st.integers(1, 3),
    seeds=st.integers(1, 12),
    optimizers=st.sampled_from(["sgd", "sgd,adam"]),
    capacity=st.integers(1, 20),
)
def test_a_plan_is_a_partition(inits, lrs, seeds, optimizers, capacity):
    study = Study.make(
        {
            "inits": [f"normal:{i + 1}" for i in range(inits)],
            "lr": [0.1 * (i + 1) for i in range(lrs)],
            "seeds": seeds,
            "optimizers": optimizers,
        }
    )
    plan = make_plan(study, capacity=capacity)
    assert sorted(run for e in plan for run in e.runs) == sorted(study.runs())
    assert [e.index for e in plan] == list(range(len(plan)))
    for ensemble in plan:
        runs = ensemble.runs
        assert len({(run.model, run.norm, run.optimizer) for run in runs}) == 1
        assert len(runs) <= capacity
        assert [run.seed for run in runs] == [ensemble.seeds[group] for group in ensemble.groups]
        assert list(ensemble.groups) == sorted(ensemble.groups)
    assert plan == make_plan(study, capacity=capacity)


def test_chunks_are_even():
    study = Study.make({"inits": [f"normal:{i + 1}" for i in range(9)], "models": "mlp", "norms": "none", "seeds": 2})
    assert [len(e.runs) for e in make_plan(study, capacity=8)] == [6, 6, 6]
    assert [len(e.runs) for e in make_plan(study, capacity=18)] == [18]


@given(replicas=st.integers(1, 200))
def test_no_register_is_left_idle_that_could_be_filled(replicas):
    study = Study.make({"lr": [0.001 * (i + 1) for i in range(replicas)], "models": "mlp", "norms": "none", "seeds": 1})
    sizes = [len(e.runs) for e in make_plan(study, capacity=CAPACITY["cpu"])]
    assert sum(-(-size // LANES) for size in sizes) == -(-replicas // LANES)
    assert len(sizes) == -(-replicas // CAPACITY["cpu"])
    assert idle_lanes(make_plan(study, capacity=CAPACITY["cpu"])) == 1 - replicas / (-(-replicas // LANES) * LANES)


def test_many_cores_cut_a_small_study_finer():
    study = Study.make({"inits": [f"normal:{i + 1}" for i in range(8)], "models": "cnn", "norms": "none", "seeds": 8})
    assert {len(e.runs) for e in make_plan(study)} == {16}
    assert {len(e.runs) for e in make_plan(study, cores=8)} == {8}
