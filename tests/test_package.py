"""The package: public names, the wheel, what stands in the repository."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import bnstudy
import pytest
from bnstudy.study.study import Study

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
    assert study.question
    assert study.predictions
    assert study.name == path.stem.replace("_", "-")


def test_the_shipped_studies_are_table_1():
    for name in ("baseline", "init_sweep"):
        study = Study.load(ROOT / "studies" / f"{name}.toml")
        table_1 = (study.lr, study.batch_size, study.weight_decay, study.momentum, study.epochs)
        assert table_1 == ((0.01,), (100,), (0.0,), 0.9, 50)


def test_a_study_shows_itself_in_a_notebook():
    html = Study.make({"title": "<script>"})._repr_html_()
    assert "&lt;script&gt;" in html
    assert "runs" in html
