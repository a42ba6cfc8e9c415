"""Torch's own settings that change its sums, of the process at hand: told where they are not the usual ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bnstudy.study import provenance

SAME = {"none": "ieee"}  # a precision that was set and is the usual one
# What torch chooses by itself on a processor with these instructions.
CAPABILITIES = {"avx512f": "AVX512", "avx2": "AVX2"}


def switches(device: str) -> str:
    """What in this process makes the sums on `device` other ones than usual, as ``NAME=value`` separated by spaces."""
    settings = provenance.switches()
    settings.pop("ATEN_CPU_CAPABILITY", None)  # torch read it when it was loaded; what it made of it counts
    settings |= {name: str(value) for name, usual, value in _settings(device) if value not in (usual, SAME.get(usual))}
    return provenance.as_text(settings)


def _settings(device: str) -> Iterator[tuple[str, Any, Any]]:
    """Name, usual value and value of each setting that can be read; which there are depends on torch's version."""
    import torch

    backends: Any = torch.backends
    capability = backends.cpu.get_cpu_capability()
    usual = CAPABILITIES.get(provenance.instructions(), capability)
    yield "ATEN_CPU_CAPABILITY", usual.lower(), capability.lower()
    readers: list[tuple[str, Any, Callable[[], Any]]] = [
        ("float32_matmul_precision", "highest", torch.get_float32_matmul_precision),
        ("fp32_precision", "none", lambda: backends.fp32_precision),
        ("deterministic_algorithms", False, torch.are_deterministic_algorithms_enabled),
        ("default_dtype", torch.float32, torch.get_default_dtype),
        ("flush_denormal", False, _flushes),
        ("autocast", False, lambda: torch.is_autocast_enabled(device.split(":")[0])),
        ("mkldnn", True, lambda: backends.mkldnn.enabled),
        ("mkldnn.deterministic", False, lambda: backends.mkldnn.deterministic),
        ("mkldnn.fp32_precision", "none", lambda: backends.mkldnn.fp32_precision),
        ("mkldnn.matmul.fp32_precision", "none", lambda: backends.mkldnn.matmul.fp32_precision),
        ("mkldnn.conv.fp32_precision", "none", lambda: backends.mkldnn.conv.fp32_precision),
        ("nnpack", True, torch._C._get_nnpack_enabled),
    ]
    if device.startswith("cuda"):
        matmul, cudnn = backends.cuda.matmul, backends.cudnn
        readers += [
            ("cuda.allow_tf32", False, lambda: matmul.allow_tf32),
            ("cuda.fp32_precision", "none", lambda: matmul.fp32_precision),
            ("cuda.fp16_reduced", True, lambda: matmul.allow_fp16_reduced_precision_reduction),
            ("cuda.bf16_reduced", True, lambda: matmul.allow_bf16_reduced_precision_reduction),
            ("cuda.blas", "Cublas", lambda: backends.cuda.preferred_blas_library().name),
            ("cudnn", True, lambda: cudnn.enabled),
            ("cudnn.allow_tf32", True, lambda: cudnn.allow_tf32),
            ("cudnn.conv.fp32_precision", "tf32", lambda: cudnn.conv.fp32_precision),
            ("cudnn.benchmark", False, lambda: cudnn.benchmark),
            ("cudnn.deterministic", False, lambda: cudnn.deterministic),
        ]
    for name, usual_value, read in readers:
        try:
            yield name, usual_value, read()
        except (AttributeError, RuntimeError):  # of another version, or set by its newer names alone
            continue


def _flushes() -> bool:
    """Whether numbers too small for full precision count as zero."""
    import torch

    return bool((torch.tensor([5e-324], dtype=torch.float64) * 1 == 0).item())
