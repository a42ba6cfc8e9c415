"""The table of factors: everything reads it, and a new row is all that a new factor takes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields

import pandas as pd
import pytest
import xarray as xr
from bnstudy.cli.extend import EXTENDED
from bnstudy.cli.options import STUDY_OPTIONS
from bnstudy.cli.plan import plan_rows
from bnstudy.storage import netcdf
from bnstudy.study import schema
from bnstudy.study.enlarging import extended
from bnstudy.study.factors import FACTORS, REGISTRIES
from bnstudy.study.plan import make_plan
from bnstudy.study.registry import activations
from bnstudy.study.study import Run, Study

LEVELS = {
    "models": ("mlp", "cnn"), "norms": ("none", "batch"), "inits": ("default", "zero"), "optimizers": ("sgd", "adam"),
    "lr": (0.01, 0.1), "batch_size": (20, 50), "weight_decay": (0.0, 0.1),
    "activation": ("relu", "tanh"),
}  # fmt: skip
STUDY = Study.make({"dataset": "digits", "seeds": 1, **LEVELS})


def test_a_study_and_its_runs_have_every_factor():
    assert [field.name for field in fields(Run)] == [*(factor.name for factor in FACTORS), "seed"]
    assert {factor.key for factor in FACTORS} == set(LEVELS) <= set(Study.model_fields)
    assert Study().model_dump().items() >= {factor.key: factor.default for factor in FACTORS}.items()
    assert REGISTRIES.keys() == {"models", "norms", "inits", "optimizers", "activation"}


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


# A plugin would add the row before anything else is imported. Its levels change nothing.
NEW_ROW = """
import contextlib, io, json, sys
from bnstudy.study import factors
from bnstudy.study.fields import Names

factors.FACTORS += (
    factors.Factor("room", "rooms", "rooms", "room it trained in", Names, ("here",), "NAMES", "Rooms.", always=False),
)
from bnstudy.cli import main

printed = []
for arguments in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            main(arguments)
        except SystemExit as ended:
            assert not ended.code, arguments
    printed.append(out.getvalue())
json.dump(printed, sys.stdout)
"""
SMALL = ("--dataset", "digits", "--train-size", "100", "--models", "mlp", "--hidden", "8", "--inits", "default,zero",
         "--epochs", "2", "--seeds", "2", "--jobs", "1", "--out", "s", "--rooms", "here,there")  # fmt: skip


def test_a_new_factor_is_one_row(tmp_path):
    (tmp_path / "small.toml").write_text('name = "small"\n')
    commands = [
        ["run", "--help"], ["run", "small.toml", *SMALL, "--dry-run"], ["run", "small.toml", *SMALL, "--quiet"],
        ["analyze", "s", "--json"], ["analyze", "s"], ["export", "s", "--format", "csv"],
        ["extend", "s", "--rooms", "attic", "--jobs", "1", "--quiet"], ["status", "s"],
    ]  # fmt: skip
    command = [sys.executable, "-W", "error", "-c", NEW_ROW]
    found = subprocess.run(
        command, cwd=tmp_path, input=json.dumps(commands), capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stderr) == (0, "")
    told, plan, _, as_json, table, _, _, status = json.loads(found.stdout)
    assert "--rooms" in told
    assert "rooms           here, there" in plan
    assert "16 (8 cells × 2 seeds)" in plan
    assert [row["setting"]["room"] for row in json.loads(as_json)["verdicts"]] == ["here", "there"]
    assert [line.split()[1] for line in table.splitlines() if line.startswith(" mlp")] == ["here", "there"]
    assert "24 runs" in status
    with xr.open_dataset(tmp_path / "s" / "curves.nc") as dataset:
        assert dataset.test_accuracy.dims == ("model", "norm", "init", "room", "seed", "epoch")
        assert dataset.room.values.tolist() == ["here", "there", "attic"]
        here, there = (dataset.train_loss.sel(room=room).values for room in ("here", "there"))
        assert (here == there).all()
    assert pd.read_csv(tmp_path / "s-runs.csv").room.value_counts().to_dict() == {"here": 8, "there": 8}


def test_help_lists_no_activations_that_another_could_make_untrue():
    (told,) = (factor.help for factor in FACTORS if factor.name == "activation")
    assert "list activations" in told
    assert not [name for name in activations if name in told]
