"""Installed by each of the usual installers into nothing, and used outside any checkout.

Each installation takes gigabytes of PyTorch, for as long as its test runs.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests import distributions
from tests.conftest import ROOT

pytestmark = pytest.mark.dist
TRAINING = ("baseline", "init-sweep", "run", "demo")


def commands() -> list[list[str]]:
    """The README's commands, each training made small."""
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    lines = [line.split("#")[0].strip().removeprefix(".venv/bin/") for block in blocks for line in block.splitlines()]
    found = [shlex.split(line) for line in lines if line.startswith("bnstudy ")]
    for arguments in found:
        if arguments[1] in TRAINING and "digits" in arguments:
            arguments += ["--train-size", "300", "--epochs", "3", "--jobs", "1"]
        elif arguments[1] in TRAINING and arguments[1] != "demo":
            arguments.append("--dry-run")  # the real ones take MNIST and hours
    return found


def by_pip(wheel: Path, home: Path, run) -> Path:
    venv.create(home / "environment", with_pip=True)
    run(home / "environment" / "bin" / "python", "-m", "pip", "install", "--quiet", wheel)
    return home / "environment" / "bin" / "bnstudy"


def by_pipx(wheel: Path, home: Path, run) -> Path:
    run(sys.executable, "-m", "pipx", "install", wheel)
    return home / ".local" / "bin" / "bnstudy"


def by_uv(wheel: Path, home: Path, run) -> Path:
    run(sys.executable, "-m", "uv", "tool", "install", "--python", sys.executable, wheel)
    return home / ".local" / "bin" / "bnstudy"


@pytest.fixture
def home(tmp_path):
    """The home of somebody who has nothing; what is installed there goes with the test."""
    yield tmp_path / "home"
    shutil.rmtree(tmp_path / "home")


@pytest.mark.parametrize("install", [by_pip, by_pipx, by_uv])
def test_the_readme_s_commands_run_outside_any_checkout(install, home):
    folder = home / "work"
    folder.mkdir(parents=True)
    # What installers keep to share is shared; all else is new.
    caches = {"UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv"))}
    hidden = ("PYTHONPATH", "VIRTUAL_ENV", "PIPX_", "UV_TOOL_", "XDG_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    environment |= {"HOME": str(home), "TMPDIR": str(home), "MPLBACKEND": "agg", **caches}

    def run(*command) -> str:
        told = subprocess.run(
            list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert told.returncode == 0, (command, told.stdout[-2000:], told.stderr[-2000:])
        return told.stdout

    bnstudy = install(distributions.wheel(), home, run)
    assert run(bnstudy, "--version") == f"bnstudy {distributions.PROJECT['version']}\n"
    python = bnstudy.resolve().parent / "python"
    place = run(python, "-c", "import bnstudy; print(bnstudy.__file__)").strip()
    assert Path(place).is_relative_to(home)
    assert run(python, "-m", "bnstudy", "list", "inits") == run(bnstudy, "list", "inits")
    assert len(commands()) >= 6
    for _, *arguments in commands():
        run(bnstudy, *arguments)
    assert list((folder / "results").rglob("curves.nc"))
    assert list(folder.rglob("*.png"))
