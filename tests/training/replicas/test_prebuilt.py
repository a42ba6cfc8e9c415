"""The kernel that a wheel carries: found by what a processor has, and right there."""

import ctypes
import shutil

import pytest
import torch
from bnstudy.training.replicas.lanes import compiling, kernel, lanes, prebuilt

V3 = "flags : fpu avx avx2 bmi1 bmi2 f16c fma abm movbe"
V4 = f"{V3} avx512f avx512bw avx512cd avx512dq avx512vl"


@pytest.mark.parametrize(
    ("processor", "machine", "found"),
    [
        ([V4], "x86_64", ["x86-64-v4", "x86-64-v3"]),
        ([V3], "x86_64", ["x86-64-v3"]),
        ([V4.replace(" movbe", "")], "x86_64", []),  # every ability counts
        ([V3 + " avx512f"], "x86_64", ["x86-64-v3"]),
        (["Features : fp asimd"], "aarch64", ["armv8-a"]),
        ([], "x86_64", []),
        ([V4], "ppc64le", []),
    ],
)
def test_what_a_processor_can_run(processor, machine, found):
    assert prebuilt.levels(processor, machine) == found


@pytest.fixture
def carried(tmp_path, monkeypatch):
    """A wheel's folder, and no compiler."""
    monkeypatch.setattr(prebuilt, "FOLDER", tmp_path / "prebuilt")
    monkeypatch.setenv("CXX", "no-such-compiler")
    kernel.attempt.cache_clear()
    lanes.attempt.cache_clear()
    yield tmp_path / "prebuilt"
    kernel.attempt.cache_clear()
    lanes.attempt.cache_clear()


def test_without_a_compiler_and_a_carried_one_there_is_none(carried):
    assert "no-such-compiler" in kernel.attempt()


@pytest.mark.skipif(not prebuilt.levels(compiling.processor(), "x86_64"), reason="needs a processor of x86-64-v3")
def test_without_a_compiler_the_carried_one_is_used_if_it_is_whole(carried, monkeypatch):
    monkeypatch.delenv("CXX")
    own = kernel.attempt()
    if isinstance(own, str):
        pytest.skip("needs a C++ compiler")
    monkeypatch.setenv("CXX", "no-such-compiler")
    kernel.attempt.cache_clear()
    carried.mkdir()
    path = carried / f"lanes-{prebuilt.levels(compiling.processor(), 'x86_64')[0]}.so"
    shutil.copy(own.library._name, path)
    (carried / prebuilt.BUILT_BY).write_text("a compiler 1.2\n")
    found = kernel.attempt()
    assert isinstance(found, kernel.Kernel)
    assert found.compiler.startswith("a compiler 1.2 for x86-64-v")
    assert found.lanes(torch.float32) == own.lanes(torch.float32)
    path.write_bytes(path.read_bytes()[:-1])
    kernel.attempt.cache_clear()
    assert isinstance(kernel.attempt(), str)


@pytest.mark.dist
@pytest.mark.skipif(not prebuilt.levels(compiling.processor(), "x86_64"), reason="needs a processor of x86-64-v3")
def test_every_level_that_runs_here_computes_what_pytorch_does(carried):
    import os

    os.environ.pop("CXX")  # put back by the fixture
    if isinstance(kernel.attempt(), str):
        pytest.skip("needs a C++ compiler")
    built = prebuilt.build(carried)
    usable = prebuilt.levels(compiling.processor(), "x86_64")
    os.environ["CXX"] = "no-such-compiler"
    assert {path.name for path in built} == {f"lanes-{level}.so" for level in prebuilt.LEVELS}
    for level in usable:
        kernel.attempt.cache_clear()
        lanes.attempt.cache_clear()
        right = lanes.attempt()  # which compares it with PyTorch
        assert isinstance(right, kernel.Kernel), right
        assert level in right.compiler
        assert isinstance(right.library, ctypes.CDLL)
        (carried / f"lanes-{level}.so").unlink()  # the next best is taken
