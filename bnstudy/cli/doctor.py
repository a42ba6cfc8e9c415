"""``bnstudy doctor``."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bnstudy.cli.options import AsJson, DataDir
from bnstudy.cli.terminal import print_listed
from bnstudy.study import preferences, provenance
from bnstudy.study.errors import InputError, first_line, one_line


def doctor(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Check this machine: versions, devices, your settings and where they come from, data folder."""
    found = findings(data_dir)
    if as_json:
        import json

        print(json.dumps(found, indent=1))
        return
    for name, value in _lines(found):
        print_listed(name, value, 13)


def findings(data_dir: str | None) -> dict[str, Any]:
    """What is here, as plain values; a problem is a finding too."""
    from bnstudy.training.datasets.data import data_folder
    from bnstudy.training.running.cores import usable_cores

    problems: list[str] = []
    settings: dict[str, Any] = {}
    asked = (
        ("data_dir", lambda: data_folder(data_dir)),
        ("jobs", lambda: preferences.setting("jobs", None, usable_cores())),
        ("device", lambda: preferences.setting("device", None, "auto")),
    )
    for key, find in asked:
        try:
            one = find()
        except InputError as error:
            problems += [str(error)] if str(error) not in problems else []  # of one file
            settings[key] = None
        else:
            value = one.value if key == "jobs" else str(one.value)
            settings[key] = {"value": value, "source": "--data-dir" if one.source == preferences.GIVEN else one.source}
    file = preferences.config_file()
    folder = settings["data_dir"] and Path(settings["data_dir"]["value"])
    return {
        "versions": dict(pair.split("==", 1) for pair in provenance.versions().split()),
        "machine": provenance.machine(),
        "cores": usable_cores(),
        **_devices(settings["device"], problems),
        **_kernel(),
        "settings_file": {"path": str(file), "is_there": os.path.exists(file)},
        "settings": settings,
        "data_sets": sorted(path.parent.name for path in folder.glob("*/raw")) if folder and folder.is_dir() else [],
        "results": _results(Path("results")),
        "problems": problems,
    }


def _devices(asked: dict[str, Any] | None, problems: list[str]) -> dict[str, Any]:
    import torch

    from bnstudy.training.running.this_machine import resolve_device

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    try:
        import torchvision.datasets  # noqa: F401
    except Exception as error:  # a mismatched torchvision fails in its own ways
        problems.append(f"torchvision cannot be imported ({first_line(error)}): install one that fits torch")
    try:
        used = resolve_device() if asked else None
    except InputError as error:
        problems.append(str(error))
        used = None
    return {"gpus": [torch.cuda.get_device_name(i) for i in range(count)], "device": used}


def _kernel() -> dict[str, Any]:
    import torch

    from bnstudy.training.replicas.lanes import lanes, trial

    built = lanes.attempt()
    if isinstance(built, str):
        told = f"none: {one_line(built)}; training takes PyTorch's code, which is slower for small networks"
        return {"kernel": told, "register_bits": None, "kernel_gflops": None, "product_gflops": None}
    return {
        "kernel": f"lanes, built by {built.compiler}{one_line(built.elsewhere)}",
        "register_bits": 32 * built.lanes(torch.float32),
        "kernel_gflops": round(built.gflops(), 1),
        "product_gflops": round(trial.of_a_product(), 1),
    }


def _results(folder: Path) -> dict[str, Any]:
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return {
        "path": str(folder.absolute()),
        "is_writable": os.access(nearest, os.W_OK),
        "free_gib": round(shutil.disk_usage(nearest).free / 2**30, 1),
    }


def _lines(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and finding of each check, in order."""
    yield from found["versions"].items()
    yield "machine", found["machine"]
    yield "cores", f"{found['cores']} usable, one single-threaded worker each"
    yield "GPU", ", ".join(found["gpus"]) or "none that torch can use"
    yield "kernel", found["kernel"]
    if bits := found["register_bits"]:
        speeds = f"{found['kernel_gflops']} GFLOP/s a core in a small convolution, {found['product_gflops']}"
        yield "", f"registers of {bits} bits; {speeds} in a large matrix product"
    file = found["settings_file"]
    yield "settings", file["path"] + ("" if file["is_there"] else " (not there)")
    settings = found["settings"]
    if jobs := settings["jobs"]:
        yield "jobs", f"{jobs['value']} ({jobs['source']})"
    if device := settings["device"]:
        means = f", which is {found['device']}" if device["value"] == "auto" and found["device"] else ""
        yield "device", f"{device['value']}{means} ({device['source']})"
    if data := settings["data_dir"]:
        names = ", ".join(found["data_sets"]) or "no data sets yet; they are downloaded on first use"
        yield "data", f"{data['value']} ({data['source']}): {names}"
    results = found["results"]
    writable = "writable" if results["is_writable"] else "NOT writable"
    yield "results", f"{results['path']}: {writable}, {results['free_gib']} GiB free"
    yield from (("problem", problem) for problem in found["problems"])
