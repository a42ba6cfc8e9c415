"""The report's Table 2 with a study's numbers beside it, and a sweep's summary, as rows of text."""

from __future__ import annotations

import math
from itertools import product

import xarray as xr

from bnstudy.analysis import responses
from bnstudy.analysis.labels import arm_label
from bnstudy.analysis.results import Results
from bnstudy.analysis.summaries import mean_interval
from bnstudy.analysis.tables.table import Table
from bnstudy.study.schema import Status

# Table 2 of the report. Its test losses cannot be mean cross-entropies beside its accuracies: a mean that was divided
# by the batch size once more fits.
REPORTED: dict[tuple[str, str], dict[str, str]] = {
    ("cnn", "batch"): {
        "epochs": "9", "seconds": "15", "time": "~130", "train_loss": "1e-2", "test_loss": "1e-3",
        "train_accuracy": "98.50", "test_accuracy": "98.51",
    },
    ("cnn", "none"): {
        "epochs": "10", "seconds": "13", "time": "~130", "train_loss": "1e-2", "test_loss": "1e-3",
        "train_accuracy": "98.87", "test_accuracy": "98.46",
    },
    ("mlp", "batch"): {
        "epochs": "3", "seconds": "13", "time": "~40", "train_loss": "1e-3", "test_loss": "1e-3",
        "train_accuracy": "100", "test_accuracy": "98.30",
    },
    ("mlp", "none"): {
        "epochs": "5", "seconds": "13", "time": "~65", "train_loss": "1e-3", "test_loss": "1e-3",
        "train_accuracy": "100", "test_accuracy": "98.27",
    },
}  # fmt: skip


WIDEST = 3  # norms that stand side by side


def report_table(results: Results) -> Table:
    """Table 2 of the report: a column a (model, norm), ours over the seeds above what was reported.

    Means are over the seeds that were observed, with 95 % Student t intervals where there are two or more.
    """
    dataset, target = results.dataset, results.criteria.target_accuracy
    cell = results.at_reference
    arms = [(model, norm) for model in ("cnn", "mlp") for norm in ("batch", "none")]
    arms = [arm for arm in arms if arm[0] in dataset.model and arm[1] in dataset.norm]
    arms += [(str(m), str(n)) for m in dataset.model.values for n in dataset.norm.values if (m, n) not in REPORTED]
    columns = [_measured(cell.sel(model=model, norm=norm), target) for model, norm in arms]
    goal = f">{100 * target:g} %"
    labels = {
        "epochs": f"epochs to {goal}",
        "seconds": "s per epoch, alone",
        "share": "s per epoch, its share",
        "time": f"s to {goal}",
        "train_loss": "training loss",
        "test_loss": "test loss",
        "train_accuracy": "training accuracy, %",
        "test_accuracy": "test accuracy, %",
        "parameters": "parameters",
    }
    rows: list[tuple[str, ...]] = []
    for key, label in labels.items():
        rows.append((label, *(column[key] for column in columns)))
        if key in REPORTED["cnn", "batch"]:
            rows.append(("  reported", *(REPORTED.get(arm, {}).get(key, "") for arm in arms)))
    n = int(responses.observed(cell).sum("seed").max())
    intervals = "mean ± 95 % t interval over seeds" if n > 1 else "one seed, so no interval"
    name = dataset.attrs.get("dataset", "unknown data")
    notes = [
        f"n = {n}: {intervals}. Init: {cell.init.item()}. Data: {name}; the report's are MNIST's.",
        "alone: the plain network by itself, training only; its share: of its ensemble's time, evaluation included",
        "(a mean without an interval: the runs of an ensemble have one time between them).",
        "A reported test loss of 1e-3 cannot be the mean cross-entropy beside that accuracy;",
        "it fits a mean divided by the batch size (100) once more.",
    ]
    header = ("", *(f"{model.upper()} {arm_label(norm)}" for model, norm in arms))
    return Table("Table 2 of the report: ours, and below it what was reported", header, tuple(rows), tuple(notes))


def _measured(arm: xr.Dataset, target: float) -> dict[str, str]:
    """Our column: what each row says of one (model, norm), whose dimensions are seed and epoch."""
    alone = float(arm.epoch_seconds_alone)
    crossing = responses.epochs_to_target(arm, target)
    trained = xr.where(arm.status == Status.DIVERGED, arm.diverged_epoch, arm.sizes["epoch"])
    return {
        "epochs": _crossing(arm, crossing),
        "seconds": f"{alone:.3g}",
        "share": _mean((arm.train_seconds / trained).mean("seed").expand_dims("seed"), "{:.3g}"),
        "time": _crossing(arm, crossing, alone),
        "train_loss": _mean(responses.final(arm, "train_loss"), "{:.2g}"),
        "test_loss": _mean(responses.final(arm, "test_loss"), "{:.2g}"),
        "train_accuracy": _mean(100 * responses.final(arm, "train_accuracy"), "{:.2f}"),
        "test_accuracy": _mean(100 * responses.final(arm, "test_accuracy"), "{:.2f}"),
        "parameters": f"{int(arm.n_parameters):,}",
    }


def _mean(values: xr.DataArray, style: str) -> str:
    """Mean and half-width of the interval, or a dash where nothing was measured."""
    summary = mean_interval(values)
    mean, half = float(summary["mean"]), float(summary["upper"] - summary["mean"])
    if math.isnan(mean):
        return "–"
    return style.format(mean) + ("" if math.isnan(half) else " ± " + style.replace(".3g", ".2g").format(half))


def _crossing(arm: xr.Dataset, crossing: xr.Dataset, seconds: float | None = None) -> str:
    """Epochs (or seconds, at so many an epoch) to the target, saying aloud how many runs never reached it."""
    n = int(responses.observed(arm).sum())
    reached = int(crossing.reached.where(responses.observed(arm), False).sum())
    if n == 0:
        return "–"
    if reached == 0:
        return f"never in {arm.sizes['epoch']}" if seconds is None else "never"
    unit, style = (1.0, "{:g}" if n == 1 else "{:.1f}") if seconds is None else (seconds, "{:.3g}")
    if reached < n:  # a mean over runs that stopped early is only a lower bound
        return "≥ " + style.format(unit * float(crossing.epochs.mean())) + f" ({reached} of {n})"
    return _mean(unit * crossing.epochs, style)


def sweep_table(results: Results) -> Table:
    """Final test accuracy and epochs to the target of every cell.

    A row a (model, condition, setting) and a column pair an arm; with more than three arms a row a cell.
    """
    runs, criteria = results.runs, results.criteria
    target, treatment = criteria.target_accuracy, criteria.treatment
    arms = [str(arm) for arm in runs.arm.values]
    named = [name for name in ("model", "setting") if runs.sizes[name] > 1 or runs[name].values[0]]
    long = len(arms) > WIDEST
    reached = bool(responses.epochs_to_target(runs, target).reached.any())
    measures = ("accuracy, %", *([f"epochs to >{100 * target:g} %"] if reached else []))
    columns = list(measures) if long else [
        f"{arm_label(arm, treatment)}: {measure}" for measure in measures for arm in arms
    ]  # fmt: skip
    rows = []
    for model, condition, setting in product(
        *(runs[name].values.tolist() for name in ("model", "condition", "setting"))
    ):
        cell = runs.sel(model=model, condition=condition, setting=setting)
        known = {"model": model, "setting": setting}
        labels = (*(known[name] for name in named if name == "model"), condition, criteria.roles.get(condition, ""),
                  *(known[name] for name in named if name == "setting"))  # fmt: skip
        if long:
            rows += [(*labels, arm, _accuracy(of), *([_epochs(of, target)] if reached else []))
                     for arm in arms for of in [cell.sel(arm=arm)]]  # fmt: skip
        else:
            of_arms = [cell.sel(arm=arm) for arm in arms]
            epochs = [_epochs(of, target) for of in of_arms] if reached else []
            rows.append((*labels, *map(_accuracy, of_arms), *epochs))
    header = (*(name for name in named if name == "model"), criteria.condition, "role",
              *(name for name in named if name == "setting"), *([treatment] if long else []), *columns)  # fmt: skip
    n = int(responses.observed(runs).sum("seed").max())
    never = f"No run exceeds {100 * target:g} % (`--target-accuracy`)."
    notes = (
        "n = {} seeds; mean ± 95 % t interval. A diverged run counts at chance{}".format(
            n, " and as never reaching the target." if reached else f". {never}"
        ),
    )
    title = str(runs.attrs.get("title", "study"))
    return Table(title, header, tuple(rows), notes, len(header) - len(columns))


def _accuracy(arm: xr.Dataset) -> str:
    dead = int((arm.status == Status.DIVERGED).sum())
    return _mean(100 * responses.final(arm, "test_accuracy"), "{:.2f}") + (f" ({dead} diverged)" if dead else "")


def _epochs(arm: xr.Dataset, target: float) -> str:
    return _crossing(arm, responses.epochs_to_target(arm, target))
