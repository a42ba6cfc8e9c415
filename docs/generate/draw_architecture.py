"""Draw docs/explanation/architecture.svg from the imports: ``make architecture``.

Boxes stand on the floors that the import contracts in pyproject.toml give them. An arrow goes from a box to one whose
modules it imports, unless a way over other boxes leads there as well. The script fails if an arrow would point up.
"""

from __future__ import annotations

import sys
import textwrap
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import grimp
import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

ROOT = Path(__file__).resolve().parent.parent.parent
PICTURE = ROOT / "docs" / "explanation" / "architecture.svg"
WIDTH, GAP, HEIGHT = 10.0, 0.25, 1.0  # of the picture's rows, in its own units
COLOURS = {"cli": "#eeeeee", "training": "#fde3c8", "analysis": "#cfe3f5", "storage": "#dfeee0", "study": "#f3ecc8"}


@dataclass(frozen=True)
class Box:
    """Modules that are drawn as one: their name, what stands in the box, and where."""

    name: str
    text: str
    x: float
    y: float
    width: float
    part: str


def floors(contract: str) -> list[list[str]]:
    """The floors of a contract in pyproject.toml, the uppermost first, each with its modules from left to right."""
    about = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (one["layers"] for one in about if one["name"] == contract)
    return [[name.strip() for name in layer.replace(":", "|").split("|")] for layer in layers]


def boxes() -> list[Box]:
    """Every box, from the contracts."""
    tower = {"training": floors("Inside training"), "analysis": floors("Inside analysis")}
    rest = tower["analysis"].pop()  # drawn as one box
    middle = (WIDTH - GAP) / 2
    left = {"training": 0.0, "analysis": middle + GAP}
    top = max(map(len, tower.values())) + 1.0
    found = [Box("cli", "cli: parse, call, print; one file a command", 0, top + 2, WIDTH, "cli")]
    for part, rows in tower.items():
        rows = [*rows, rest] if part == "analysis" else rows
        for i, row in enumerate(rows):
            y = top + 1 - i * top / len(rows)
            if row is rest:
                found.append(Box("analysis", ", ".join(rest), left[part], y, middle, part))
                continue
            width = (middle - GAP * (len(row) - 1)) / len(row)
            found += [Box(f"{part}.{name}", name, left[part] + j * (width + GAP), y, width, part)
                      for j, name in enumerate(row)]  # fmt: skip
    return [
        *found,
        Box("storage", "storage: what is kept", 0, 0, WIDTH, "storage"),
        Box("study", "study: what is asked", 0, -1.6, WIDTH, "study"),
    ]


def arrows(drawn: list[Box]) -> Counter[tuple[str, str]]:
    """How many imports lead from one box to another."""
    graph = grimp.build_graph("bnstudy", exclude_type_checking_imports=True)
    names = sorted((box.name for box in drawn), key=len, reverse=True)

    def box_of(module: str) -> str | None:
        inner = module.removeprefix("bnstudy.")
        return next((name for name in names if inner == name or inner.startswith(f"{name}.")), None)

    counts: Counter[tuple[str, str]] = Counter()
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            one, other = box_of(module), box_of(imported)
            if one and other and one != other:
                counts[one, other] += 1
    return counts


def upward(drawn: list[Box], counts: Counter[tuple[str, str]]) -> list[tuple[str, str]]:
    """The arrows that would not point down."""
    y = {box.name: box.y for box in drawn}
    return [(one, other) for one, other in counts if y[one] <= y[other]]


def needed(counts: Counter[tuple[str, str]]) -> list[tuple[str, str]]:
    """The arrows without those that lead where a chain of others leads too."""
    below: dict[str, set[str]] = {}
    for one, other in counts:
        below.setdefault(one, set()).add(other)

    def reached(start: str) -> set[str]:
        return set().union(*({other} | reached(other) for other in below.get(start, ())))

    return sorted((one, other) for one, other in counts
                  if not any(other in reached(between) for between in below[one] - {other}))  # fmt: skip


def draw(drawn: list[Box], counts: Counter[tuple[str, str]], axes: Axes) -> None:
    """Boxes over arrows."""
    place = {box.name: box for box in drawn}
    for one, other in needed(counts):
        start, end = place[one], place[other]
        low, high = max(start.x, end.x), min(start.x + start.width, end.x + end.width)
        tail, head = ((low + high) / 2,) * 2 if low < high else (start.x + start.width / 2, end.x + end.width / 2)
        style = {"arrowstyle": "-|>", "color": "#444444", "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", (head, end.y + 0.6), (tail, start.y), arrowprops=style, zorder=1)
    for box in drawn:
        shape = FancyBboxPatch((box.x, box.y), box.width, 0.6, "round,pad=0,rounding_size=0.08",
                               facecolor=COLOURS[box.part], edgecolor="#333333", linewidth=0.8, zorder=2)  # fmt: skip
        axes.add_patch(shape)
        text = textwrap.fill(box.text, int(18 * box.width))
        axes.text(box.x + box.width / 2, box.y + 0.3, text, ha="center", va="center", zorder=3,
                  fontsize=9 if text == box.text else 6.5)  # fmt: skip
    for part, x in (("training: the tower that knows torch", 0), ("analysis: the tower that never does", WIDTH)):
        axes.text(x, drawn[0].y - 0.2, part, ha="left" if x == 0 else "right", va="center", fontsize=9, style="italic")
    axes.set(xlim=(-0.1, WIDTH + 0.1), ylim=(-1.8, drawn[0].y + 0.8))
    axes.axis("off")


def main() -> None:
    """Draw the picture, or say which imports point up."""
    drawn = boxes()
    counts = arrows(drawn)
    if wrong := upward(drawn, counts):
        sys.exit("these imports point up: " + "; ".join(f"{one} -> {other}" for one, other in wrong))
    with mpl.rc_context({"svg.hashsalt": "bnstudy", "svg.fonttype": "none"}):
        figure = Figure(figsize=(10, 9), layout="constrained")
        draw(drawn, counts, figure.add_subplot())
        figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    main()
