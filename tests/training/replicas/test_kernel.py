"""The kernel: built where there is a compiler, sealed, kept, and done without where there is none."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch
from bnstudy.cli import doctor
from bnstudy.cli.app import main
from bnstudy.study.study import Study
from bnstudy.training.networks import models
from bnstudy.training.replicas import Folded
from bnstudy.training.replicas.lanes import compiling, kernel, lanes, self_check
from torch import nn

from tests.conftest import ROOT
from tests.mounted import in_a_namespace
from tests.training.replicas.test_replicas import chosen

CXX = next((path for name in ("c++", "g++", "clang++") if (path := shutil.which(name))), "")
CPU = torch.device("cpu")
needs_compiler = pytest.mark.skipif(not CXX, reason="no C++ compiler here")
# A compiler takes seconds for the whole of it; these tests are about what becomes of the library.
SMALL = """extern "C" {{
long lanes_float32() {{ return {lanes}; }}
long lanes_float64() {{ return 4; }}
double gflops_float32() {{ return 1; }}
}}
"""
START = (
    "import sys; from pathlib import Path; from bnstudy.training.replicas.lanes import compiling, kernel; "
    "compiling.SOURCES = Path(sys.argv[1]); compiling.cache_folder = lambda: Path(sys.argv[2]); import torch; "
    "found = kernel.attempt(); print(found if isinstance(found, str) else (found.lanes(torch.float32), found.kept))"
)


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache, as on a new machine, and a source that is soon built."""
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(compiling, "cache_folder", lambda: tmp_path / "bnstudy" / "kernels")
    monkeypatch.setattr(compiling.caches, "temporary_cache", lambda: tmp_path / "temporary")
    monkeypatch.setattr(compiling, "SOURCES", tmp_path / "sources")
    compiling.SOURCES.mkdir()
    write(SMALL.format(lanes=8))
    forget()
    yield compiling.cache_folder()
    forget()


def write(source: str) -> None:
    (compiling.SOURCES / "small.cpp").write_text(source)


def forget() -> None:
    kernel.attempt.cache_clear()
    lanes.attempt.cache_clear()


def again() -> kernel.Kernel | None:
    """As in another process; for what cannot crash this one."""
    forget()
    found = kernel.attempt()
    return found if isinstance(found, kernel.Kernel) else None


def elsewhere(cache: Path) -> str:
    """What a process of its own finds."""
    command = [sys.executable, "-c", START, str(compiling.SOURCES), str(cache)]
    found = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False
    )
    assert (found.returncode, found.stderr) == (0, "")
    return found.stdout.strip()


def library_in(cache: Path) -> Path:
    (found,) = cache.glob("*.so")
    return found


def compiler(folder: Path, script: str) -> str:
    path = folder / "my-c++"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@needs_compiler
def test_the_kernel_itself_is_found_by_every_type_it_has():
    built = lanes.load()
    assert built is not None
    assert built.lanes(torch.float32) == 2 * built.lanes(torch.float64) > 0
    assert built.lanes(torch.float16) == 0


@needs_compiler
def test_built_once_and_found_again(cache):
    assert again().kept
    library = library_in(cache)
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    when = library.stat().st_mtime_ns
    assert again().kept
    assert library_in(cache).stat().st_mtime_ns == when
    assert sorted(path.name for path in cache.iterdir()) == [compiling.LOCK, library.name]


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("exit 1", "cannot be run: it ends with 1"),
        ("echo v; exit 1", "cannot be run: it ends with 1"),
        ('case "$1" in --version) echo v;; *) echo "a.cpp: error: no room" >&2; exit 3;; esac', "error: no room"),
        ("echo v", "it writes nothing"),
        ("printf '\\377'", "it writes nothing"),
        ('for last; do :; done; case "$1" in --version) echo v;; *) echo no > "$last";; esac', "cannot be loaded"),
    ],
    ids=["fails", "fails with a version", "cannot build", "builds nothing", "no text", "builds something else"],
)
def test_a_compiler_that_does_not_work_is_done_without_and_told(cache, tmp_path, monkeypatch, script, told):
    monkeypatch.setenv("CXX", compiler(tmp_path, script))
    assert again() is None
    assert not list(cache.glob(f"{compiling.BUILDS}*"))
    assert told in doctor._kernel()["kernel"]


@needs_compiler
def test_a_library_without_what_is_needed_is_no_kernel(cache):
    write("int nothing;\n")
    assert again() is None
    assert "something else" in doctor._kernel()["kernel"]


@needs_compiler
@pytest.mark.parametrize(
    ("command", "flags"), [("{} -pipe", " -pipe"), ("env {}", ""), ("'{}' -g0  -pipe", " -g0 -pipe")]
)
def test_a_compiler_with_arguments_is_read_as_a_shell_reads_it(cache, monkeypatch, command, flags):
    monkeypatch.setenv("CXX", command.format(CXX))
    found = again()
    assert found is not None
    plain = subprocess.run([CXX, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    assert found.compiler == plain.strip() + flags


@needs_compiler
def test_a_compiler_in_a_folder_with_spaces(cache, tmp_path, monkeypatch):
    folder = tmp_path / "my tools"
    folder.mkdir()
    monkeypatch.setenv("CXX", compiler(folder, f'exec {CXX} "$@"'))
    assert again() is not None


@pytest.mark.parametrize(
    ("cxx", "told"),
    [("no-such-c++ -pipe", "'no-such-c++', which is not found"), ("c++ 'x", "cannot be read (no closing quotation)")],
)
def test_a_compiler_that_is_not_there_is_told(cache, monkeypatch, cxx, told):
    monkeypatch.setenv("CXX", cxx)
    assert again() is None
    assert told in doctor._kernel()["kernel"]


def test_without_a_compiler_the_folded_form_is_used(cache, monkeypatch, generator):
    monkeypatch.setenv("PATH", "")
    assert again() is None
    assert "no C++ compiler found" in doctor._kernel()["kernel"]
    network = models.build("cnn", "batch", Study.make({"dataset": "digits"}), (1, 8, 8), 10)
    assert type(chosen([network], torch.rand(9, 1, 8, 8, generator=generator))) is Folded


# ------------------------------------------------------------------ the cache


def in_place(library: Path, content: bytes) -> None:
    library.write_bytes(content)


DAMAGES = {
    "cut": lambda path: in_place(path, path.read_bytes()[: path.stat().st_size // 2]),
    "empty": lambda path: in_place(path, b""),
    "overwritten": lambda path: in_place(path, path.read_bytes()[:4096] + b"\xff" * 4096 + path.read_bytes()[8192:]),
    "one bit": lambda path: in_place(path, path.read_bytes()[:-100] + b"\x01" + path.read_bytes()[-99:]),
    "longer": lambda path: in_place(path, path.read_bytes() + b"x"),
    "no seal": lambda path: in_place(path, path.read_bytes()[: -compiling.SEAL]),
    "text": lambda path: in_place(path, b"not a library"),
    "link": lambda path: path.symlink_to(path.rename(path.with_name("elsewhere"))),
    "link to nothing": lambda path: (path.unlink(), path.symlink_to("nowhere")),
    "pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "not readable": lambda path: path.chmod(0),
}


@needs_compiler
@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_not_what_was_built_is_built_again(cache, damage):
    assert again() is not None
    library = library_in(cache)
    content = library.read_bytes()
    DAMAGES[damage](library)
    assert damage == "not readable" or not compiling.is_sealed(library)
    compiling.build(compiling.find_compiler(), library)
    assert compiling.is_sealed(library)
    assert not library.is_symlink()
    assert len(library.read_bytes()) == len(content)


@pytest.mark.slow
@needs_compiler
def test_a_damaged_library_ends_no_process(cache):
    assert elsewhere(cache) == "(8, True)"
    DAMAGES["cut"](library_in(cache))
    assert elsewhere(cache) == "(8, True)"


@needs_compiler
def test_a_folder_in_the_librarys_place_is_left_alone(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(self_check, "is_right", lambda *_: True)  # it is not the whole kernel
    monkeypatch.setattr(kernel, "different_structures", lambda _: "")
    assert again() is not None
    library = library_in(cache)
    library.unlink()
    (library / "mine").mkdir(parents=True)
    found = again()
    assert found is not None
    assert (library / "mine").is_dir()
    assert f"kept in {tmp_path / 'temporary' / 'kernels'}, since {cache} cannot be used" in doctor._kernel()["kernel"]


@needs_compiler
def test_a_good_library_is_used_wherever_nothing_can_be_written(cache, monkeypatch):
    assert again() is not None

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(compiling, "build", refused)
    assert again().kept


@needs_compiler
def test_a_cache_that_cannot_be_written_is_done_without(cache, tmp_path, monkeypatch):
    """The library is kept among the temporary files; where that cannot be either, it is for one process alone."""
    (tmp_path / "bnstudy").write_text("a file in the folder's place")
    assert again().kept
    (library,) = (tmp_path / "temporary" / "kernels").glob("*.so")
    when = library.stat().st_mtime_ns
    assert again().elsewhere.endswith(f"since {cache} cannot be used: not a directory")
    assert library.stat().st_mtime_ns == when
    shutil.rmtree(tmp_path / "temporary")
    (tmp_path / "temporary").write_text("here too")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    found = again()
    assert (found.kept, found.lanes(torch.float32)) == (False, 8)
    assert "each process builds it again" in found.elsewhere
    assert list((tmp_path / "tmp").iterdir()) == []


@needs_compiler
@pytest.mark.parametrize(
    ("name", "told"), [("_refuse_noexec", "it is mounted noexec"), ("_refuse_full", "no space left on device")]
)
def test_why_a_cache_cannot_be_used_is_told(cache, tmp_path, monkeypatch, name, told):
    real = getattr(compiling, name)

    def refuse(folder: Path) -> None:
        if folder.is_relative_to(cache):
            raise OSError(28, told)
        real(folder)

    monkeypatch.setattr(compiling, name, refuse)
    found = again()
    assert found.kept
    assert found.elsewhere == f"; kept in {tmp_path / 'temporary' / 'kernels'}, since {cache} cannot be used: {told}"


MOUNTED = """
mkdir -p "$2"; mount -t tmpfs -o $1 none "$2" || exit 9
export XDG_CACHE_HOME="$2" TMPDIR="$3"
for i in 1 2; do "$4" -c "$5" "$6"; done
ls "$3"
"""
TOLD = (
    "import sys; from pathlib import Path; from bnstudy.training.replicas.lanes import compiling, kernel; "
    "compiling.SOURCES = Path(sys.argv[1]); import torch; print(kernel.attempt().elsewhere)"
)


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize(("options", "told"), [("noexec", "it is mounted noexec"), ("size=64k", "no space left"),
                                               ("ro", "read-only file system")])  # fmt: skip
def test_a_cache_on_another_file_system(cache, tmp_path, options, told):
    (tmp_path / "tmp").mkdir()
    found = in_a_namespace(
        MOUNTED, options, tmp_path / "mounted", tmp_path / "tmp", sys.executable, TOLD, compiling.SOURCES
    )
    first, second, left = found.stdout.splitlines()
    assert first == second
    assert told in first
    assert left == f"bnstudy-{os.getuid()}"
    assert found.stderr == ""


@pytest.mark.slow
@needs_compiler
def test_a_read_only_cache_that_holds_it_is_used(cache, tmp_path):
    script = """export XDG_CACHE_HOME="$1" TMPDIR="$2"; "$3" -c "$4" "$5" || exit 8
        mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 9
        "$3" -c "$4" "$5"; ls "$2" """
    for name in ("mine", "tmp"):
        (tmp_path / name).mkdir()
    found = in_a_namespace(script, tmp_path / "mine", tmp_path / "tmp", sys.executable, TOLD, compiling.SOURCES)
    assert (found.stdout, found.stderr) == ("\n\n", "")


@needs_compiler
def test_a_build_that_is_killed_leaves_nothing_behind(cache, tmp_path, monkeypatch):
    script = f"""case "$1" in --version) exec {CXX} --version;; esac
        if [ -e '{tmp_path}/slow' ]; then touch "$TMPDIR/cc.o"; touch '{tmp_path}/begun'; sleep 30; fi
        exec {CXX} "$@" """
    monkeypatch.setenv("CXX", compiler(tmp_path, script))
    (tmp_path / "slow").touch()
    command = [sys.executable, "-c", START, str(compiling.SOURCES), str(cache)]
    with subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, start_new_session=True
    ) as killed:
        while not (tmp_path / "begun").exists():
            time.sleep(0.02)
        os.killpg(killed.pid, signal.SIGKILL)
    assert list(cache.glob(f"{compiling.BUILDS}*"))
    (tmp_path / "slow").unlink()
    assert again().kept
    assert sorted(path.name for path in cache.iterdir()) == [compiling.LOCK, library_in(cache).name]


# ------------------------------------------------------------------ whether it is right


@needs_compiler
@pytest.mark.parametrize(
    "wrong",
    ["forward", "backward", "linear", "sum_rows", "output_gradient", "input_gradient", "weight_gradient", "descend"],
)
def test_a_kernel_that_computes_something_else_is_not_used_and_told(monkeypatch, capsys, wrong):
    """An output or a gradient is off by a thousandth."""
    real = kernel.call

    def call(library, function, dtype, *arguments):
        last = next((a for a in reversed(arguments) if isinstance(a, torch.Tensor)), None)
        given = function in ("weight_gradient", "descend")  # the last tensor is what they are given, not what they give
        if function == wrong and given:
            last.mul_(1.001)
        real(library, function, dtype, *arguments)
        if function == wrong and not given:
            last.mul_(1.001)

    monkeypatch.setattr(kernel, "call", call)
    forget()
    try:
        told = lanes.attempt()
        assert isinstance(told, str)
        assert "computes something else than PyTorch (float" in told
        assert not lanes.Lanes.suits(
            nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Flatten(), nn.Linear(32, 2)), CPU, 8
        )
        with pytest.raises(SystemExit):
            main(["doctor"])
        assert "computes something else than PyTorch" in capsys.readouterr().out
    finally:
        monkeypatch.undo()
        forget()
    assert lanes.load() is not None
