"""Whatever is raised ends a command in one line; a traceback is shown where --traceback asks for it."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
import threading
import warnings

import pytest
from bnstudy.cli import doctor
from bnstudy.cli.app import main

from tests.conftest import ROOT


@pytest.fixture
def ended(monkeypatch, capsys):
    """Have ``bnstudy doctor`` do something: (exit code, standard output, standard error)."""

    def end(does, *options: str) -> tuple[int, str, str]:
        monkeypatch.setattr(doctor, "findings", lambda _: does())
        monkeypatch.setattr(doctor, "_lines", lambda found: iter([("done", str(found))]))
        with pytest.raises(SystemExit) as caught:
            main(["doctor", *options])
        out, err = capsys.readouterr()
        return int(caught.value.code or 0), out, err

    return end


def raises(error: BaseException):
    def does() -> None:
        raise error

    return does


def deep() -> None:
    deep()


ERRORS = [
    (raises(TypeError("an integer\nis required")), 1, "internal error: TypeError: an integer"),
    (deep, 1, "internal error: RecursionError: maximum recursion depth exceeded"),
    (raises(AssertionError()), 1, "internal error: AssertionError"),
    (raises(MemoryError()), 1, "out of memory; use fewer --jobs, or allow more"),
    (raises(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")), 1, "out of memory (DefaultCPU"),
    (raises(OSError(errno.ENOSPC, "No space left on device", "x.nc")), 2, "x.nc: no space left on device"),
    (raises(OSError(errno.EDQUOT, "Disk quota exceeded", "x.nc")), 2, "x.nc: disk quota exceeded"),
    (raises(PermissionError(errno.EACCES, "Permission denied", "x.nc")), 2, "x.nc: permission denied"),
    (raises(OSError(errno.EROFS, "Read-only file system", "x.nc")), 2, "x.nc: read-only file system"),
    (raises(OSError(errno.EMFILE, "Too many open files")), 2, "the system: too many open files; allow more of them"),
    (raises(OSError(errno.ENOMEM, "Cannot allocate memory")), 1, "out of memory ("),
    (raises(ImportError("undefined symbol: x", name="numpy.core")), 1, "numpy cannot be imported; install numpy again"),
    (raises(ImportError("cannot import name 'x'", name="bnstudy.study")), 1, "internal error: ImportError"),
    (raises(KeyboardInterrupt()), 130, "stopped"),
]  # fmt: skip


@pytest.mark.parametrize(("does", "code", "told"), ERRORS, ids=[told[:24] for _, _, told in ERRORS])
def test_whatever_is_raised_is_one_line(ended, does, code, told):
    found, out, err = ended(does)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert err.startswith(f"bnstudy: {told}")


def test_an_internal_error_says_what_to_do_and_its_traceback_is_to_be_had(ended):
    assert ended(raises(TypeError("x")))[2].endswith("(run again with --traceback; please report)\n")
    for options in (("--traceback",), ("--data-dir", "x", "--traceback")):
        code, out, err = ended(raises(TypeError("x")), *options)
        assert (code, out) == (1, "")
        assert err.startswith("Traceback (most recent call last):")
        assert err.splitlines()[-1].startswith("bnstudy: internal error: TypeError: x")
        assert "--traceback" not in err.splitlines()[-1]
    assert "Traceback" not in ended(raises(TypeError("x")))[2]


def test_what_libraries_warn_of_log_or_raise_elsewhere_is_a_line(ended):
    def warns() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("an option\n  is old", DeprecationWarning, stacklevel=1)

    code, _, err = ended(warns)
    assert (code, err.count("\n")) == (0, 1)
    assert err.startswith("bnstudy: warning: an option is old (DeprecationWarning, line ")

    def logs() -> None:
        try:
            raise ValueError("x")
        except ValueError:
            logging.getLogger("a.library").exception("it failed\nthere")
        logging.getLogger("a.library").warning("a cache is built")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(logging.root, "handlers", [])
        assert ended(logs) == (0, "done         None\n", "bnstudy: error of a.library: it failed there\n")

    def threads() -> None:
        thread = threading.Thread(target=raises(ValueError("there")))
        thread.start()
        thread.join()

    assert ended(threads)[2].startswith("bnstudy: warning: ValueError: there")


def test_a_called_command_leaves_a_programs_hooks_alone(ended):
    before = warnings.showwarning, threading.excepthook, sys.unraisablehook, logging.lastResort
    ended(lambda: 1)
    assert (warnings.showwarning, threading.excepthook, sys.unraisablehook, logging.lastResort) == before


def test_a_current_folder_that_was_deleted_is_told(ended, tmp_path, monkeypatch):
    """Where torch's libraries could not be loaded."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert ended(lambda: 1) == (2, "", "bnstudy: the current folder was deleted; go to another\n")


def test_a_locale_without_the_characters_is_told(ended, monkeypatch):
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "ascii")
    code, _, err = ended(lambda: "ü".encode("ascii"))
    assert (code, err.count("\n")) == (2, 1)
    assert "set LC_ALL=C.UTF-8" in err


def in_a_process(tmp_path, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A shell's commands, in which $BNSTUDY is the command line."""
    command = f"{sys.executable} -m bnstudy"
    return subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "BNSTUDY": command, **environment},
    )  # fmt: skip


@pytest.mark.parametrize("name", ["typer", pytest.param("numpy", marks=pytest.mark.slow)])
def test_a_broken_dependency_is_one_line(tmp_path, name):
    (tmp_path / "path" / name).mkdir(parents=True)
    (tmp_path / "path" / name / "__init__.py").write_text(f"raise ImportError('undefined symbol: x', name='{name}')")
    path = os.pathsep.join([str(tmp_path / "path"), str(ROOT)])
    found = in_a_process(tmp_path, "$BNSTUDY analyze nowhere.nc", PYTHONPATH=path)
    told = f"bnstudy: {name} cannot be imported; install {name} again (undefined symbol: x) (--traceback shows where)\n"
    assert (found.returncode, found.stdout, found.stderr) == (1, "", told)


def test_what_is_closed_is_no_obstacle_and_nothing_lands_in_a_file(tmp_path):
    """A file that is opened next would take the place of a closed stream."""
    assert in_a_process(tmp_path, "$BNSTUDY list models 0<&- 1>&- 2>&-").returncode == 0
    found = in_a_process(tmp_path, "$BNSTUDY list nothing 2>&-")
    assert (found.returncode, found.stdout, found.stderr) == (2, "", "")


@pytest.mark.slow
@pytest.mark.parametrize("files", [5, 8])
def test_few_file_descriptors_are_enough_or_told(tmp_path, files):
    found = in_a_process(tmp_path, f"ulimit -n {files}; exec $BNSTUDY list models")
    assert (found.returncode, found.stderr) == (0, "") or found.stderr.count("\n") == 1


def test_a_full_output_is_one_line_however_late(tmp_path):
    found = in_a_process(tmp_path, "$BNSTUDY list models >/dev/full")
    assert (found.returncode, found.stderr) == (2, "bnstudy: the system: no space left on device\n")


@pytest.mark.slow
@pytest.mark.parametrize("kilobytes", [300_000, 600_000, 1_500_000, 3_000_000])
def test_too_little_address_space_is_one_line(tmp_path, kilobytes):
    script = f"ulimit -v {kilobytes}; $BNSTUDY baseline --dataset digits --seeds 1 --epochs 1 --jobs 2 --quiet"
    found = in_a_process(tmp_path, script)
    assert (found.returncode, found.stdout, found.stderr.count("\n")) == (1, "", 1), found.stderr
    assert "address space, see ulimit -v, are too few to load" in found.stderr
