"""A file in place of a lock, where the file system has none: who holds it, for how long, and when it is taken."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace

import pytest
from bnstudy.storage import lock_file, locking
from bnstudy.storage.lock_file import Holder, LockFile
from bnstudy.study.errors import LockedError

LACKS_FLOCK = """
import errno, fcntl, os
def flock(*_):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
fcntl.flock = flock
"""
HOLDS = (
    LACKS_FLOCK
    + """
import pathlib, sys, time
from bnstudy.storage import locking
with locking.hold(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""
)


@pytest.fixture(params=[errno.ENOLCK])
def folder(request, tmp_path, monkeypatch):
    """A folder on a file system that has no locks."""

    def flock(*_: object) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(locking, "PATIENCE", 0.05)
    monkeypatch.setattr(locking, "PAUSE", 0.01)
    return tmp_path


@pytest.fixture
def elsewhere(folder):
    """Put a lock there that a process of another host took, and touched so many seconds ago."""

    def put(silent: float) -> Holder:
        holder = replace(Holder.here(), host="node17", machine="node17 boot", pid=4711)
        path = folder / lock_file.NAME
        path.write_text(json.dumps(asdict(holder)))
        then = time.time() - silent
        os.utime(path, (then, then))
        return holder

    return put


@pytest.mark.parametrize("folder", sorted(lock_file.NO_LOCKS), indirect=True)
def test_where_there_are_no_locks_one_process_at_a_time_works(folder):
    with locking.hold(folder):
        assert locking.is_held(folder)
        told = rf"another process, number {os.getpid()} on .*, which is alive \({folder / lock_file.NAME}, last heard"
        with pytest.raises(LockedError, match=told), locking.hold(folder):
            pass
    assert not locking.is_held(folder)
    assert not (folder / lock_file.NAME).exists()


def test_where_there_are_locks_no_file_stands_in(tmp_path):
    with locking.hold(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [locking.NAME]


def test_the_lock_of_a_killed_process_of_this_machine_is_taken(folder):
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(folder)], stdout=subprocess.PIPE) as killed:
        assert killed.stdout.readline() == b"held\n"
        assert locking.is_held(folder)
        killed.send_signal(signal.SIGKILL)
    assert (folder / lock_file.NAME).exists()
    assert not locking.is_held(folder)
    with locking.hold(folder):
        assert Holder.read(folder / lock_file.NAME).pid == os.getpid()


def test_a_number_that_another_process_bears_now_is_a_dead_holder(folder):
    (folder / lock_file.NAME).write_text(json.dumps(asdict(replace(Holder.here(), pid=os.getppid(), started="1"))))
    assert not locking.is_held(folder)


def test_a_living_process_of_this_machine_keeps_it_however_silent(folder):
    """It may have been stopped."""
    path = folder / lock_file.NAME
    path.write_text(json.dumps(asdict(Holder.here())))
    os.utime(path, (1, 1))
    with pytest.raises(LockedError, match="which is alive"), locking.hold(folder):
        pass


def test_a_holder_on_another_host_is_told_and_taken_for_dead_after_a_long_silence(folder, elsewhere):
    elsewhere(silent=lock_file.SILENCE - 60)
    told = rf"number 4711 on node17 \({folder / lock_file.NAME}, last heard of 1[34] min ago\); it is taken for dead"
    with pytest.raises(LockedError, match=told), locking.hold(folder):
        pass
    elsewhere(silent=lock_file.SILENCE + 60)
    assert not locking.is_held(folder)
    with locking.hold(folder):
        assert Holder.read(folder / lock_file.NAME).host != "node17"
    assert [path.name for path in folder.iterdir() if path.name != locking.NAME] == []


def test_a_clock_in_the_past_takes_nobodys_lock(folder, elsewhere):
    elsewhere(silent=-10 * lock_file.SILENCE)
    with pytest.raises(LockedError, match=r"last heard of 0 s ago"), locking.hold(folder):
        pass


def test_an_empty_file_is_one_that_is_being_taken(folder):
    path = folder / lock_file.NAME
    path.touch()
    with pytest.raises(LockedError, match="which left no name"), locking.hold(folder):
        pass
    os.utime(path, (1, 1))
    with locking.hold(folder):
        pass


def test_who_waits_gets_it(folder):
    order = []

    def second() -> None:
        with locking.hold(folder, wait=True):
            order.append("second")

    with locking.hold(folder):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.1)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_holder_touches_it_and_is_told_when_it_is_lost(folder, elsewhere, monkeypatch):
    monkeypatch.setattr(lock_file, "BEAT", 0.01)
    path = folder / lock_file.NAME
    with locking.hold(folder) as check:
        os.utime(path, (1, 1))
        until = time.monotonic() + 10
        while path.stat().st_mtime < 2:
            assert time.monotonic() < until
            time.sleep(0.01)
        check()
        other = elsewhere(silent=0)
        while Holder.read(path) == other and not lost(check):
            assert time.monotonic() < until
            time.sleep(0.01)
        with pytest.raises(LockedError, match="has taken this one for dead"):
            check()
    assert Holder.read(path) == other


def test_of_many_that_take_a_dead_holders_lock_one_gets_it(folder, elsewhere):
    elsewhere(silent=10 * lock_file.SILENCE)
    locks, start = [LockFile(folder) for _ in range(8)], threading.Barrier(8)
    taken = []

    def take(lock: LockFile) -> None:
        start.wait()
        if lock.take():
            taken.append(lock)

    threads = [threading.Thread(target=take, args=(lock,)) for lock in locks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 1
    taken[0].release()
    assert not any(path.name != locking.NAME for path in folder.iterdir())


def lost(check) -> bool:
    try:
        check()
    except LockedError:
        return True
    return False
