"""Files that are absent or whole: what a killed process left goes, what a living one writes stays."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import warnings

import pytest
from bnstudy.cli.app import main
from bnstudy.storage import atomic
from bnstudy.study.errors import DataWarning, InputError

DIES = """
import os, pathlib, signal, sys
from bnstudy.storage import atomic

folder = atomic.temporary(pathlib.Path(sys.argv[1]) / "events")
folder.mkdir()
(folder / "one").write_text("half")

def write(path):
    path.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)

atomic.write_atomically(pathlib.Path(sys.argv[1]) / "page.html", write)
"""


def test_what_a_killed_process_left_goes_when_the_same_is_written_again(tmp_path):
    subprocess.run([sys.executable, "-c", DIES, str(tmp_path)], check=False)
    assert len(list(tmp_path.iterdir())) == 2
    atomic.write_text(tmp_path / "page.html", "whole")
    atomic.temporary(tmp_path / "events")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_what_a_living_process_or_another_machine_writes_stays(tmp_path):
    mine = atomic.temporary(tmp_path / "page.html")
    others = [
        mine.with_name(mine.name.replace(f".{os.getpid()}.", f".{os.getppid()}.")),
        tmp_path / f".page.html.00000000.{2**22 + 1}.tmp",
        tmp_path / ".page.html.notes.tmp",
    ]
    for path in others:
        path.write_text("half")
    atomic.write_text(tmp_path / "page.html", "whole")
    assert sorted(tmp_path.iterdir()) == sorted([*others, tmp_path / "page.html"])
    gone = mine.with_name(mine.name.replace(f".{os.getpid()}.", f".{2**22 + 1}."))
    gone.write_text("half")
    atomic.write_text(tmp_path / "page.html", "again")
    assert not gone.exists()


def test_writing_that_fails_leaves_nothing(tmp_path):
    def fails(path):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match="cannot be written"):
        atomic.write_atomically(tmp_path / "page.html", fails)
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------ file systems that cannot flush


@pytest.fixture
def refuses_to_flush(monkeypatch):
    """Every flush is refused with the error that is named."""

    def refuse(number: int) -> None:
        def fsync(handle: int) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(atomic, "_told", [])

    return refuse


@pytest.mark.parametrize("number", sorted(atomic.CANNOT_FLUSH))
def test_what_cannot_be_flushed_is_stored_and_told_once(tmp_path, refuses_to_flush, number):
    refuses_to_flush(number)
    with pytest.warns(DataWarning, match="cannot flush to the disk"):
        atomic.write_text(tmp_path / "page.html", "whole")
    atomic.append_line(tmp_path / "manifest.jsonl", "a line")  # a second warning would be an error
    assert (tmp_path / "page.html").read_text() == "whole"
    assert (tmp_path / "manifest.jsonl").read_text() == "a line\n"


def test_a_disk_that_fails_to_flush_is_still_refused(tmp_path, refuses_to_flush):
    refuses_to_flush(errno.EIO)
    with pytest.raises(InputError, match="input/output error"):
        atomic.write_text(tmp_path / "page.html", "whole")
    assert list(tmp_path.iterdir()) == []


def test_a_study_is_stored_where_nothing_can_be_flushed(tmp_path, refuses_to_flush, capsys):
    refuses_to_flush(errno.EINVAL)
    tiny = ["--dataset", "digits", "--train-size", "100", "--models", "mlp", "--hidden", "4", "--epochs", "1"]
    tiny += ["--seeds", "1", "--jobs", "1", "--quiet", "--out", str(tmp_path / "s")]
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        with pytest.raises(SystemExit) as ended:
            main(["baseline", *tiny])
    assert ended.value.code == 0
    assert (tmp_path / "s" / "curves.nc").exists()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"bnstudy: warning: {tmp_path / 's'}: this file system cannot flush")


# ------------------------------------------------------------------ devices


def test_a_device_is_never_replaced(tmp_path, monkeypatch):
    """A made-up one: a test that fails must not take the machine's."""
    place = tmp_path / "null"
    place.write_text("")
    real = os.lstat

    def lstat(path, *more):
        found = real(path, *more)
        return os.stat_result((stat.S_IFCHR | 0o666, *found[1:])) if str(path) == str(place) else found

    monkeypatch.setattr(os, "lstat", lstat)
    monkeypatch.setattr(type(place), "lstat", lstat)
    with pytest.raises(InputError, match="null is a device; name a file"):
        atomic.write_text(place, "page")
    out = tmp_path / "stdout"
    out.symlink_to("/proc/self/fd/1")
    with pytest.raises(InputError, match="stdout is a device; name a file"):
        atomic.write_text(out, "page")
    assert out.is_symlink()
    monkeypatch.undo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["null", "stdout"]
