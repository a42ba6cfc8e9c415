"""The kernel as a wheel may carry it, for whoever has no C++ compiler: one library for each kind of processor.

``make wheel`` puts them there (:func:`build`); a pure wheel and a checkout have none. A compiler that is at hand builds
for the machine itself, which is faster.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable
from pathlib import Path

from bnstudy.training.replicas.lanes import compiling

FOLDER = Path(__file__).parent / "prebuilt"
BUILT_BY = "compiler.txt"
# What a processor says of itself where it has all that a level of x86-64 stands for (the System V ABI), best first.
V3 = frozenset({"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"})
LEVELS = {"x86-64-v4": V3 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}, "x86-64-v3": V3}
ARM = "armv8-a"
STANDS_ALONE = ("-static-libstdc++", "-static-libgcc")  # so that it runs where no C++ library is installed


def levels(processor: Iterable[str], machine: str) -> list[str]:
    """The kinds of library that a processor can run, the best first."""
    if machine in ("aarch64", "arm64"):
        return [ARM]
    flags = {word for line in processor if line.startswith("flags") for word in line.split()}
    return [level for level, needed in LEVELS.items() if needed <= flags] if machine == "x86_64" else []


def find() -> tuple[Path, str] | None:
    """The best library that is here for this processor, and what built it; None where there is none."""
    for level in levels(compiling.processor(), platform.machine()):
        path = FOLDER / f"lanes-{level}.so"
        if compiling.is_sealed(path):
            told = (FOLDER / BUILT_BY).read_text(encoding="utf-8").strip()
            return path, f"{told} for {level}, carried by the wheel"
    return None


def build(folder: Path) -> list[Path]:
    """Build the library of every level that is compiled on this kind of machine.

    Raises
    ------
    NoKernelError
        There is no compiler, or it cannot build them.
    """
    compiler = compiling.find_compiler()
    folder.mkdir(parents=True, exist_ok=True)
    built = []
    for level in [ARM] if platform.machine() == "aarch64" else LEVELS:
        path = folder / f"lanes-{level}.so"
        compiling.compile_sealed(compiler, path, f"-march={level}", *STANDS_ALONE)
        built.append(path)
    (folder / BUILT_BY).write_text(compiling.version_of(compiler).partition("\n")[0].strip() + "\n", encoding="utf-8")
    return built
