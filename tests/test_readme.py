"""Every command and every example of the README is run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest
from bnstudy.analysis.figures import style
from bnstudy.cli import main

from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.S)
LINES = [line.split("#")[0].strip() for kind, text in BLOCKS if kind == "bash" for line in text.splitlines()]
COMMANDS = [line.removeprefix(".venv/bin/") for line in LINES]
BNSTUDY = [command for command in COMMANDS if command.startswith("bnstudy")]
PYTHON = [text for kind, text in BLOCKS if kind == "python"]


def run(arguments: list[str], folder) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MPLBACKEND": "agg", "PYTHONPATH": os.pathsep.join(map(str, (folder, ROOT)))}
    return subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("readme")


@pytest.mark.slow
@pytest.mark.usefixtures("few_figures")
def test_the_commands_in_their_order_then_the_examples(folder, monkeypatch, capsys):
    assert len(BNSTUDY) == 6
    monkeypatch.chdir(folder)
    monkeypatch.setattr(style, "METADATA", {"png": style.METADATA["png"]})
    for command in BNSTUDY:
        arguments = shlex.split(command)[1:]
        if arguments[0] in ("baseline", "init-sweep") and "digits" not in arguments:
            arguments.append("--dry-run")  # the real ones take MNIST and hours
        elif arguments[0] == "init-sweep":
            arguments += ["--train-size", "300", "--epochs", "3", "--jobs", "1"]
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert not ended.value.code, (command, capsys.readouterr().err)
    assert (folder / "pictures" / "init-sweep" / "accuracy-by-condition.png").exists()
    assert (folder / "results" / "init-sweep" / "report.html").exists()
    assert (folder / "tables" / "init-sweep-curves.csv").exists()
    running, adding = PYTHON
    found = run([sys.executable, "-W", "error", "-c", running], folder)
    assert found.returncode == 0, found.stderr
    (folder / "my_inits.py").write_text(adding)
    use = "import my_inits, bnstudy; s = bnstudy.Study.make(dict(inits='two-point:0.2', dataset='digits', models='mlp',"
    use += " seeds=1, epochs=1)); print(float(bnstudy.run(s, 'results/two').curves.weight_norm.max()))"
    found = run([sys.executable, "-c", use], folder)
    assert found.returncode == 0, found.stderr
    weights = 64 * 256 + 256 * 128 + 128 * 10
    assert float(found.stdout) == pytest.approx(0.2 * weights**0.5, rel=0.05)  # after one short epoch
    shutil.rmtree(folder / "results")


def test_the_other_commands_are_there():
    others = [command for command in COMMANDS if command and not command.startswith("bnstudy")]
    assert others == ["pip install ."]
    found = subprocess.run(["make", "-n", "demo", "docs"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "bnstudy" in found.stdout
    assert "sphinx" in found.stdout


def test_it_is_short():
    assert len(README.encode()) < 9000


def test_its_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)]+)\)", README):
        path, _, heading = target.partition("#")
        assert target.startswith("https://") or (ROOT / path).exists(), target
        if heading:
            titles = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(), re.M)
            assert heading in {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_row_of_a_table_has_as_many_cells_as_its_header():
    for page in (
        ROOT / "README.md",
        *ROOT.glob("docs/[thef]*/**/*.md"),
        *ROOT.glob("studies/*.md"),
        *ROOT.glob("benchmarks/*.md"),
    ):
        cells = 0
        for line in page.read_text().splitlines():
            found = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
            assert found == cells or not (found and cells), (page.name, line)
            cells = found
