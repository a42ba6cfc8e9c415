"""Write RESULTS.md and speed.png from what the other scripts measured.

Usage: python benchmarks/results.py
"""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from rows import ROWS, Row, processor

HERE = Path(__file__).parent
OURS = "bnstudy"
BEST_LOOP, BEST_JAX = "tight loop, best of both", "JAX, best of both"
TABLES = (ROWS[:4], ROWS[4:])
# How many times as long as bnstudy each is to take, at least; every other one is to take as long.
TARGETS = {
    "CNN": {"PyTorch example": 20, BEST_LOOP: 8},
    "CNN with BN": {"PyTorch example": 20, BEST_LOOP: 8},
    "MLP": {"PyTorch example": 16, BEST_LOOP: 2.5, BEST_JAX: 1.5, "arithmetic alone": 1},
    "MLP with BN": {"PyTorch example": 16, BEST_LOOP: 2.5, BEST_JAX: 1.5, "arithmetic alone": 1},
}

Rounds = dict[str, dict[int, float]]  # seconds a run-epoch, by contestant and round


def measured() -> dict[str, dict[str, Rounds]]:
    """What was measured, by processor and row."""
    found: dict = defaultdict(lambda: defaultdict(lambda: defaultdict(dict)))
    for line in _lines():
        found[line["processor"]][line["row"]][line["contestant"]][line["round"]] = line["seconds"]
    for by_row in found.values():
        for by_name in by_row.values():
            for best, names in ((BEST_LOOP, ("tight loop, all threads", "tight loop, one thread")),
                                (BEST_JAX, ("JAX", "JAX, patches"))):  # fmt: skip
                several = [by_name[name] for name in names if name in by_name]
                if several:
                    rounds = set.intersection(*map(set, several))
                    by_name[best] = {r: min(one[r] for one in several) for r in sorted(rounds)}
    return found


def _lines() -> list[dict]:
    return [json.loads(text) for text in (HERE / "speed.jsonl").read_text().splitlines()]


def spread(values: list[float], style: str = "{:.2f}") -> str:
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{style.format(middle)} ({style.format(low)}–{style.format(high)})"


def ratio(by_name: Rounds, name: str) -> list[float]:
    """How many times as long it takes as bnstudy, round by round."""
    return [seconds / by_name[OURS][r] for r, seconds in by_name[name].items() if r in by_name[OURS]]


def table(found: dict[str, Rounds], rows: Sequence[Row]) -> list[str]:
    rows = [row for row in rows if row.title in found]
    names = {name: None for row in rows for name in found[row.title]}
    best = {name: max(statistics.median(ratio(found[r.title], name)) for r in rows if name in found[r.title])
            for name in names}  # fmt: skip
    lines = ["| | " + " | ".join(row.title for row in rows) + " |", "|---|" + "---|" * len(rows)]
    own = [spread(list(found[row.title][OURS].values()), "{:.3f}") for row in rows]
    lines.append("| **bnstudy**, seconds a run-epoch | " + " | ".join(own) + " |")
    for name in sorted(names, key=lambda name: -best[name]):
        if name != OURS:
            lines.append(f"| {name} | " + " | ".join(_cell(found[row.title], row.title, name) for row in rows) + " |")
    return lines


def _cell(by_name: Rounds, title: str, name: str) -> str:
    if name not in by_name:
        return "–"
    values = ratio(by_name, name)
    target = TARGETS.get(title, {}).get(name)
    reached = statistics.median(values)
    if target is not None:
        return f"{spread(values)}, target {target:g}{' ✓' if reached >= target else ' ✗'}"
    return spread(values) + (" ✗" if reached < 1 and name != "arithmetic alone" else "")


def compiling(processor: str) -> str:
    """How long JAX took to compile."""
    found = defaultdict(list)
    for line in _lines():
        if line["processor"] == processor and "compiling" in line:
            found[line["contestant"]].append(line["compiling"])
    return "; ".join(f"{name} {min(times):.1f} to {max(times):.1f} s" for name, times in sorted(found.items()))


def draw(found: dict[str, Rounds]) -> None:
    rows = [row for row in TABLES[0] if row.title in found]
    names = {n for row in rows for n in found[row.title]} - {BEST_LOOP, BEST_JAX}
    firsts = {n: next(found[row.title][n] for row in rows if found[row.title].get(n)) for n in names}
    names = sorted(names, key=lambda name: statistics.median(firsts[name].values()))
    figure, axes = plt.subplots(1, len(rows), figsize=(11, 4), sharex=True, sharey=True, layout="constrained")
    for ax, row in zip(axes, rows, strict=True):
        for i, name in enumerate(names):
            if not found[row.title].get(name):
                continue
            values = list(found[row.title][name].values())
            colour = "#D55E00" if name.startswith(OURS) else "0.45"
            marker = "s" if name.startswith(OURS) else "o"
            ax.plot([min(values), max(values)], [i, i], color=colour, linewidth=2)
            ax.plot(statistics.median(values), i, marker, color=colour, markersize=6)
        ax.set(xscale="log", title=row.title, xlabel="seconds a run-epoch")
        ax.grid(axis="x", which="both", linewidth=0.4, alpha=0.5)
        ax.spines[["top", "right"]].set_visible(False)
    ticks = [0.1, 0.3, 1, 3, 10]
    axes[0].set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes[0].set_yticks(range(len(names)), names)
    axes[0].invert_yaxis()
    rounds = sorted({len(found[row.title][OURS]) for row in rows})
    told = f"median and range of {' to '.join(map(str, rounds))} rounds" if rounds != [1] else "one round"
    figure.suptitle(f"A run's epoch of MNIST's size, the whole machine: {told} (log scale)")
    figure.savefig(HERE / "speed.png", dpi=150)


def speeds(processor: str, found: dict[str, Rounds]) -> list[str]:
    """One processor's tables."""
    lines = [f"### {processor}", ""]
    for rows in TABLES:
        if any(row.title in found for row in rows):
            lines += [*table(found, rows), ""]
    return [*lines, f"Compiling, not counted: {compiling(processor)}.", ""]


def main() -> None:
    found = measured()
    here = processor()
    fullest = max(found.values(), key=len)  # of a machine where a few rows were measured there is no picture
    draw(found[here] if len(found.get(here, ())) == len(fullest) else fullest)
    scale = json.loads((HERE / "scale.json").read_text())
    analysis = [json.loads(line) for line in (HERE / "analysis.jsonl").read_text().splitlines()]
    runs = ["| runs | seconds | seconds a run | parent, MiB | largest worker, MiB |", "|---|---|---|---|---|"]
    for line in scale["by_runs"]:
        each = line["seconds"] / line["runs"]
        peaks = f"{line['parent_MiB']:.0f} | {line['largest_worker_MiB']:.0f}"
        runs.append(f"| {line['runs']} | {line['seconds']:.1f} | {each:.3f} | {peaks} |")
    starts = [f"| `{name}` | {seconds:.2f} |" for name, seconds in scale["start_seconds"].items()]
    parts = [f"| {line['what']} | {line['seconds']:.1f} | {line['GiB']:.2f} |" for line in analysis]
    text = [
        "# Benchmarks",
        "",
        "Written by `make bench`; do not edit. What the numbers mean, and why some targets are not met, is in",
        "[README.md](README.md).",
        "",
        "## Against other ways to train",
        "",
        "How many times as long as bnstudy a run-epoch takes, the whole machine each: median (range) of the rounds,",
        "interleaved in one run. A run-epoch is an epoch of MNIST's size, evaluation included, measured on a part of",
        "it. Targets are the project's; ✗ without one marks a way that is faster than bnstudy.",
        "",
        *(line for processor, rows in found.items() for line in speeds(processor, rows)),
        "![Seconds a run-epoch](speed.png)",
        "",
        "## Against the number of runs",
        "",
        f"On {scale['processor']}. {scale['versions']}.",
        "",
        *runs,
        "",
        "## Start",
        "",
        "| | seconds |",
        "|---|---|",
        *starts,
        "",
        "## Analysis of 100,000 runs of 50 epochs",
        "",
        f"By bnstudy {', '.join(sorted({line['version'] for line in analysis}))}.",
        "",
        "| | seconds | peak GiB |",
        "|---|---|---|",
        *parts,
        "",
    ]
    (HERE / "RESULTS.md").write_text("\n".join(text))


if __name__ == "__main__":
    main()
