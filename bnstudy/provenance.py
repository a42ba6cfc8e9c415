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
ENVIRONMENT = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "CUBLAS_WORKSPACE_CONFIG")


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
    root = Path(__file__).resolve().parent.parent
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


def attributes(device: str) -> dict[str, str]:
    """Provenance as netCDF attributes."""
    return {
        "created": now(),
        "versions": versions(),
        "machine": machine(),
        "instructions": instructions(),
        "device": device,
        "git_commit": git_commit(),
        "environment": environment(),
    }


def computed_by(attributes: Mapping[str, str]) -> dict[str, str]:
    """What of its provenance the last bits of a result depend on; how many cores there are does not matter."""
    found = {name: attributes[name] for name in ("device", "kernel", "versions", "instructions") if name in attributes}
    if "machine" in attributes:
        found["machine"] = attributes["machine"].rpartition(",")[0]
    return found


def differing(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """In what two answers of :func:`computed_by` differ, in words; empty where they are the same."""
    names = [name for name in before if before[name] != now.get(name)]
    return "; ".join(f"{name}: {_without(before[name], now.get(name, ''))}" for name in names)


def _without(before: str, now: str) -> str:
    """What differs between two lists of words."""
    there, here = before.split(), now.split()
    return f"{' '.join(w for w in there if w not in here)} before, {' '.join(w for w in here if w not in there)} now"
