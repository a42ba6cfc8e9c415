"""``bnstudy verify``."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bnstudy.cli.options import AsJson, DataDir, StudyFolder, whole_number
from bnstudy.cli.terminal import prints_aside
from bnstudy.study.errors import InputError

if TYPE_CHECKING:
    from bnstudy.training.running.retraining import Retrained

SHOWN = (1, 2, 3, 5)  # epochs, and from there each doubled, and the last
WORDS = {
    "same": "the same numbers",
    "alike": "in its first epoch as near as rounding lets it be",
    "wrong": "NOT what plain training gives",
    "no telling": "no telling: rounding alone moves its first epoch by a tenth or more",
}


def verify(
    folder: StudyFolder,
    again: Annotated[
        str | None,
        typer.Option(
            "--retrain", metavar="K", help="Also train K runs once more, drawn at random, each alone.",
            show_default=False,
        ),
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Check every file of a study against its checksum and, if asked, some of its runs against plain training."""
    count = None if again is None else whole_number(again, "retrain")
    if count is not None and count < 1:
        raise InputError(f"must be 1 or more, not {count}", "retrain")
    from bnstudy.storage.verification import verify as find

    findings = find(folder)
    files = [{"path": str(f.path), "kind": f.kind, "advice": f.advice} for f in findings]
    if as_json and (findings or count is None):
        print(json.dumps({"files": files, "retrained": None if count is None else []}))
    elif not as_json:
        for finding in findings:
            print(f"{finding.path}: {finding.kind}; {finding.advice}")
    if findings:
        raise InputError(f"{folder}: {len(findings)} of its files are not as they should be")
    if not as_json:
        print(f"{folder}: every file is as it was written")
    if count is not None:
        _retrain(folder, count, data_dir, as_json)


def _retrain(folder: str, count: int, data_dir: str | None, as_json: bool) -> None:
    import numpy as np

    from bnstudy.training.running.retraining import retrain

    def report(run: Retrained) -> None:
        if not as_json:
            _print(run)

    if not as_json:
        print("\ntrained again, each alone; the larger relative distance of the two losses, epoch by epoch:")
    with prints_aside() if as_json else nullcontext():
        retrained = retrain(folder, count, np.random.default_rng(), data_dir, report=report)
    if as_json:
        print(json.dumps({"files": [], "retrained": [_plain(run) for run in retrained]}))
    if wrong := sum(run.verdict == "wrong" for run in retrained):
        raise InputError(f"{folder}: {wrong} of the {len(retrained)} runs trained again are not what is stored")


def _print(one: Retrained) -> None:
    run = one.run
    print(f"\n{run.model}, {run.norm}, {run.init}, {run.optimizer}, rate {run.lr:g}, seed {run.seed}: "
          f"{WORDS[one.verdict]}")  # fmt: skip
    if one.note:
        print(f"  {one.note}")
    if one.verdict == "same":
        return
    print(f"  {'epoch':>5}  {'stored from reference':>21}  {'reference from double precision':>31}  test accuracy")
    for epoch in _shown(len(one.apart)):
        own = "-" if one.rounding is None else f"{one.rounding[epoch - 1]:.1e}"
        points = f"{one.points[epoch - 1]:.2f} points"
        print(f"  {epoch:5}  {one.apart[epoch - 1]:21.1e}  {own:>31}  {points:>13}")


def _shown(epochs: int) -> list[int]:
    shown = list(SHOWN)
    while shown[-1] < epochs:
        shown.append(2 * shown[-1])
    return sorted({*(epoch for epoch in shown if epoch <= epochs), epochs})


def _plain(one: Retrained) -> dict[str, Any]:
    """A run's distances as JSON; what is not finite is null."""
    import dataclasses
    import math

    def numbers(values: Any) -> list[float | None] | None:
        return None if values is None else [float(v) if math.isfinite(v) else None for v in values]

    return {
        "run": dataclasses.asdict(one.run), "outcome": one.verdict, "note": one.note,
        "stored_from_reference": numbers(one.apart), "reference_from_double": numbers(one.rounding),
        "test_accuracy_points": numbers(one.points),
    }  # fmt: skip
