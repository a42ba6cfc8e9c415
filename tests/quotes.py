"""What README and docs quote from the published datasets: each number in the words it stands in, derived again.

``python -m tests.quotes`` prints them, for whoever writes the pages anew.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import xarray as xr
from bnstudy.analysis import responses
from bnstudy.analysis.assessment import RESPONSES, Response, assess
from bnstudy.analysis.claims import claims, claims_table
from bnstudy.analysis.comparisons import Cell, cells
from bnstudy.analysis.table import Table, report_table, sweep_table
from bnstudy.errors import InputError
from bnstudy.reading import open_results

from tests.conftest import ROOT

DATA = ROOT / "studies" / "data"
EPOCHS, ACCURACY = RESPONSES[0], RESPONSES[1]


@cache
def curves(name: str) -> xr.Dataset:
    return open_results(DATA / name)


@cache
def judged(name: str) -> dict[tuple[str, ...], Cell]:
    """Every comparison of a study, by model, norm and init; by learning rate too where there are several."""
    result = assess(curves(name))
    several = result.sizes["lr"] > 1
    return {(*labels[:2], labels[4], *([labels[3]] if several else [])): c for labels, c in cells(result).items()}


def row(*texts: str) -> str:
    return f"| {' | '.join(texts)} |"


def markdown(table: Table) -> list[str]:
    return [row(*(text.strip() for text in line)) for line in table.rows]


def gain(cell: Cell, response: Response) -> str:
    """What the norm gains, such as ``+4.8 [4.0, 5.6]``; in epochs or points."""
    one = cell.responses[response.name]
    scale, digits = (1, 1) if response.unit == "epochs" else (100, 2)
    mean, low, high = (scale * end + 0.0 for end in (one.effect, one.effect_low, one.effect_high))
    return "–" if math.isnan(mean) else f"{mean:+.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def final(name: str, **labels: object) -> float:
    """Mean final test accuracy of a cell in percent."""
    chosen = responses.final(curves(name), "test_accuracy").sel(labels)
    return 100 * float(chosen.mean("seed").squeeze())


def epochs(name: str, **labels: object) -> float:
    """Mean epochs until the target is exceeded, the last where it is not."""
    return float(responses.epochs_to_target(curves(name)).epochs.sel(labels).mean("seed").squeeze())


def reached(name: str, **labels: object) -> int:
    return int(responses.epochs_to_target(curves(name)).reached.sel(labels).sum())


# ------------------------------------------------------------------ tables


def sweep(model: str) -> Iterator[str]:
    """A row an init of the study of initializations."""
    table = sweep_table(curves("init-sweep"))
    for line in table.rows:
        if line[0] == model:
            cell = judged("init-sweep")[model, "batch", line[1]]
            saved = "–" if cell.verdict == "both-fail" else gain(cell, EPOCHS)
            verdict = cell.verdict or "(well)"
            yield row(f"`{line[1]}`", line[5], line[6], saved, line[3], line[4], gain(cell, ACCURACY), verdict)


def norms(model: str, measure: str) -> Iterator[str]:
    """A row a norm and a column an init."""
    table = sweep_table(curves("norms"))
    column = 4 if measure == "accuracy" else 5
    inits = [str(init) for init in curves("norms").init.values]
    for norm in curves("norms").norm.values:
        found = {line[1]: line[column] for line in table.rows if (line[0], line[3]) == (model, norm)}
        yield row(f"`{norm}`", *(found[init] for init in inits))


def rates(model: str) -> Iterator[str]:
    """A row an init and arm, a column a learning rate: final accuracy and epochs."""
    for line in sweep_table(curves("learning-rate")).rows:
        if line[0] == model:
            yield row(f"`{line[1]}`", *line[3:])


def main() -> None:
    for name, found in (
        ("Table 2", lambda: markdown(report_table(curves("baseline")))),
        ("claims", lambda: markdown(claims_table(claims(curves("baseline"))))),
        *((f"sweep {model}", lambda m=model: sweep(m)) for model in ("mlp", "cnn")),
        *((f"rates {model}", lambda m=model: rates(m)) for model in ("mlp", "cnn")),
        *((f"norms {model} {what}", lambda m=model, w=what: norms(m, w)) for model in ("mlp", "cnn")
          for what in ("accuracy", "epochs")),
    ):  # fmt: skip
        print(f"\n{name}")
        try:
            print("\n".join(found()))
        except InputError as error:
            print(error)


if __name__ == "__main__":
    main()
