"""The table of factors: what is spelled for type checkers agrees with it, and everything reads it."""

from __future__ import annotations

from dataclasses import fields

import pytest
from bnstudy.cli.extend import EXTENDED
from bnstudy.cli.options import STUDY_OPTIONS
from bnstudy.cli.plan import plan_rows
from bnstudy.storage import netcdf
from bnstudy.storage.extension import extended
from bnstudy.study import schema
from bnstudy.study.factors import FACTORS, REGISTRIES
from bnstudy.study.plan import make_plan
from bnstudy.study.study import Run, Study

LEVELS = {
    "models": ("mlp", "cnn"), "norms": ("none", "batch"), "inits": ("default", "zero"), "optimizers": ("sgd", "adam"),
    "lr": (0.01, 0.1), "batch_size": (20, 50), "weight_decay": (0.0, 0.1),
}  # fmt: skip
STUDY = Study.make({"dataset": "digits", "seeds": 1, **LEVELS})


def test_a_study_and_its_runs_have_every_factor():
    assert [field.name for field in fields(Run)] == [*(factor.name for factor in FACTORS), "seed"]
    assert {factor.key for factor in FACTORS} == set(LEVELS) <= set(Study.model_fields)
    assert REGISTRIES.keys() == {"models", "norms", "inits", "optimizers"}


@pytest.mark.parametrize("factor", FACTORS, ids=lambda factor: factor.name)
def test_a_factor_is_an_option_a_dimension_a_row_of_the_plan_and_can_be_extended(factor):
    assert STUDY_OPTIONS[factor.key][1:] == (factor.metavar, factor.help)
    assert factor.key in EXTENDED
    dims, values, _ = netcdf.coords(STUDY)[factor.name]
    assert (dims, tuple(values)) == ((factor.name,), LEVELS[factor.key])
    assert factor.name in schema.with_further(schema.RUN_DIMS, STUDY.further)
    assert factor.plural in [name for name, _ in plan_rows(STUDY, make_plan(STUDY), "cpu", None)]
    fewer = Study.make({**STUDY.model_dump(), factor.key: LEVELS[factor.key][:1], "roles": {}, "reference": ""})
    assert getattr(extended(fewer, {factor.key: LEVELS[factor.key][1:]}), factor.key) == LEVELS[factor.key]
    apart = {frozenset(getattr(run, factor.name) for run in one.runs) for one in make_plan(STUDY)}
    assert all(len(levels) == 1 for levels in apart) != factor.together
