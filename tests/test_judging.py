"""docs/howto/judge.md: its commands and Python run on tables as those tools write them, and say what stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bnstudy.cli.app import main

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "howto" / "judge.md").read_text()
COMMANDS = re.findall(r"```bash\n(bnstudy judge .*?)\n```", PAGE)
EPOCHS = 10
GAINS = {("plain", "good"): 0.0, ("new", "good"): 0.1, ("plain", "poor"): 0.0, ("new", "poor"): 1.5}


@pytest.fixture
def tables(tmp_path, monkeypatch, rng) -> Path:
    """32 runs: as one long table, as W&B's chart, and as a file a run of TensorBoard, Lightning and Keras."""
    monkeypatch.chdir(tmp_path)
    steps, long, wide = np.arange(1, EPOCHS + 1), [], {"Step": np.arange(1, EPOCHS + 1)}
    for folder in ("tensorboard", "keras", "lightning"):
        (tmp_path / folder).mkdir()
    for seed in range(8):
        start = rng.normal(-1.5, 0.05)
        for (method, level), gain in GAINS.items():
            error = 2 ** (start - 0.1 * steps - gain + rng.normal(0, 0.02, EPOCHS))
            accuracy = np.round(1 - error, 3)
            init, noise = {"good": ("default", 0), "poor": ("small", 1)}[level]
            name = f"{method}_{init}_{seed}"
            long += [(method, noise, seed, step, value) for step, value in zip(steps, accuracy, strict=True)]
            wide |= {f"{name} - val_accuracy{end}": accuracy for end in ("", "__MIN", "__MAX")}
            pd.DataFrame({"Wall time": 1.0, "Step": steps, "Value": accuracy}).to_csv(
                f"tensorboard/run-{name}-tag-val_accuracy.csv", index=False)  # fmt: skip
            pd.DataFrame({"epoch": steps, "loss": error, "val_accuracy": accuracy}).to_csv(
                f"keras/{name}.csv", index=False)  # fmt: skip
            (tmp_path / "lightning" / name).mkdir()
            rows = [
                {"epoch": step, "step": 10 * step, "val_acc": value}
                for step, value in zip(steps, accuracy, strict=True)
            ]
            rows += [{"epoch": step, "step": 10 * step - 5, "train_loss": 1.0} for step in steps]
            pd.DataFrame(rows).sort_values("step").to_csv(f"lightning/{name}/metrics.csv", index=False)
    pd.DataFrame(long, columns=["method", "noise", "seed", "epoch", "accuracy"]).to_csv("runs.csv", index=False)
    pd.DataFrame(wide).to_csv("wandb.csv", index=False)
    names = [name.removesuffix(" - val_accuracy") for name in wide if name.endswith("accuracy")]
    configs = [(name, "finished", *name.split("_"), 0.9) for name in reversed(names)]
    pd.DataFrame(configs, columns=["Name", "State", "method", "init", "seed", "val_accuracy"]).to_csv(
        "wandb-runs.csv", index=False)  # fmt: skip
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command.split()[2:5]))
def test_every_command_answers(tables, capsys, command):
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(command)[1:])
    out, err = capsys.readouterr()
    assert (ended.value.code or 0, err) == (0, "")
    assert "read 2 arms × 2 conditions, 32 runs of 10 steps, 320 values" in out
    place = "noise 1" if " runs.csv" in command else "small"
    assert re.search(rf"new matters mainly at {place}: there the error is 2\.[6-9] times smaller", out)


def test_the_python_runs(tables, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(code, {})
    out = capsys.readouterr().out
    assert "32 runs" in out
    assert "mainly" in out


def test_there_are_as_many_commands_as_ways():
    assert len(COMMANDS) == 6
