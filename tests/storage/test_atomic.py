"""Files that are absent or whole: what a killed process left goes, what a living one writes stays."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from bnstudy.storage import atomic
from bnstudy.study.errors import InputError

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
