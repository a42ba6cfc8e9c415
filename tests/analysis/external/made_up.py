"""Small tables of the shapes that other tools write, and what is said about them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from bnstudy.analysis.external import Asked, Scored, read

SAID: dict[str, Any] = {
    "treatment": "norm", "control": "none", "condition": "init", "reference": "good", "seed": "seed", "step": "step",
    "value": "acc",
}  # fmt: skip
ANSWER = {"good": 0.4483, "bad": 0.2727}  # the gains in `table()`, by hand: mean of log2((1 - control)/(1 - treated))


def table(seeds: int = 3, steps: int = 5) -> pd.DataFrame:
    """Two arms in two conditions; accuracies of two decimals, rising, higher with the norm."""
    rows = [
        {"norm": norm, "init": init, "seed": seed, "step": step,
         "acc": round(0.5 + 0.05 * step + 0.01 * seed + 0.1 * (norm == "batch") - 0.2 * (init == "bad"), 4)}
        for norm in ("none", "batch") for init in ("good", "bad") for seed in range(seeds) for step in range(steps)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def run_of(frame: pd.DataFrame, norm: str = "none", init: str = "good", seed: int = 0) -> Any:
    """Which rows are of one run."""
    return (frame.norm == norm) & (frame.init == init) & (frame.seed == seed)


def said(**further: Any) -> Asked:
    """What is said about `table()`, and more."""
    return Asked(**{**SAID, **further})


def score(source: Any, **further: Any) -> Scored:
    """A source read as `said`."""
    return read(source, said(**further))


def gains(scored: Scored) -> dict[str, float]:
    """The median gain in each condition."""
    over = scored.scores.squeeze(["model", "setting"], drop=True)
    gain = (over.isel(arm=0, drop=True) - over.isel(arm=1, drop=True)).median("seed")
    return {str(label): round(float(one), 4) for label, one in zip(gain.condition.values, gain.values, strict=True)}


def writer(folder: Path) -> Callable[[str | bytes], Path]:
    """A function that writes a file of this content."""

    def write(content: str | bytes) -> Path:
        path = folder / "runs.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write
