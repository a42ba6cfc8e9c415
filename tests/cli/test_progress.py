"""What is seen of a study while it trains: of each arm how far and how good, on a terminal and elsewhere."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from bnstudy.cli import progress
from bnstudy.cli.progress import Reporter
from bnstudy.study.curves import Curves
from bnstudy.study.plan import make_plan
from bnstudy.study.schema import Status
from bnstudy.study.study import Study
from bnstudy.training.running.execution import run
from bnstudy.training.running.tally import Tally
from rich.console import Console

STUDY = {"dataset": "digits", "train_size": 100, "models": "mlp", "hidden": "4", "epochs": 2, "seeds": 2}


def told(tmp_path, monkeypatch, terminal: bool, **settings: object) -> str:
    monkeypatch.setattr(progress, "LINE_EVERY", -1.0)
    reporter = Reporter()
    reporter.console = Console(file=io.StringIO(), force_terminal=terminal, width=80)
    run(Study.make({**STUDY, **settings}), tmp_path / "s", observer=reporter)
    reporter.close()
    return reporter.console.file.getvalue()


def test_elsewhere_than_on_a_terminal_each_arm_has_a_line(tmp_path, monkeypatch):
    lines = told(tmp_path, monkeypatch, terminal=False).splitlines()
    assert "  norm=batch 0/2 runs" in lines
    assert re.fullmatch(r"  norm=none 2/2 runs, median accuracy \d+%", lines[-2])
    assert re.fullmatch(r"  norm=batch 2/2 runs, median accuracy \d+%", lines[-1])
    assert not [line for line in lines if "\x1b" in line]


def test_on_a_terminal_each_arm_has_a_bar(tmp_path, monkeypatch):
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", told(tmp_path, monkeypatch, terminal=True)).replace("\r", "\n")
    assert "norm=none 2/2 runs" in text
    assert re.search(r"norm=batch 2/2 runs, median accuracy \d+% ━+", text)
    assert "4/4 runs, epoch 2/2, best " in text
    assert max(map(len, text.splitlines()[1:])) <= 80  # after the folder


def test_many_arms_are_told_of_together(tmp_path, monkeypatch):
    rates = ",".join(str(0.01 * k) for k in range(1, 10))
    text = told(tmp_path, monkeypatch, False, treatment="lr", control="0.01", lr=rates, norms="batch", seeds=1)
    assert "9/9 runs" in text
    assert "lr=" not in text


@pytest.mark.parametrize(
    ("asked", "labels"),
    [
        ({}, ["norm=none", "norm=batch"]),
        ({"treatment": "lr", "lr": "0.1,0.01", "control": "0.1"}, ["lr=0.1", "lr=0.01"]),
    ],
)
def test_arms_are_the_treatments_and_a_diverged_run_counts_as_guessing(asked, labels):
    study = Study.make({**STUDY, **asked, "seeds": 3})
    plan = make_plan(study)
    tally = Tally(study, plan)
    assert list(tally.planned) == labels
    assert sum(tally.planned.values()) == study.n_runs
    assert tally.told(labels[0]) == f"0/{study.n_runs // 2} runs"
    for ensemble in plan:
        n = len(ensemble.runs)
        last = np.where(np.arange(n) == 0, np.nan, 0.9)
        values = {"test_accuracy": np.stack([np.zeros(n), last], 1)}
        status = np.where(np.isnan(last), Status.DIVERGED, Status.DONE)
        tally.add(ensemble, Curves(values, status, np.full(n, -1), 1.0))
    assert ", median accuracy 90%" in tally.told(labels[-1])
    assert any(re.search(r" diverged$", tally.told(label)) for label in labels)
    assert min(min(found) for found in tally.accuracies.values()) == 0.1


def test_runs_that_diverged_are_told_and_the_best_is_no_worse_than_guessing(tmp_path, monkeypatch):
    lines = told(tmp_path, monkeypatch, terminal=False, lr="1e30", norms="none").splitlines()
    assert re.fullmatch(r"  norm=none 2/2 runs, median accuracy 10%, (all|1) diverged", lines[-1])
    assert float(lines[-2].rpartition(" ")[2][:-1]) >= 10
