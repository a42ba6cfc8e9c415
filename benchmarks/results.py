"""Write RESULTS.md and speed.png from what the other scripts measured.

Usage: python benchmarks/results.py
"""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from pathlib import Path

import matplotlib.pyplot as plt
from bnstudy.study import provenance

HERE = Path(__file__).parent
TASKS = [("cnn", "none"), ("cnn", "batch"), ("mlp", "none"), ("mlp", "batch")]
NAMES = {"cnn": "CNN", "mlp": "MLP", "none": "", "batch": " with BN"}
OURS = "bnstudy"
BEST_LOOP = "tight loop, best of both"
TARGETS = {
    ("PyTorch example", "cnn"): 30,
    ("PyTorch example", "mlp"): 15,
    (BEST_LOOP, "cnn"): 8,
    (BEST_LOOP, "mlp"): 1.7,
    ("arithmetic alone", "cnn"): 0.33,
    ("arithmetic alone", "mlp"): 0.67,
}


def rounds() -> dict[tuple[str, str], dict[str, dict[int, float]]]:
    """Seconds a run-epoch, by task, contestant and round."""
    found: dict = defaultdict(lambda: defaultdict(dict))
    for text in (HERE / "speed.jsonl").read_text().splitlines():
        line = json.loads(text)
        found[line["model"], line["norm"]][line["contestant"]][line["round"]] = line["seconds"]
    for by_name in found.values():
        loops = by_name["tight loop, all threads"], by_name["tight loop, one thread"]
        by_name[BEST_LOOP] = {r: min(loop[r] for loop in loops) for r in loops[0]}
    return found


def spread(values: list[float], style: str = "{:.2f}") -> str:
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{style.format(middle)} ({style.format(low)}–{style.format(high)})"


def ratio(by_name: dict[str, dict[int, float]], name: str) -> list[float]:
    """How many times as long it takes as bnstudy, round by round."""
    return [seconds / by_name[OURS][r] for r, seconds in by_name[name].items() if r in by_name[OURS]]


def table(found: dict) -> list[str]:
    names = [name for name in found[TASKS[0]] if name != OURS]
    names.sort(key=lambda name: -statistics.median(ratio(found[TASKS[0]], name)))
    titles = [NAMES[model] + NAMES[norm] for model, norm in TASKS]
    lines = ["| | " + " | ".join(titles) + " |", "|---|" + "---|" * len(TASKS)]
    own = [spread(list(found[task][OURS].values()), "{:.3f}") for task in TASKS]
    lines.append("| **bnstudy**, seconds a run-epoch | " + " | ".join(own) + " |")
    for name in names:
        cells = []
        for task in TASKS:
            values = ratio(found[task], name)
            target = TARGETS.get((name, task[0]))
            aim = (
                "" if target is None else f", target {target:g}{' ✓' if statistics.median(values) >= target else ' ✗'}"
            )
            cells.append(f"{spread(values)}{aim}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def aim(target: float | None, reached: float) -> str:
    """The target, and whether it is met."""
    return "" if target is None else f", target {target:g} {'met' if reached >= target else 'not met'}"


def draw(found: dict) -> None:
    names = sorted(found[TASKS[0]], key=lambda name: statistics.median(found[TASKS[0]][name].values()))
    names.remove(BEST_LOOP)
    figure, axes = plt.subplots(1, len(TASKS), figsize=(11, 3.6), sharex=True, sharey=True, layout="constrained")
    for ax, task in zip(axes, TASKS, strict=True):
        for i, name in enumerate(names):
            values = list(found[task][name].values())
            colour = "#D55E00" if name.startswith(OURS) else "0.45"
            marker = "s" if name.startswith(OURS) else "o"
            ax.plot([min(values), max(values)], [i, i], color=colour, linewidth=2)
            ax.plot(statistics.median(values), i, marker, color=colour, markersize=6)
        ax.set(xscale="log", title=NAMES[task[0]] + NAMES[task[1]], xlabel="seconds a run-epoch")
        ax.grid(axis="x", which="both", linewidth=0.4, alpha=0.5)
        ax.spines[["top", "right"]].set_visible(False)
    ticks = [0.1, 0.3, 1, 3, 10]
    axes[0].set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes[0].set_yticks(range(len(names)), names)
    axes[0].invert_yaxis()
    count = len(next(iter(found[TASKS[0]].values())))
    figure.suptitle(
        f"Time of one run's epoch of MNIST on the whole machine: median and range of {count} rounds (log scale)"
    )
    figure.savefig(HERE / "speed.png", dpi=150)


def main() -> None:
    found = rounds()
    draw(found)
    scale = json.loads((HERE / "scale.json").read_text())
    analysis = [json.loads(line) for line in (HERE / "analysis.jsonl").read_text().splitlines()]
    share = json.loads((HERE / "speed.jsonl").read_text().splitlines()[0])["share"]
    count = len(next(iter(found[TASKS[0]].values())))
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
        f"Machine: {provenance.machine()}. {provenance.versions()}.",
        "",
        "## Against other ways to train",
        "",
        f"How many times as long as bnstudy a run-epoch takes, the whole machine each: median (range) of {count}",
        "rounds, interleaved in one run. A run-epoch is an epoch of MNIST's size, evaluation included, measured on",
        f"{share:g} of it. Targets are the project's; arithmetic alone is to take 0.33 (CNN) and 0.67 (MLP) or more.",
        "",
        *table(found),
        "",
        "![Seconds a run-epoch](speed.png)",
        "",
        "## Against the number of runs",
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
        "| | seconds | peak GiB |",
        "|---|---|---|",
        *parts,
        "",
    ]
    (HERE / "RESULTS.md").write_text("\n".join(text))


if __name__ == "__main__":
    main()
