"""What a machine, a notebook or a shell has set, and what a user names: it works, or is one line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.commands import bnstudy
from tests.conftest import ROOT
from tests.mounted import in_a_namespace
from tests.synthetic import make_dataset

TINY = ("--dataset", "digits", "--train-size", "100", "--models", "mlp", "--hidden", "4", "--epochs", "1", "--seeds",
        "2", "--jobs", "1", "--quiet")  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    file = tmp_path_factory.mktemp("results") / "made-up.nc"
    make_dataset(seeds=8).to_netcdf(file)
    return file


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
        {"MPLBACKEND": "nonsense"},
        {"MPLCONFIGDIR": "/proc/none"},
        {"TERM": "dumb", "LC_ALL": "C", "COLUMNS": "0"},
    ],
    ids=["a notebook's backend", "no backend", "no folder for matplotlib", "a bare terminal"],
)
def test_figures_are_drawn_whatever_is_set(results, tmp_path, settings):
    found = bnstudy(tmp_path, "figures", results, "--only", "forest", "--out", "f", environment=os.environ | settings)
    assert (found.returncode, found.stderr) == (0, "")
    assert list((tmp_path / "f").rglob("forest.svg"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ü ñ 日本", "two words", "two\nlines", "d" * 250])
def test_a_folder_of_any_name_holds_a_study(tmp_path, name):
    environment = os.environ | {"LC_ALL": "C", "LANG": "C"}
    for command in (("init-sweep", *TINY, "--out", name), ("status", name), ("verify", name)):
        found = bnstudy(tmp_path, *command, environment=environment)
        assert (found.returncode, found.stderr) == (0, "")
    assert (tmp_path / name / "curves.nc").exists()


@pytest.mark.parametrize("name", ["d" * 300, "/".join(["d" * 200] * 30), "file", "file/x"])
def test_a_name_that_is_no_place_is_one_line(tmp_path, name):
    (tmp_path / "file").touch()
    found = bnstudy(tmp_path, "init-sweep", *TINY, "--out", name)
    assert (found.returncode, found.stdout, found.stderr.count("\n")) == (2, "", 1)
    assert found.stderr.startswith("bnstudy: --out: ")


@pytest.mark.slow
def test_a_study_behind_a_link_is_that_study(tmp_path):
    assert bnstudy(tmp_path, "init-sweep", *TINY, "--out", "s").returncode == 0
    (tmp_path / "link").symlink_to("s")
    for command in (("init-sweep", *TINY), ("report", "link")):
        found = bnstudy(tmp_path, *command, *(("--out", "link") if command[0] == "init-sweep" else ()))
        assert (found.returncode, found.stderr) == (0, "")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "s" / "report.html").exists()


READ_ONLY = """
mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 9
cd "$2"
"$3" -m bnstudy analyze "$1" --brief && "$3" -m bnstudy report "$1" --out page.html
"$3" -m bnstudy figures "$1" --only forest --out f; "$3" -m bnstudy report "$1"
"""


@pytest.mark.slow
def test_results_that_can_only_be_read_are_judged_drawn_and_told(results, tmp_path):
    folder, out = tmp_path / "study", tmp_path / "out"
    out.mkdir()
    folder.mkdir()
    shutil.copy(results, folder / "curves.nc")
    found = in_a_namespace(READ_ONLY, folder, out, sys.executable)
    assert {path.name for path in out.iterdir()} == {"page.html", "f"}
    (line,) = found.stderr.splitlines()
    assert "read-only file system" in line


@pytest.mark.slow
def test_a_user_without_a_home_or_a_name_trains(tmp_path):
    """No HOME, and no entry in passwd; what is kept lies among the temporary files."""
    user = ["unshare", "-U", "--map-user=4242", "--map-group=4242"]
    if not shutil.which("unshare") or subprocess.run([*user, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets no test be another user")
    nameless = ("HOME", "USER", "LOGNAME", "XDG_CACHE_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in nameless}
    (tmp_path / "tmp").mkdir()
    environment |= {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "tmp"), "CXX": "/bin/false"}
    command = [*user, sys.executable, "-m", "bnstudy", "init-sweep", *TINY, "--out", "s"]
    found = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")
    assert (tmp_path / "s" / "curves.nc").exists()
