"""What the hosting site reads: workflows that call the Makefile, templates of issues, who may do what."""

from __future__ import annotations

import re

from tests import distributions
from tests.conftest import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = {path.name: path.read_text() for path in (GITHUB / "workflows").glob("*.yml")}
MAKEFILE = (ROOT / "Makefile").read_text()


def test_workflows_call_targets_of_the_makefile():
    called = {target for text in WORKFLOWS.values() for target in re.findall(r"run: make ([\w-]+)", text)}
    assert {"test", "test-oldest", "dist", "test-installed", "docs"} <= called
    assert called <= set(re.findall(r"^([\w-]+):", MAKEFILE, re.M))
    phony = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.M)[1].split()
    assert called <= set(phony)


def test_workflows_may_only_read_but_for_the_one_job_that_publishes():
    for name, text in WORKFLOWS.items():
        assert re.search(r"^permissions:\n  contents: read\n\n", text, re.M), name
        written = re.findall(r"^ +([\w-]+): write", text, re.M)
        assert written == (["id-token"] if name == "release.yml" else [])
        for action, at in re.findall(r"uses: (\S+)@(\S+)", text):
            assert re.fullmatch(r"[0-9a-f]{40}", at) or action == "pypa/gh-action-pypi-publish", action


def test_the_pythons_that_are_tested_are_those_that_are_promised():
    tested = re.search(r"python: \[(.+)\]", WORKFLOWS["tests.yml"])[1].replace('"', "").split(", ")
    promised = re.findall(r"Python :: (3\.\d+)", " ".join(distributions.PROJECT["classifiers"]))
    assert tested == promised
    assert distributions.PROJECT["requires-python"] == f">={promised[0]}"


def test_templates_ask_for_commands_that_there_are():
    texts = [path.read_text() for path in (*GITHUB.rglob("*.yml"), *GITHUB.glob("*.md"), ROOT / "SECURITY.md")]
    named = {name for text in texts for name in re.findall(r"`bnstudy ([a-z][\w-]*)", text)}
    assert {"doctor", "verify", "judge"} <= named
    commands = {path.stem.replace("_", "-") for path in (ROOT / "bnstudy" / "cli").glob("*.py")}
    assert named <= commands
