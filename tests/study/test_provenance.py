"""What computed a result: what changes its last bits decides, and nothing else."""

from __future__ import annotations

import pytest
import torch
from bnstudy.study import provenance
from bnstudy.training.running import arithmetic
from bnstudy.training.running.this_machine import describe

USUAL = {
    "device": "cpu", "kernel": "none", "instructions": "avx2", "switches": "", "plugins": "", "data_sha256": "ab" * 32,
    "machine": "Linux x86_64, A processor, 2 cores",
    "versions": "python==3.11.1 bnstudy==0.1.0 torch==2.9.0 numpy==2.0.0 scipy==1.13.0",
}  # fmt: skip


def differing(**now: str) -> str:
    return provenance.differing(provenance.computed_by(USUAL), provenance.computed_by({**USUAL, **now}))


@pytest.mark.parametrize(
    ("name", "now", "told"),
    [
        ("versions", "bnstudy==0.1.0 torch==2.9.1 numpy==2.0.0", "versions: torch==2.9.0 before, torch==2.9.1 now"),
        ("versions", "bnstudy==0.1.0 torch==2.9.0 numpy==2.1.0", "versions: numpy==2.0.0 before, numpy==2.1.0 now"),
        ("switches", "MKL_CBWR=AVX2", "switches: nothing before, MKL_CBWR=AVX2 now"),
        ("data_sha256", "cd" * 32, "data_sha256: abababababab before, cdcdcdcdcdcd now"),
        ("device", "cuda", "device: cpu before, cuda now"),
        ("machine", "Linux x86_64, Another, 2 cores", "machine: A processor before, Another now"),
    ],
)
def test_what_changes_bits_decides(name, now, told):
    assert differing(**{name: now}) == told


@pytest.mark.parametrize(
    ("name", "now"),
    [
        ("versions", "python==3.12.0 bnstudy==0.1.0 torch==2.9.0 numpy==2.0.0 scipy==1.14.0 xarray==2025.1"),
        ("machine", "Linux x86_64, A processor, 64 cores"),
        ("git_commit", "abc"),
    ],
)
def test_what_does_not_is_no_matter(name, now):
    assert differing(**{name: now}) == ""


@pytest.mark.parametrize(
    ("before", "now", "differ"),
    [
        ("a 1; b 2", "a 1; b 3", True),
        ("a 1", "c 1", True),  # another module in its place
        ("", "a 1", False),  # the study was extended by what is a's
        ("a 1; b 2", "a 1", False),
        ("a 1", "a 2; b 2", True),
    ],
)
def test_plugins_that_are_added_do_not_matter(before, now, differ):
    assert bool(provenance.differing({"plugins": before}, {"plugins": now})) == differ
    assert bool(provenance.differing({"plugins": now}, {"plugins": before})) == differ


@pytest.mark.parametrize(
    "name", ["MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "ONEDNN_MAX_CPU_ISA", "DNNL_DEFAULT_FPMATH_MODE"]
)
def test_variables_that_change_sums_are_told(monkeypatch, name):
    monkeypatch.setenv(name, "some thing")
    assert describe("cpu", compiled=False)["switches"] == f"{name}=something"


def test_of_glibcs_settings_those_of_the_processor_count(monkeypatch):
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.check=1:glibc.cpu.hwcaps=-AVX2")
    assert provenance.as_text(provenance.switches()) == "GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2"


def test_what_torch_made_of_its_variable_counts(monkeypatch):
    """It reads it once, so that a later value changes nothing, and the usual value is none."""
    assert arithmetic.switches("cpu") == arithmetic.switches("cuda") == ""
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    assert arithmetic.switches("cpu") == ""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    monkeypatch.setattr(provenance, "instructions", lambda: "avx2")
    assert arithmetic.switches("cpu") == "ATEN_CPU_CAPABILITY=default"


@pytest.mark.parametrize(
    ("change", "back", "told"),
    [
        (lambda: torch.set_flush_denormal(True), lambda: torch.set_flush_denormal(False), "flush_denormal=True"),
        (lambda: torch.set_default_dtype(torch.float64), lambda: torch.set_default_dtype(torch.float32),
         "default_dtype=torch.float64"),
        (lambda: torch.use_deterministic_algorithms(True), lambda: torch.use_deterministic_algorithms(False),
         "deterministic_algorithms=True"),
        (lambda: torch._C._set_mkldnn_enabled(False), lambda: torch._C._set_mkldnn_enabled(True), "mkldnn=False"),
    ],
)  # fmt: skip
def test_torchs_own_switches_are_told(change, back, told):
    change()
    try:
        assert arithmetic.switches("cpu") == told
    finally:
        back()


def test_a_lower_precision_of_products_is_told():
    torch.set_float32_matmul_precision("medium")
    try:
        assert "float32_matmul_precision=medium" in arithmetic.switches("cpu")
    finally:
        torch.set_float32_matmul_precision("highest")
    assert arithmetic.switches("cpu") == ""


def test_what_is_other_than_it_was_sealed_is_named():
    sealed = {"plugins": "a 111; b 222", "data_sha256": "0" * 64}
    assert provenance.changed_since_sealed(sealed, {"plugins": "a 111; b 222; c 3", "data_sha256": "0" * 64}) == ""
    assert provenance.changed_since_sealed(sealed, {}) == ""
    assert provenance.changed_since_sealed({}, {"plugins": "a 111", "data_sha256": "1"}) == ""
    told = provenance.changed_since_sealed(sealed, {"plugins": "a 111; b 333", "data_sha256": "1" * 64})
    assert told == "b (222 then, 333 now), the data (000000000000 then, 111111111111 now)"
