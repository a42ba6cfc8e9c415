"""With ``--json`` standard output holds JSON alone, whose keys are those of the reference."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from bnstudy.plugins import datasets, register_arrays

from tests.conftest import ROOT
from tests.synthetic import make_dataset

TINY = ("--dataset", "digits", "--train-size", "200", "--models", "mlp", "--hidden", "8", "--epochs", "1")
LEVELS = "default,scaled-normal:0.01,scaled-normal:1,zero"
ROWS = {"plan": ("costs",), "list": ("entries",), "analyze": ("verdicts",), "verify": ("files", "retrained")}
PAGE = (ROOT / "docs" / "reference" / "json.md").read_text()


def documented(name: str) -> set[str]:
    """What stands in backticks in a command's part of the reference."""
    parts = re.split(r"^## (.+)$", PAGE, flags=re.M)
    part = next(text for title, text in zip(parts[1::2], parts[2::2], strict=True) if name in title.split(", "))
    return set(re.findall(r"`([a-z_]+)`", part))


@pytest.fixture
def told(command):
    """A command's JSON, whose keys are known."""

    def ask(name: str, *arguments: object) -> dict:
        code, out, err = command(name, *arguments, "--json")
        assert (code, err) == (0, "")
        found = json.loads(out)
        known = documented(name)
        assert set(found) <= known, name
        for key in ROWS.get(name, ()):
            assert {k for row in found[key] or () for k in row} <= known, (name, key)
        return found

    return ask


def test_of_a_study(told, command):
    assert command("baseline", *TINY, "--seeds", "2", "--jobs", "1", "--quiet")[0] == 0
    folder = "results/baseline"
    assert told("status", folder)["done"] == 4
    assert told("verify", folder) == {"files": [], "retrained": None}
    (run,) = told("verify", folder, "--retrain", "1")["retrained"]
    assert run["outcome"] in ("same", "alike", "no telling")
    assert told("status", folder)["hash"] == told("plan", "baseline", *TINY, "--seeds", "2", "--device", "cpu")["hash"]


def test_of_a_plan(told):
    found = told("plan", "baseline", "--inits", LEVELS, *TINY, "--seeds", "10", "--shard", "1/2",
                 "--device", "cpu")  # fmt: skip
    assert found["runs"] == found["cells"] * 10 == sum(row["runs"] for row in found["costs"][:-1])
    assert [row["shard"] for row in found["costs"]] == ["1/2", "2/2", "all"]
    assert found["costs"][-1]["flop"] == pytest.approx(sum(row["flop"] for row in found["costs"][:-1]))
    assert found["factors"]["init"] == LEVELS.split(",")
    assert found["criteria"]["roles"]["zero"] == "poor"
    assert found["power"]["have_to_agree"] == 9
    assert found["run_epochs"] == found["runs"] * found["epochs"]
    assert found["costs"][0]["worker_seconds"] is None
    assert found["pilot"] is None
    assert told("plan", "baseline", "--inits", LEVELS, *TINY, "--seeds", "3", "--device", "cpu")["warnings"]


def test_a_plan_warns_of_what_its_data_are(told):
    images = np.random.default_rng(0).normal(size=(90, 8, 8))
    labels = np.arange(90) % 3 + 1
    register_arrays("counted", images[:60], labels[:60], images[60:], labels[60:])
    try:
        found = told("plan", "baseline", "--dataset", "counted", "--models", "mlp", "--hidden", "4", "--batch-size",
                     "30", "--device", "cpu")  # fmt: skip
    finally:
        del datasets._entries["counted"]
    assert found["warnings"][0] == "labels 1, 2, 3 are numbered 0 to 2"


def test_of_a_pilot_and_of_verdicts(told, tmp_path):
    make_dataset(seeds=8).to_netcdf(tmp_path / "pilot.nc")
    found = told("plan", "baseline", "--inits", LEVELS, "--seeds", "8", "--device", "cpu", "--pilot", "pilot.nc",
                 "--reference", told("analyze", "pilot.nc")["criteria"]["reference"])  # fmt: skip
    assert found["pilot"]["seeds"] == 8
    assert {"model", "condition", "mainly", "unclear"} <= set(found["pilot"]["shares"][0])


def test_of_what_is_here(told, monkeypatch):
    monkeypatch.setenv("BNSTUDY_JOBS", "3")
    monkeypatch.setenv("BNSTUDY_DEVICE", "tpu")
    found = told("doctor")
    assert found["settings"]["jobs"] == {"value": 3, "source": "BNSTUDY_JOBS"}
    assert found["settings"]["device"] is None
    assert found["problems"] == ["BNSTUDY_DEVICE: must be auto, cpu, cuda or cuda:N, not 'tpu'"]
    assert found["settings_file"]["is_there"] is False
    (constant,) = (one for one in told("list", "inits")["entries"] if one["name"] == "scaled-normal")
    assert constant["value"] == {"symbol": "S", "default": None}
    assert told("explain", "gain")["kind"] == "term"
