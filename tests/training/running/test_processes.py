"""Worker processes that cannot start say why, in one line and soon; a script without a main guard among them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
import torch
from bnstudy.study.errors import InputError
from bnstudy.study.study import Study
from bnstudy.training.running import processes
from bnstudy.training.running.execution import run

from tests.conftest import ROOT

SMALL = {
    "dataset": "digits",
    "train_size": 200,
    "models": "mlp",
    "norms": "none",
    "hidden": "8",
    "epochs": 1,
    "seeds": 1,
}
GUARDED = """
import bnstudy, sys
from bnstudy.study.errors import InputError
{before}
def main():
    study = bnstudy.Study.make({{**{small}, "inits": sys.argv[1]}})
    try:
        print(bnstudy.run(study, "s", jobs=2, wait=True).curves.status.values.min())
    except InputError as error:
        print(f"told: {{error}}")
{call}
"""
IF_MAIN = 'if __name__ == "__main__":\n    main()'
# A module that only this process has: it is in no file that a worker could find.
HIDDEN = """
import types
def hide():
    module = types.ModuleType("hidden")
    sys.modules["hidden"] = module
    exec("from bnstudy.study.registry import initializers\\n"
         "@initializers.register('ones', label='x')\\ndef ones(layer, value=None): layer.weight.fill_(1)",
         vars(module))
if __name__ == "__main__":
    hide()
"""
OWN = """
from bnstudy.study.registry import initializers
@initializers.register("ones", label="ones")
def ones(layer, value=None):
    layer.weight.fill_(1)
"""


def printed(folder, *, before: str = "", call: str = IF_MAIN, inits: str = "default") -> str:
    (folder / "script.py").write_text(GUARDED.format(before=before, call=call, small=SMALL))
    found = subprocess.run(
        [sys.executable, "script.py", inits], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert found.stderr == ""
    return found.stdout


@pytest.mark.slow
def test_a_script_without_a_main_guard_is_told(tmp_path):
    """It would start the study again in every worker, and wait there for the lock that its parent holds."""
    told = printed(tmp_path, call="main()")
    assert told.startswith('told: jobs: put the call under `if __name__ == "__main__":`')
    assert told.count("\n") == 1


@pytest.mark.slow
def test_what_a_script_registers_is_there_in_its_workers(tmp_path):
    assert printed(tmp_path, before=OWN, inits="ones") == "1\n"


@pytest.mark.slow
def test_a_module_that_workers_cannot_import_is_told(tmp_path):
    told = printed(tmp_path, before=HIDDEN, inits="ones")
    assert told.startswith("told: workers cannot train this study: plugin: 'hidden' cannot be imported")


def test_what_a_notebook_registered_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    from bnstudy.study import required_plugins
    from bnstudy.study.sources import NOTEBOOK, Origin

    monkeypatch.setattr(required_plugins, "origins", lambda study: (Origin(NOTEBOOK, "ab", False),))
    with pytest.raises(InputError, match="what a notebook registered; put it into a module") as caught:
        run(Study.make(SMALL), tmp_path / "s", jobs=2)
    assert caught.value.key == "jobs"
    assert not (tmp_path / "s").exists()


@pytest.mark.slow
def test_workers_that_would_add_up_otherwise_are_refused(tmp_path):
    torch.set_flush_denormal(True)
    try:
        with pytest.raises(InputError, match=r"as usual there, flush_denormal=True here"):
            run(Study.make(SMALL), tmp_path / "s", jobs=2)
    finally:
        torch.set_flush_denormal(False)


def _die(setup, pipe):
    os.kill(os.getpid(), signal.SIGKILL)


def _leave(setup, pipe):
    os._exit(3)


@pytest.mark.parametrize(
    ("ending", "told"), [pytest.param(_die, "killed by SIGKILL", marks=pytest.mark.slow), (_leave, "exit code 3")]
)
def test_workers_that_die_as_they_start_end_the_study(tmp_path, monkeypatch, ending, told):
    monkeypatch.setattr(processes, "_work", ending)
    with pytest.raises(InputError, match=rf"a worker process ended as it started \({told}\)"):
        run(Study.make(SMALL), tmp_path / "s", jobs=2)
