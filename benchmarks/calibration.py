"""How often the verdict is right: made-up studies with known truth, through the analysis as it is.

`make calibration` runs it (some minutes), and writes docs/calibration.json, docs/calibration.svg and .png. What it
found stands in docs/statistics.md.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from bnstudy.analysis.assessment import assess
from bnstudy.analysis.figures import style
from simulation import NOISES, Truth, simulate, true_interaction

ROOT = Path(__file__).resolve().parent.parent
STUDIES = 4_000
SEED = 20260101
FALSE = {  # name: epochs saved at the well init and at the poor ones
    "no effect anywhere": (0.0, 0.0),
    "helps everywhere by 1": (1.0, 1.0),
    "helps everywhere by 6": (6.0, 6.0),
}
LEVELS = (1, 2, 4, 9)  # poor inits; the published study has nine
SEEDS = (5, 7, 10, 15, 20)
EFFECTS = (1.0, 2.0, 4.0, 8.0)


def study(truth: Truth, studies: int, seed: list[int]) -> dict[str, float]:
    """What the analysis says of studies of one truth: shares of verdicts, and of intervals that hold the truth."""
    generator = np.random.default_rng([SEED, *seed])
    result = assess(simulate(truth, studies, generator)).squeeze(["norm", "optimizer", "lr"])
    poor = result.isel(init=slice(1, None))
    primary = poor.sel(response="epochs_to_target")
    actual = true_interaction(truth, generator)
    covered = (primary.did_low.values <= actual) & (actual <= primary.did_high.values)
    supported = poor.overall.values == "supported"
    return {
        "supported": float(supported.any(1).mean()),
        "supported_each": float(supported.mean()),
        "coverage": float(covered.mean()),
        "censored": float(poor.censored.values.mean()),
        "true_interaction": float(actual.mean()),
    }


def measure(studies: int = STUDIES) -> dict[str, list[dict[str, Any]]]:
    """Every setting: those in which "supported" is false, and those in which it is true."""
    found: dict[str, list[dict[str, Any]]] = {"false": [], "power": []}
    for i, (name, (well, poor)) in enumerate(FALSE.items()):
        for j, noise in enumerate(NOISES):
            for levels in LEVELS:
                truth = Truth(well, poor, levels, 10, noise)
                row = {"truth": name, "noise": noise, "poor_levels": levels, "seeds": 10, "studies": studies}
                found["false"].append({**row, **study(truth, studies, [1, i, j, levels])})
    for seeds in SEEDS:
        for effect in EFFECTS:
            truth = Truth(0.0, effect, 4, seeds)
            row = {"effect": effect, "poor_levels": 4, "seeds": seeds, "studies": studies}
            found["power"].append({**row, **study(truth, studies, [2, seeds, int(effect)])})
    return found


def draw(found: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """False "supported", coverage and power, side by side."""
    with style.house_style():
        figure, axes = style.grid(1, 3, width=3.3, height=3.2)
        first, second, third = axes[0]
        for j, noise in enumerate(NOISES):
            look = {**style.arm_style(j), "linestyle": "none"}
            rows = [row for row in found["false"] if row["noise"] == noise]
            at = [list(FALSE).index(row["truth"]) + 0.22 * (j - 1) + 0.04 * LEVELS.index(row["poor_levels"])
                  for row in rows]  # fmt: skip
            first.plot(at, [100 * row["supported"] for row in rows], label=noise, **look)
            second.plot(at, [100 * row["coverage"] for row in rows], label=noise, **look)
        for axis in (first, second):
            names = [name.replace(" anywhere", "\nanywhere").replace("helps everywhere ", "helps\neverywhere\n")
                     for name in FALSE]  # fmt: skip
            axis.set_xticks(range(len(FALSE)), names)
        first.axhline(5, color="black", linewidth=1)
        first.set(title='studies falsely called "supported"', ylabel="% of studies", ylim=(0, 7))
        second.axhspan(93, 97, color="#eeeeee", zorder=0)
        second.axhline(95, color="black", linewidth=1)
        second.set(title="95 % intervals that hold the truth", ylabel="% of intervals")
        for j, effect in enumerate(EFFECTS):
            rows = [row for row in found["power"] if row["effect"] == effect]
            third.plot([row["seeds"] for row in rows], [100 * row["supported_each"] for row in rows],
                       label=f"saves {effect:g} epoch{'s' * (effect > 1)}", **style.arm_style(j))  # fmt: skip
        third.set(title='poor inits rightly called "supported"', xlabel="seeds", ylabel="% of inits", ylim=(-3, 103))
        first.legend()
        third.set_xticks(SEEDS)
        third.legend(loc="center right", bbox_to_anchor=(1, 0.33))
        note = (f"{found['false'][0]['studies']} simulated studies a point; left and middle: 10 seeds, 1, 2, 4 and 9 "
                "poor inits from left to right")  # fmt: skip
        style.finish(figure, None, "How often the verdict is right", note)
        style.save(figure, path)


def main() -> None:
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else STUDIES
    found = measure(studies)
    if studies == STUDIES:
        (ROOT / "docs" / "calibration.json").write_text(json.dumps(found, indent=1) + "\n")
        draw(found, ROOT / "docs" / "calibration")
    for kind, rows in found.items():
        print(kind)
        for row in rows:
            print(
                "  " + "  ".join(f"{value:.3f}" if isinstance(value, float) else f"{value}" for value in row.values())
            )


if __name__ == "__main__":
    main()
