"""What a plan costs: operations counted as by hand, times that grow with the work."""

from __future__ import annotations

import pytest
from bnstudy.study import registry
from bnstudy.study.errors import InputError
from bnstudy.study.plan import make_plan
from bnstudy.study.study import Study
from bnstudy.training.datasets import data
from bnstudy.training.replicas.lanes import lanes
from bnstudy.training.running.costs import costs, run_epoch_operations, time_ensemble
from bnstudy.training.running.this_machine import measure_arms
from torch import nn

STUDY = Study.make({"dataset": "digits", "seeds": 3, "epochs": 7, "inits": "default,zero", "norms": "none"})


def test_operations_of_the_mlp_are_its_products():
    products = 64 * 256 + 256 * 128 + 128 * 10
    assert run_epoch_operations(STUDY, "mlp", "none") == 2 * products * (3 * 1437 + 360)


def test_a_network_that_fails_is_told(register):
    register(registry.models, "wrong")(lambda inputs, classes, blocks: nn.Linear(3, 4))
    study = Study.make({"dataset": "digits", "models": "wrong", "norms": "none"})
    with pytest.raises(InputError, match="'wrong' with norm 'none' fails on a batch of 2 samples: RuntimeError"):
        run_epoch_operations(study, "wrong", "none")


@pytest.mark.parametrize("error", [ValueError(7), SystemExit(7)])
def test_a_network_that_cannot_be_built_or_measured_is_told(register, error):
    class Late(nn.Linear):
        def forward(self, inputs):
            raise error

    register(registry.models, "late")(lambda inputs, classes, blocks: nn.Sequential(nn.Flatten(), Late(64, 10)))

    @register(registry.models, "never")
    def never(inputs, classes, blocks):
        raise error

    for name, told in (("late", "fails in its first epoch"), ("never", "cannot be built")):
        study = Study.make({"dataset": "digits", "models": name, "norms": "none"})
        with pytest.raises(InputError, match=f"'{name}' with norm 'none' {told}: {type(error).__name__}: 7 .line "):
            measure_arms(study, data.load(study), "cpu")


def test_costs_add_up_over_parts():
    plan = make_plan(STUDY)
    together, *apart = costs(STUDY, [plan, plan[:1], plan[1:]])
    assert together.runs == sum(cost.runs for cost in apart) == STUDY.n_runs
    assert together.run_epochs == STUDY.n_runs * 7
    assert together.operations == pytest.approx(sum(cost.operations for cost in apart))
    assert together.seconds is None


def test_time_is_measured_for_any_study(capsys):
    study = Study.make(
        {
            "dataset": "digits",
            "hidden": "256,256",
            "validation_size": 100,
            "models": "mlp",
            "norms": "none",
            "seeds": 16,
        }
    )
    small = Study.make({**study.model_dump(), "hidden": "4"})
    (plan,), (little,) = make_plan(study, capacity=16)[:1], make_plan(small, capacity=16)[:1]
    large, tiny = time_ensemble(study, plan, "cpu"), time_ensemble(small, little, "cpu")
    assert large.run_epoch > 3 * tiny.run_epoch > 0
    assert large.before > 0
    assert large.form == ("lanes" if lanes.load() else "folded")
    (cost,) = costs(small, [[little]], "cpu")
    assert cost.seconds is not None
    assert cost.seconds > 0
    assert set(cost.timed) == {("mlp", "none")}
