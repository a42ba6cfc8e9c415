"""Every command and every example of docs/howto and docs/index.md is run, or, where that takes hours, planned."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
import sys
import warnings
from pathlib import Path

import matplotlib as mpl
import pytest
from bnstudy.analysis.figures import style
from bnstudy.cli.app import main
from bnstudy.cli.demo import SHOWN
from bnstudy.storage.opening import open_results
from bnstudy.study import plugin_modules, registry

from tests.conftest import ROOT

DOCS = ROOT / "docs"
QUICK = ["--train-size", "300", "--epochs", "3", "--jobs", "1"]
WHOLE = ("init-sweep", "baseline")  # of MNIST, unless digits are asked for: hours


def blocks(page: str) -> list[tuple[str, str]]:
    """Kind and text of a page's blocks of code, in order."""
    return re.findall(r"^```(bash|python|toml)\n(.*?)^```", (DOCS / page).read_text(), re.M | re.S)


def bnstudy(line: str) -> str:
    """Run a command of a page, made quick; what it prints."""
    arguments = shlex.split(line, comments=True)[1:]
    if arguments[0] in WHOLE and "--dry-run" not in arguments:
        arguments += QUICK if "digits" in arguments else ["--dry-run"]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main(arguments)
    assert not ended.value.code, (line, err.getvalue())
    return out.getvalue()


def run(page: str, python: bool = True) -> dict[str, str]:
    """Run the blocks of a page in their order, in this folder; what each command printed."""
    said: dict[str, str] = {}
    names: dict[str, object] = {}
    for kind, text in blocks(page):
        for line in text.splitlines() if kind == "bash" else ():
            if line.startswith("bnstudy"):
                said[line] = bnstudy(line)
        if kind == "python" and python:
            exec(compile(text, page, "exec"), names)
    return said


@pytest.fixture
def folder(tmp_path, monkeypatch, few_figures):
    """A folder of its own, in which pictures are drawn once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(style, "METADATA", {"png": style.METADATA["png"]})
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # which the command line sets
    with mpl.rc_context({"backend": "agg"}):
        yield tmp_path


@pytest.mark.slow
def test_every_day(folder):
    said = run("howto/everyday.md")
    assert len(said) == 19
    assert (folder / "figures" / "init-sweep" / "accuracy-by-condition.png").exists()
    assert (folder / "results" / "init-sweep" / "report.html").exists()
    assert (folder / "tables" / "init-sweep-curves.csv").exists()
    assert open_results("results/init-sweep").sizes["seed"] == 9


@pytest.mark.slow
def test_comfort(folder, monkeypatch):
    monkeypatch.setattr("bnstudy.cli.demo.SHOWN", {**SHOWN, "train_size": 300, "epochs": 3})
    monkeypatch.setenv("BNSTUDY_JOBS", "1")
    said = run("howto/comfort.md")
    assert len(said) == 11
    assert "not there" in said["bnstudy doctor"]
    assert "reference" in said["bnstudy explain mainly"]
    assert "init-sweep" in said["bnstudy explain mainly results/demo/init-sweep"]
    assert (folder / "results/demo/init-sweep/report.html").exists()
    for line, text in said.items():
        if line.endswith("--json"):
            json.loads(text)


@pytest.mark.slow
def test_watching(folder, monkeypatch, capsys):
    """What it shows while another process trains has tests of its own, in tests/cli."""
    monkeypatch.setitem(globals(), "QUICK", [*QUICK, "--models", "mlp", "--hidden", "8"])
    said = run("howto/watch.md")
    assert len(said) == 7
    assert "results/init-sweep/report.html" in said["bnstudy report results/init-sweep --watch"]
    assert (folder / "page.html").stat().st_size > 100_000
    assert (folder / "events" / "mlp" / "batch" / "scaled-normal:1" / "seed-3").is_dir()
    assert (folder / "figures" / "init-sweep" / "gain-by-condition.png").exists()
    assert "Batch Normalization" in capsys.readouterr().out


@pytest.mark.slow
def test_reading_the_curves(folder, capsys):
    run("howto/read-curves.md")
    assert (folder / "mine.png").stat().st_size > 20_000
    assert "scaled-normal:0.01" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_another_treatment():
    (study,) = (text for kind, text in blocks("howto/own-treatment.md") if kind == "toml")
    Path("adam.toml").write_text(study.replace("epochs = 10", "epochs = 2"))
    said = [
        bnstudy(line) for kind, text in blocks("howto/own-treatment.md") if kind == "bash" for line in text.splitlines()
    ]
    assert len(said) == 6
    assert "scaled-normal:0.01" in said[3]
    assert "At a hundredth of He's scale Adam" in " ".join(said[3].split())


@pytest.mark.usefixtures("folder")
def test_own_data_are_listed_and_planned():
    (code,) = (text for kind, text in blocks("howto/own-data.md") if kind == "python")
    Path("my_data.py").write_text(code)
    try:
        said = run("howto/own-data.md", python=False)
    finally:
        registry.datasets._entries.pop("tints")
        plugin_modules._named.remove("my_data")
        del sys.modules["my_data"]
    assert all("tints" in text for text in said.values())
    assert len(said) == 2


@pytest.mark.usefixtures("folder")
def test_the_first_page(monkeypatch):
    monkeypatch.setitem(globals(), "QUICK", [*QUICK, "--models", "mlp", "--hidden", "8", "--quiet"])
    said = run("index.md")
    assert "verdict" in said["bnstudy analyze results/init-sweep"].lower()
