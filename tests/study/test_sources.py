"""Where entries come from: a digest of the user's code changes with all local code that it reads, and with no other."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from bnstudy.study import sources
from bnstudy.study.registry import Registry

from tests.conftest import ROOT

PLUGIN = """
from bnstudy.study.registry import initializers
import json, helpers.deep

def later():
    from helpers import lazily

@initializers.register("mine", label="mine")
def mine(layer, value=None):
    "Mine."
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "helpers").mkdir()
    (tmp_path / "my_inits.py").write_text(PLUGIN)
    (tmp_path / "helpers" / "__init__.py").write_text("")
    (tmp_path / "helpers" / "deep.py").write_text("from . import lazily\nfrom .other import X\n")
    for name in ("lazily", "other", "unused"):
        (tmp_path / "helpers" / f"{name}.py").write_text("X = 1\n")
    (tmp_path / "json.py").write_text("")
    return tmp_path


def digest(folder) -> str:
    return sources._digest_of_files("my_inits", folder / "my_inits.py")


@pytest.mark.parametrize("name", ["my_inits", "helpers/__init__", "helpers/deep", "helpers/lazily", "helpers/other"])
def test_every_local_module_that_is_imported_counts(folder, name):
    before = digest(folder)
    (folder / f"{name}.py").write_text((folder / f"{name}.py").read_text() + "\nY = 2\n")
    assert digest(folder) != before


def test_nothing_else_counts(folder, monkeypatch):
    before = digest(folder)
    (folder / "helpers" / "unused.py").write_text("X = 2\n")
    plugin = folder / "my_inits.py"
    plugin.write_bytes(plugin.read_bytes().replace(b"\n", b"\r\n"))
    assert digest(folder) == before
    # Of an installed plugin, whose neighbours are other packages, its own package alone.
    monkeypatch.setattr(sources, "_is_installed", lambda root: True)
    alone = digest(folder)
    (folder / "helpers" / "deep.py").write_text("X = 2\n")
    assert digest(folder) == alone != before


def test_odd_files_are_read_as_bytes(folder):
    (folder / "helpers" / "deep.py").write_bytes(b"x = (\0\xff")
    before = digest(folder)
    (folder / "helpers" / "deep.py").write_bytes(b"x = (\0\xfe")
    assert digest(folder) != before


def test_modules_that_import_each_other_are_read_once(folder):
    (folder / "helpers" / "other.py").write_text("import my_inits, helpers.deep\nfrom .... import far\nX = 1\n")
    assert digest(folder)


def test_an_entry_knows_who_registered_it():
    entries = Registry("fruit", "bnstudy.study.errors")
    entries.register("apple", label="Apple")(print)
    origin = entries["apple"].origin
    assert (origin.name, origin.is_module) == (__name__, True)


CODE = """
from bnstudy.study import required_plugins
from bnstudy.training.datasets import own_data
from bnstudy.study.registry import initializers
import my_inits
from bnstudy.study.study import Study
study = Study.make({"inits": "mine", "dataset": "digits"})
print(required_plugins.needed(study), required_plugins.modules(study), required_plugins.digests(Study.make({})) == "")
@initializers.register("own", label="own")
def own(layer, value=None):
    "Own."
    layer.weight.fill_(NUMBER)
print(required_plugins.digests(Study.make({"inits": "own"})))
"""


def test_scripts_and_notebooks_are_told_apart_from_modules(folder):
    """A notebook's code counts by what it does, a script's by its file."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])}

    def printed(*arguments: str) -> list[str]:
        command = [sys.executable, *arguments]
        found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return found.stdout.splitlines()

    (folder / "json.py").unlink()
    first, one = printed("-c", CODE.replace("NUMBER", "1"))
    assert first == "['my_inits'] ('my_inits',) True"
    assert one.startswith("notebook ")
    assert printed("-c", "x = 1\n" + CODE.replace("NUMBER", "1"))[1] == one
    assert printed("-c", CODE.replace("NUMBER", "2"))[1] != one
    (folder / "my; script.py").write_text(CODE.replace("NUMBER", "1"))
    assert printed(str(folder / "my; script.py"))[1].startswith("script my__script.py ")
