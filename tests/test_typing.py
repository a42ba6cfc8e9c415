"""Types as they reach a user: scripts that are checked against what the wheel holds, in strict mode."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests import distributions
from tests.conftest import ROOT

SCRIPTS = ROOT / "tests" / "typed"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """The wheel unpacked before everything else that can be imported, as an installation would have it."""
    site = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(distributions.wheel()) as file:
        file.extractall(site)
    return {**os.environ, "PYTHONPATH": str(site)}


@pytest.fixture
def project(tmp_path):
    """A folder of a user's, with both scripts."""
    shutil.copytree(SCRIPTS, tmp_path, dirs_exist_ok=True)
    return tmp_path


def mypy(project: Path, environment: dict[str, str]) -> set[tuple[str, int]]:
    """The files and lines in which mypy sees something."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-color-output", "user.py", "mistakes.py"]
    found = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert "checked 2 source files" in found.stdout, found
    return {(name, int(line)) for name, line in re.findall(r"^(\S+?):(\d+): error", found.stdout, re.M)}


def pyright(project: Path, environment: dict[str, str]) -> set[tuple[str, int]]:
    """The files and lines in which pyright sees something."""
    (project / "pyrightconfig.json").write_text(json.dumps({"include": ["."], "typeCheckingMode": "strict"}))
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    found = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    report = json.loads(found.stdout)
    assert report["summary"]["filesAnalyzed"] == 2
    return {(Path(told["file"]).name, told["range"]["start"]["line"] + 1) for told in report["generalDiagnostics"]}


@pytest.mark.parametrize("check", [mypy, pyright], ids=["mypy", "pyright"])
def test_a_typed_script_passes_and_every_mistake_is_seen(check, project, environment):
    lines = (SCRIPTS / "mistakes.py").read_text().splitlines()
    mistakes = {("mistakes.py", number) for number, line in enumerate(lines, 1) if line.endswith("# mistake")}
    assert len(mistakes) > 5
    seen = check(project, environment)
    assert mistakes <= seen
    assert not [place for place in seen if place[0] == "user.py"]
