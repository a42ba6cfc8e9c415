"""The package: public names, the wheel, what stands in the repository."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import bnstudy
import pytest
from bnstudy.cli.list import list_entries
from bnstudy.study.study import Study
from bnstudy.study.study_files import read_toml

from tests.conftest import ROOT


def test_public_names():
    for name in bnstudy.__all__:
        assert getattr(bnstudy, name) is not None
    assert dir(bnstudy) == sorted(bnstudy.__all__)
    with pytest.raises(AttributeError, match="nope"):
        bnstudy.nope  # noqa: B018


def test_importing_it_imports_no_torch():
    code = (
        "import sys, bnstudy; bnstudy.Study, bnstudy.open_results, bnstudy.report, bnstudy.export, bnstudy.__version__;"
    )
    code += "sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_its_version_is_that_of_what_is_installed():
    assert bnstudy.__version__ == importlib.metadata.version("bnstudy")


@pytest.mark.parametrize("path", sorted((ROOT / "studies").glob("*.toml")), ids=lambda path: path.name)
def test_study_files_are_valid_and_say_what_they_ask(path):
    study = Study.load(path)
    assert "title" in read_toml(path), f"{path.name}: give it a title, which `bnstudy list studies` shows"
    assert study.question, f"{path.name}: say in `question` what it asks"
    assert study.predictions, f"{path.name}: say in `predictions` what is expected, before it runs"
    named = path.stem.replace("_", "-")
    assert study.name == named, f"{path.name}: its `name` is {study.name!r}; after the file it is {named!r}"
    packed = (ROOT / "pyproject.toml").read_text()
    line = f'"studies/{path.name}" = "bnstudy/studies/{path.name}"'
    assert line in packed, f"add to force-include in pyproject.toml: {line}"


def test_a_study_file_without_a_title_is_listed_by_its_name(tmp_path, monkeypatch, capsys):
    (tmp_path / "signs.toml").write_text('inits = "zero"\n')
    monkeypatch.setattr("bnstudy.cli.list.shipped", lambda: {"signs": tmp_path / "signs.toml"})
    list_entries("studies")
    assert capsys.readouterr().out.split() == ["signs", "signs"]


def test_the_shipped_studies_are_table_1():
    for name in ("baseline", "init_sweep"):
        study = Study.load(ROOT / "studies" / f"{name}.toml")
        table_1 = (study.lr, study.batch_size, study.weight_decay, study.momentum, study.epochs)
        assert table_1 == ((0.01,), (100,), (0.0,), 0.9, 50)


def test_a_study_shows_itself_in_a_notebook():
    html = Study.make({"title": "<script>"})._repr_html_()
    assert "&lt;script&gt;" in html
    assert "runs" in html
