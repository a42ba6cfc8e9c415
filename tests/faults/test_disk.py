"""The disk says no: an I/O error at any step, a disk that is full, a folder that cannot be written, no home."""

from __future__ import annotations

import builtins
import errno
import io
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bnstudy.storage.store import Store
from bnstudy.study.errors import InputError
from bnstudy.study.study import Study
from bnstudy.training.running.execution import run

from tests.commands import bnstudy
from tests.faults.studies import TINY, assert_unharmed, numbers
from tests.mounted import in_a_namespace


class Disk:
    """Counts what is opened for writing, flushed and renamed in a folder, and refuses the `fails`-th of them."""

    def __init__(self, folder: Path, fails: int, number: int) -> None:
        self.folder, self.fails, self.number, self.count = str(folder), fails, number, 0

    def check(self, path: object) -> None:
        if isinstance(path, int) or str(path).startswith(self.folder):
            self.count += 1
            if self.count == self.fails:
                raise OSError(self.number, os.strerror(self.number), None if isinstance(path, int) else str(path))

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for owner, name in (
            (io, "open"),
            (builtins, "open"),
            (os, "fsync"),
            (os, "replace"),
            (os, "open"),
            (os, "write"),
        ):
            self._wrap(monkeypatch, owner, name)

    def _wrap(self, monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> None:
        real = getattr(owner, name)

        def checked(path, *arguments, **options):
            self.check(path)
            return real(path, *arguments, **options)

        monkeypatch.setattr(owner, name, checked)


def steps_of(begun: Path, tmp_path: Path) -> int:
    """How many steps finishing the begun study takes."""
    folder = Path(shutil.copytree(begun, tmp_path / "counted"))
    with pytest.MonkeyPatch.context() as patched:
        disk = Disk(folder, 0, 0)
        disk.install(patched)
        run(Study.make(TINY), folder)
    return disk.count


@pytest.fixture(scope="module")
def begun(tmp_path_factory) -> tuple[Path, Path]:
    """A study of two ensembles with one still to be trained, and the same study finished."""
    whole = tmp_path_factory.mktemp("disk") / "whole"
    run(Study.make(TINY), whole)
    half = Path(shutil.copytree(whole, whole.with_name("half")))
    store = Store.open(half)
    store.path(store.plan[1]).unlink()
    return half, whole


@pytest.mark.slow
@pytest.mark.parametrize(
    ("every", "number"),
    [
        (4, errno.ENOSPC),
        *(
            pytest.param(1, n, marks=pytest.mark.faults, id=errno.errorcode[n])
            for n in (errno.ENOSPC, errno.EIO, errno.EACCES)
        ),
    ],
)
def test_an_io_error_at_any_step_is_one_line_and_loses_nothing(begun, tmp_path, monkeypatch, every, number):
    half, whole = begun
    steps = steps_of(half, tmp_path)
    assert steps > 10
    wanted = numbers(whole)
    refused = 0
    for fails in range(1, steps + 1, every):
        folder = Path(shutil.copytree(half, tmp_path / f"study-{fails}"))
        with monkeypatch.context() as patched:
            Disk(folder, fails, number).install(patched)
            try:
                run(Study.make(TINY), folder)
            except InputError as error:
                refused += 1
                assert os.strerror(number).lower() in str(error).lower(), fails
                assert "\n" not in str(error)
        assert not [path for path in folder.rglob("*") if path.name.endswith(".tmp")], fails
        assert Store.open(folder).path(Store.open(folder).plan[0]).exists(), fails
        run(Study.make(TINY), folder)
        assert_unharmed(folder, wanted)
        shutil.rmtree(folder)
    tried = len(range(1, steps + 1, every))
    print(f"\n{errno.errorcode[number]} at {tried} of {steps} steps: {refused} refused in one line, nothing lost")


# ------------------------------------------------------------------ a disk of one's own


FULL = """
mount -t tmpfs -o size=$2k none "$1" || exit 9
"$4" -c "from bnstudy.cli import main; main()" run "$3" --out "$1/study" --jobs 1 --quiet
echo "code $?" >&2
find "$1" -name ".*.tmp" >&2
mount -o remount,size=64m "$1" || exit 9
"$4" -c "from bnstudy.cli import main; main()" run "$3" --out "$1/study" --jobs 1 --quiet || exit 8
cp -r "$1/study" "$5"
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "sizes",
    [(44,), pytest.param((*range(4, 120, 4),), marks=pytest.mark.faults, id="every size")],
)
def test_a_full_disk_is_one_line_and_loses_nothing(begun, tmp_path, sizes):
    """A file system of so many KiB, which then grows."""
    wanted = numbers(begun[1])
    study, mounted = tmp_path / "study.toml", tmp_path / "disk"
    study.write_text(Study.make(TINY).to_toml())
    mounted.mkdir()
    refused = 0
    for size in sizes:
        copy = tmp_path / f"copy-{size}"
        found = in_a_namespace(FULL, mounted, size, study, sys.executable, copy)
        assert found.returncode == 0, found.stderr
        *lines, code = found.stderr.splitlines()
        if code != "code 0":
            refused += 1
            assert code == "code 2", found.stderr
            assert len(lines) == 1, found.stderr
            assert lines[0].startswith("bnstudy: --out: "), lines
            assert "no space left" in lines[0] or "disk full" in lines[0], lines
        else:
            assert lines == []
        assert_unharmed(copy, wanted)
    assert refused
    print(
        f"\na full disk of {sizes[0]} to {sizes[-1]} KiB: {refused} of {len(sizes)} refused in one line, nothing lost"
    )


READ_ONLY = """
mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 9
"$4" -c "from bnstudy.cli import main; main()" run "$2" --out "$1/$3" --jobs 1 --quiet
echo "code $?"
"$4" -c "from bnstudy.cli import main; main()" status "$1/half"
"""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("new", marks=pytest.mark.slow),
        *(pytest.param(one, marks=pytest.mark.faults) for one in ("half", "whole")),
    ],
)
def test_a_read_only_folder_is_one_line(begun, tmp_path, name):
    """Refused where something is to be written; what is there can still be looked at."""
    study, disk = tmp_path / "study.toml", tmp_path / "disk"
    study.write_text(Study.make(TINY).to_toml())
    for source in begun:
        shutil.copytree(source, disk / source.name)
    before = {path: path.read_bytes() for path in disk.rglob("*") if path.is_file()}
    found = in_a_namespace(READ_ONLY, disk, study, name, sys.executable)
    assert "code 2" in found.stdout, found.stderr
    assert found.stderr.count("\n") == 1
    assert "read-only file system" in found.stderr
    assert "pending    1" in found.stdout
    assert {path: path.read_bytes() for path in disk.rglob("*") if path.is_file()} == before


# ------------------------------------------------------------------ no home, no output


def bare(**changes: str) -> dict[str, str]:
    """An environment without a home or anything that stands in for one."""
    dropped = ("HOME", "USER", "LOGNAME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")
    return {name: value for name, value in os.environ.items() if name not in dropped} | changes


@pytest.mark.parametrize(
    "home",
    [
        pytest.param(None, marks=pytest.mark.slow),
        *(pytest.param(h, marks=pytest.mark.faults) for h in ("/nonexistent/home", "/dev/null", "/proc/none", "")),
    ],
)
def test_no_home_is_no_obstacle(begun, tmp_path, home):
    study = tmp_path / "study.toml"
    study.write_text(Study.make(TINY).to_toml())
    environment = bare() if home is None else bare(HOME=home)
    for command in (["doctor"], ["run", str(study), "--out", str(tmp_path / "s"), "--jobs", "1", "--quiet"]):
        found = bnstudy(tmp_path, *command, environment=environment)
        assert (found.returncode, found.stderr) == (0, ""), found.stderr
    assert_unharmed(tmp_path / "s", numbers(begun[1]))


def in_a_shell(arguments: list[object], redirected: str) -> subprocess.CompletedProcess[str]:
    """Run the command line with its streams redirected by a shell."""
    line = shlex.join([sys.executable, "-c", "from bnstudy.cli import main; main()", *map(str, arguments)])
    return subprocess.run(["sh", "-c", f"{line} {redirected}"], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "closed",
    [
        pytest.param("0<&- 1>&- 2>&-", marks=pytest.mark.slow),
        *(pytest.param(one, marks=pytest.mark.faults) for one in ("1>&-", "2>&-", "1>&- 2>&-", "0<&-")),
    ],
)
@pytest.mark.parametrize("command", ["run", "status"])
def test_closed_streams_are_no_obstacle(begun, tmp_path, closed, command):
    study = tmp_path / "study.toml"
    study.write_text(Study.make(TINY).to_toml())
    shutil.copytree(begun[0], tmp_path / "s")
    asked = {"run": ["run", study, "--out", tmp_path / "s", "--jobs", "1"], "status": ["status", tmp_path / "s"]}
    found = in_a_shell(asked[command], closed)
    assert found.returncode == 0, found.stderr
    assert "Traceback" not in found.stderr
    if command == "run":
        assert_unharmed(tmp_path / "s", numbers(begun[1]))


@pytest.mark.faults
@pytest.mark.parametrize("stream", ["1", "2"])
def test_a_full_output_is_one_line_and_the_study_is_stored(begun, tmp_path, stream):
    """/dev/full refuses every write, as a log file on a full disk does."""
    study = tmp_path / "study.toml"
    study.write_text(Study.make(TINY).to_toml())
    found = in_a_shell(["run", study, "--out", tmp_path / "s", "--jobs", "1"], f"{stream}>/dev/full")
    assert found.returncode in (0, 2)
    assert "Traceback" not in found.stderr
    assert found.stderr.count("bnstudy:") <= 1
    if found.returncode:
        assert bnstudy(tmp_path, "run", study, "--out", "s", "--jobs", "1", "--quiet").returncode == 0
    assert_unharmed(tmp_path / "s", numbers(begun[1]))
