"""What computed a result: versions, machine, commit. Nothing else of the environment is recorded."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

PACKAGES = ("bnstudy", "torch", "torchvision", "numpy", "xarray", "netCDF4", "scipy", "scikit-learn")
VECTORS = ("avx512f", "avx2", "avx", "sve", "asimd")  # of x86 and Arm, the widest first
ENVIRONMENT = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
# Variables by which torch, NumPy and the libraries under them choose other code, and so other sums.
SWITCHES = (
    "ATEN_CPU_CAPABILITY", "TORCH_MKLDNN_MATMUL_MIN_DIM", "TORCH_MKLDNN_MATMUL_MIN_SIZE",
    "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "MKL_DEBUG_CPU_TYPE", "MKL_DISABLE_FAST_MM",
    *(f"{library}_{name}" for library in ("ONEDNN", "DNNL")
      for name in ("MAX_CPU_ISA", "CPU_ISA_HINTS", "DEFAULT_FPMATH_MODE")),
    "OPENBLAS_CORETYPE", "BLIS_ARCH_TYPE", "NPY_DISABLE_CPU_FEATURES", "NPY_ENABLE_CPU_FEATURES",
    "NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "TORCH_BLAS_PREFER_CUBLASLT",
    "DISABLE_ADDMM_CUDA_LT", "TORCH_CUDNN_V8_API_DISABLED", "TORCH_CUDNN_USE_HEURISTIC_MODE_B",
    "CUBLAS_WORKSPACE_CONFIG", "CUBLASLT_WORKSPACE_SIZE",
)  # fmt: skip
TUNABLES, TUNED = "GLIBC_TUNABLES", "glibc.cpu."  # of glibc's settings, those that choose its mathematical functions
DECIDING = ("bnstudy", "torch", "numpy")  # packages whose version changes last digits
SHOWN = 12  # of the digits of a checksum


def versions() -> str:
    """Python's and the main packages' versions, as ``name==version`` separated by spaces."""
    found = [f"python=={platform.python_version()}"]
    for name in PACKAGES:
        try:
            found.append(f"{name}=={importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{name}==not-installed")
    return " ".join(found)


def machine() -> str:
    """Operating system, architecture and processor model."""
    model = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{platform.system()} {platform.machine()}, {model or 'unknown processor'}, {os.cpu_count()} cores"


def instructions() -> str:
    """The widest vector instructions of the processor; empty where the system does not tell.

    Libraries sum in their order, and processors of one name may differ in them.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        flags = next(line.split(":", 1)[1].split() for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        return ""
    return next((name for name in VECTORS if name in flags), "")


def git_commit() -> str:
    """The commit of the checkout this package is run from; empty when it is installed."""
    root = Path(__file__).resolve().parent.parent.parent
    if not (root / ".git").exists():
        return ""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def now() -> str:
    """The time in UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def environment() -> str:
    """The few environment variables that change numbers, as ``NAME=value`` separated by spaces."""
    return " ".join(f"{name}={os.environ[name][:40]}" for name in ENVIRONMENT if name in os.environ)


def switches() -> dict[str, str]:
    """Environment variables that make torch and its libraries compute otherwise than usual, by name."""
    found = {name: os.environ[name] for name in SWITCHES if os.environ.get(name)}
    if tuned := [part for part in os.environ.get(TUNABLES, "").split(":") if part.startswith(TUNED)]:
        found[TUNABLES] = ":".join(tuned)
    return found


def as_text(found: Mapping[str, str]) -> str:
    """Switches as ``NAME=value`` separated by spaces, in the order of their names; empty where all is as usual."""
    return " ".join(f"{name}={''.join(value.split())}" for name, value in sorted(found.items()))


def attributes(device: str) -> dict[str, str]:
    """Provenance as netCDF attributes."""
    return {
        "created": now(),
        "versions": versions(),
        "machine": machine(),
        "instructions": instructions(),
        "switches": as_text(switches()),
        "device": device,
        "git_commit": git_commit(),
        "environment": environment(),
    }


def computed_by(attributes: Mapping[str, str]) -> dict[str, str]:
    """What of its provenance the last bits of a result depend on.

    How many cores there are does not matter, nor do the versions of packages that only read, write or draw.
    """
    names = ("device", "kernel", "versions", "instructions", "switches", "machine", "data_sha256", "plugins")
    found = {name: attributes[name] for name in names if name in attributes}
    if "versions" in found:
        found["versions"] = " ".join(v for v in found["versions"].split() if v.partition("==")[0] in DECIDING)
    if "machine" in found:
        found["machine"] = found["machine"].rpartition(",")[0]
    return found


def differing(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """In what two answers of :func:`computed_by` differ, in words; empty where they are the same."""
    pairs = ((name, _parts(name, before[name]), _parts(name, now.get(name, ""))) for name in before)
    return "; ".join(
        f"{name}: {_without(there, here)} before, {_without(here, there)} now"
        for name, there, here in pairs
        if _differ(name, there, here)
    )


def changed_since_sealed(sealed: Mapping[str, str], computed: Mapping[str, str]) -> str:
    """Which plugins, or the data, are others than when a study was sealed; empty where none is, or none was sealed.

    Parameters
    ----------
    sealed, computed : mapping
        ``plugins``, as ``NAME DIGEST`` separated by semicolons, and ``data_sha256``; of what was sealed, and of what
        computes, or computed.
    """
    there, here = (dict(part.rsplit(" ", 1) for part in _parts("plugins", str(one.get("plugins", ""))) if " " in part)
                   for one in (sealed, computed))  # fmt: skip
    told = [f"{name} ({digest} then, {here[name]} now)" for name, digest in there.items()
            if here.get(name, digest) != digest]  # fmt: skip
    data, now = (str(one.get("data_sha256", "")) for one in (sealed, computed))
    if data and now and data != now:
        told.append(f"the data ({data[:SHOWN]} then, {now[:SHOWN]} now)")
    return ", ".join(told)


def _parts(name: str, value: str) -> list[str]:
    if name == "plugins":
        return [part for part in value.split("; ") if part]
    return [value] if name == "data_sha256" else value.split()


def _differ(name: str, there: list[str], here: list[str]) -> bool:
    if name == "plugins":  # a study that was extended may use more of them than it did
        return not (set(there) <= set(here) or set(here) <= set(there))
    return there != here


def _without(parts: list[str], others: list[str]) -> str:
    """Those parts that the others lack; of a checksum the first digits."""
    left = [part for part in parts if part not in others]
    return " ".join(part[:SHOWN] if len(part) == 64 else part for part in left) or "nothing"
