"""``bnstudy doctor``."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from bnstudy.cli.options import DataDir
from bnstudy.study import provenance
from bnstudy.study.errors import first_line, one_line


def doctor(data_dir: DataDir = None) -> None:
    """Check this machine: versions, devices, data folder."""
    for name, value in checks(data_dir):
        print(f"{name:12} {value}")


def checks(data_dir: str | None) -> Iterator[tuple[str, str]]:
    """Name and finding of each check, in order; a problem is a finding too."""
    for pair in provenance.versions().split():
        name, _, version = pair.partition("==")
        yield name, version
    yield "machine", provenance.machine()
    yield from _torch()
    yield "kernel", _kernel()
    yield from _data(data_dir)
    yield "results", _writable(Path("results"))


def _torch() -> Iterator[tuple[str, str]]:
    import torch

    from bnstudy.training.running.cores import usable_cores
    from bnstudy.training.running.this_machine import resolve_device

    yield "cores", f"{usable_cores()} usable, one single-threaded worker each"
    names = (
        [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    )
    yield "GPU", ", ".join(names) or "none that torch can use"
    yield "device", f"auto means {resolve_device('auto')}"
    try:
        import torchvision.datasets  # noqa: F401
    except Exception as error:  # a mismatched torchvision fails in its own ways
        yield "problem", f"torchvision cannot be imported ({first_line(error)}): install one that fits torch"


def _kernel() -> str:
    from bnstudy.training.replicas.lanes import lanes

    built = lanes.attempt()
    if isinstance(built, str):
        return f"none: {one_line(built)}; convolutions take PyTorch's code, which is slower for small networks"
    return f"lanes, built by {built.compiler}{one_line(built.elsewhere)}"


def _data(data_dir: str | None) -> Iterator[tuple[str, str]]:
    from bnstudy.training.datasets.data import data_folder

    folder = data_folder(data_dir)
    names = sorted(path.parent.name for path in folder.glob("*/raw")) if folder.is_dir() else []
    yield "data", f"{folder}: {', '.join(names) or 'no data sets yet; they are downloaded on first use'}"


def _writable(folder: Path) -> str:
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(nearest).free / 2**30
    return f"{folder.absolute()}: {'writable' if os.access(nearest, os.W_OK) else 'NOT writable'}, {free:.1f} GiB free"
