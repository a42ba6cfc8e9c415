"""Where caches lie: in a home folder, and without one."""

from __future__ import annotations

import os
import stat
import tempfile

import platformdirs
import pytest
from bnstudy.storage import caches
from bnstudy.training.datasets.data import data_folder


@pytest.fixture
def homeless(tmp_path, monkeypatch):
    """A user whom platformdirs finds no home for; the folder of temporary files."""

    def none(*_: object) -> str:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr(platformdirs, "user_cache_dir", none)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    caches._for_this_process.cache_clear()
    return tmp_path


def test_a_user_with_a_home_has_a_cache_there(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert caches.user_cache() == tmp_path / "bnstudy"


def test_a_user_without_one_has_a_folder_among_temporary_files(homeless):
    found = caches.user_cache()
    assert found == homeless / f"bnstudy-{os.getuid()}"
    assert stat.S_IMODE(found.stat().st_mode) == 0o700
    assert caches.user_cache() == found
    assert data_folder().value == found / "data"


def test_earlier_versions_that_leave_the_tilde_are_understood(homeless, monkeypatch):
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda _: "~/.cache/bnstudy")
    assert caches.user_cache() == homeless / f"bnstudy-{os.getuid()}"


@pytest.mark.parametrize("made", ["writable by others", "link", "file"])
def test_a_folder_that_somebody_else_may_write_is_not_taken(homeless, made):
    theirs = homeless / f"bnstudy-{os.getuid()}"
    if made == "writable by others":
        theirs.mkdir()
        theirs.chmod(0o777)
    elif made == "link":
        (homeless / "elsewhere").mkdir()
        theirs.symlink_to("elsewhere")
    else:
        theirs.touch()
    found = caches.user_cache()
    assert found != theirs
    assert stat.S_IMODE(found.stat().st_mode) == 0o700
    assert caches.user_cache() == found
