"""What is handed out: the wheel, the sdist, their version, and what they say they need."""

from __future__ import annotations

import ast
import email
import importlib.metadata
import re
import subprocess
import sys
import tarfile
from pathlib import Path

from packaging.requirements import Requirement

from tests import distributions
from tests.conftest import ROOT

PACKAGE = ROOT / "bnstudy"
# Modules that bear another name than the package that brings them.
BROUGHT_BY = {"PIL": "pillow", "sklearn": "scikit-learn"}


def declared(requirements: list[str]) -> set[str]:
    return {Requirement(text).name.lower() for text in requirements}


def imported(path: Path) -> set[str]:
    """The packages whose modules a file imports, wherever in it, by name or by import_module."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            found |= {argument.value for argument in node.args if isinstance(argument, ast.Constant)}
    tops = {name.partition(".")[0] for name in found} - set(sys.stdlib_module_names) - {"bnstudy"}
    return {BROUGHT_BY.get(top, top).lower().replace("_", "-") for top in tops}


def test_everything_imported_is_declared_and_everything_declared_imported():
    needed = declared(distributions.PROJECT["dependencies"])
    extras = distributions.PROJECT["optional-dependencies"]
    optional = set().union(*(declared(extras[name]) for name in ("dask", "parquet", "tensorboard")))
    used = set().union(*map(imported, PACKAGE.rglob("*.py")))
    assert used - optional - {"ipython"} == needed  # wherever a notebook runs
    assert not needed & optional
    for folder in ("tests", "benchmarks", "docs"):
        used = set().union(*map(imported, (ROOT / folder).rglob("*.py")))
        ours = {path.stem.replace("_", "-") for path in (ROOT / folder).rglob("*.py")} | {"tests", "benchmarks"}
        ours |= {"clustered-plugin", "generate"}  # which a test writes; the folder of what makes the documentation
        assert used - ours <= set().union(needed, *map(declared, extras.values())), folder


def test_an_import_is_seen_wherever_it_stands(tmp_path):
    file = tmp_path / "module.py"
    file.write_text("import a.b, os\ndef f():\n    from PIL import Image\n    importlib.import_module('c.d')\n")
    assert imported(file) == {"a", "pillow", "c"}


def test_one_version_everywhere():
    version = distributions.PROJECT["version"]
    assert re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.M)[1] == version
    released = re.findall(r"^## (\d\S*)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert released[0] == version
    metadata = distributions.contents(distributions.wheel())[f"bnstudy-{version}.dist-info/METADATA"]
    assert email.message_from_bytes(metadata)["Version"] == version
    texts = [path.read_text() for path in PACKAGE.rglob("*.py")]
    assert not any(re.search(rf"[\"']{re.escape(version)}[\"']", text) for text in texts)  # asked, not written again


def test_the_changelog_is_as_people_keep_one():
    text = (ROOT / "CHANGELOG.md").read_text()
    assert "keepachangelog.com" in text
    dates = re.findall(r"^## \d+\.\d+\.\d+ - (\d{4}-\d\d-\d\d)$", text, re.M)
    assert dates == sorted(dates, reverse=True)
    assert len(dates) == len(re.findall(r"^## \d", text, re.M)) >= 2
    kinds = set(re.findall(r"^### (.+)$", text, re.M))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_wheel_holds_the_package_and_its_studies_and_nothing_else():
    holds = distributions.contents(distributions.wheel())
    there = {name: text for name, text in holds.items() if "dist-info" not in name}
    tracked = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard", "bnstudy"], cwd=ROOT,
                             capture_output=True, text=True, check=True).stdout.split("\0")  # fmt: skip
    expected = {name: (ROOT / name).read_bytes() for name in tracked if name and (ROOT / name).exists()}
    expected |= {f"bnstudy/{path.relative_to(ROOT)}": path.read_bytes() for path in (ROOT / "studies").glob("*.*")}
    assert there == expected
    assert {"py.typed", "__main__.py", "training/replicas/lanes/cpp/lanes.h", "studies/init_sweep.toml",
            "analysis/report/templates/page.html"} <= {name.removeprefix("bnstudy/") for name in there}  # fmt: skip


def test_the_sdist_gives_the_same_wheel_and_holds_no_results(tmp_path):
    from hatchling.builders.wheel import WheelBuilder

    (direct,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    assert distributions.contents(Path(direct)) == distributions.contents(distributions.wheel())
    with tarfile.open(distributions.sdist()) as file:
        names = [name.partition("/")[2] for name in file.getnames()]
    assert {name.partition("/")[0] for name in names} == {
        "bnstudy", "studies", "pyproject.toml", "README.md", "LICENSE", "CITATION.cff", "CHANGELOG.md", "PKG-INFO",
        ".gitignore",
    }  # fmt: skip
    assert not [name for name in names if name.endswith((".nc", ".pyc", ".jsonl"))]


def test_what_is_installed_says_so_and_starts_as_a_module(tmp_path):
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}

    def start(*arguments):
        command = [sys.executable, "-m", "bnstudy", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    found = start("--version")
    assert (found.returncode, found.stdout) == (0, f"bnstudy {importlib.metadata.version('bnstudy')}\n")
    found = start("list", "nonsense")
    assert found.returncode == 2
    assert len(found.stderr.splitlines()) == 1
