"""Stored runs trained once more, each alone in the reference form, so that anybody can trust a result, or not.

Rounding grows while a network trains, so two right ways to compute a run drift apart; how fast, double precision tells.
A network that was trained wrongly lies far away from the first epoch on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from bnstudy.storage.opening import open_results
from bnstudy.storage.store import Store
from bnstudy.study import required_plugins
from bnstudy.study.errors import RAISED, InputError, reason_of
from bnstudy.study.factors import FACTORS
from bnstudy.study.plan import Ensemble
from bnstudy.study.provenance import differing
from bnstudy.study.schema import Status
from bnstudy.study.study import Run, Study
from bnstudy.training.datasets import data
from bnstudy.training.ensembles import end_of, training
from bnstudy.training.one_thread import one_thread
from bnstudy.training.running.this_machine import resolve_device

LOSSES = ("train_loss", "test_loss")  # compared relative to their size
ALLOWED = 30.0  # times what rounding does to the reference in the first epoch, a run may be off
FLOOR = 1e-4  # or so much, where rounding does next to nothing
TELLING = 0.1  # rounding that moves a loss more in one epoch hides what is wrong


@dataclass(frozen=True)
class Retrained:
    """One run, as stored and as trained again.

    Attributes
    ----------
    run : Run
        Which one.
    apart : ndarray, shape (epochs,)
        The larger relative distance of the two losses, stored from reference; NaN where neither has a number.
    rounding : ndarray, shape (epochs,), or None
        Likewise of the reference from itself in double precision; None where the network cannot do with that.
    points : ndarray, shape (epochs,)
        Percentage points of test accuracy between stored and reference.
    note : str
        Why there is no double precision.
    """

    run: Run
    apart: np.ndarray
    rounding: np.ndarray | None
    points: np.ndarray
    note: str = ""

    @property
    def verdict(self) -> str:
        """``same``, ``alike`` (as near as rounding lets it be), ``wrong``, or ``no telling``."""
        if np.nanmax(self.apart, initial=0.0) == 0:
            return "same"
        first = float(np.nan_to_num(self.apart[0]))
        by_rounding = FLOOR if self.rounding is None else float(np.nan_to_num(self.rounding[0]))
        if first <= FLOOR:
            return "alike"
        if by_rounding > TELLING:
            return "no telling"
        return "alike" if first <= ALLOWED * by_rounding else "wrong"


def retrain(
    folder: str | Path,
    count: int,
    rng: np.random.Generator,
    data_dir: str | Path | None = None,
    device: str | None = None,
    report: Callable[[Retrained], None] = lambda _: None,
) -> list[Retrained]:
    """Train some runs of a study once more, drawn at random from those that are stored.

    Parameters
    ----------
    folder : path
        A study folder.
    count : int
        How many runs; all if there are fewer.
    rng : Generator
        Draws them.
    data_dir : path, optional
        Where data sets lie.
    device : str, optional
        Where to train; the kind that the study was planned for by default.
    report : callable, optional
        Told of each run as it is done.

    Raises
    ------
    InputError
        There is no study, no finished run, not the data or plugins that the runs were trained with, or `count` is no
        number of runs.
    """
    if count < 1:
        raise InputError(f"must be 1 or more, not {count}", "retrain")
    store, stored = Store.open(folder), open_results(folder)
    study = store.study
    finished = [run for run in study.runs() if int(_cell(stored.status, run)) in (Status.DONE, Status.DIVERGED)]
    if not finished:
        raise InputError(f"{folder}: no run is finished yet")
    place = torch.device(resolve_device(device or store.device))
    loaded = data.load(study, data_dir)
    _refuse_others(store, loaded)
    chosen = sorted(rng.choice(len(finished), min(count, len(finished)), replace=False))
    retrained = []
    with one_thread():
        for i in chosen:
            retrained.append(_retrained(study, finished[i], stored, loaded.to(place), place))
            report(retrained[-1])
    return retrained


def _retrained(study: Study, run: Run, stored: xr.Dataset, loaded: data.Data, device: torch.device) -> Retrained:
    def curves(dtype: torch.dtype) -> dict[str, np.ndarray]:
        trained = end_of(training(study, Ensemble(0, (run,)), loaded, device, dtype, reference=True))
        return {name: trained.values[name][0].astype(float) for name in (*LOSSES, "test_accuracy")}

    before = {name: _cell(stored[name], run).values.astype(float) for name in (*LOSSES, "test_accuracy")}
    reference, rounding, note = curves(torch.float32), None, ""
    try:
        rounding = _apart(curves(torch.float64), reference)
    except RAISED as error:  # whatever a network makes of another precision
        note = f"no double precision: {reason_of(error)}"
    points = 100 * np.abs(before["test_accuracy"] - reference["test_accuracy"])
    return Retrained(run, _apart(before, reference), rounding, points, note)


def _cell(values: xr.DataArray, run: Run) -> xr.DataArray:
    """One run of a variable over runs."""
    labels = {dim: getattr(run, dim) for dim in (*(factor.name for factor in FACTORS), "seed")}
    return values.sel({dim: label for dim, label in labels.items() if dim in values.dims})


def _apart(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> np.ndarray:
    """The larger relative distance of the losses, by epoch: infinite where one alone is a number."""
    distances = []
    for name in LOSSES:
        a, b = one[name], other[name]
        with np.errstate(invalid="ignore", divide="ignore"):
            distance = np.where(a == b, 0.0, np.abs(a - b) / np.maximum(np.abs(b), 1e-12))
        distances.append(np.where(np.isfinite(a) == np.isfinite(b), distance, np.inf))
    return np.fmax(*distances)


def _refuse_others(store: Store, loaded: data.Data) -> None:
    """InputError if the data or the plugins are no longer those that the runs were trained with."""
    here = {"data_sha256": loaded.digest, "plugins": required_plugins.digests(store.study)}
    for by in store.computed_by():
        if listed := differing({name: by[name] for name in here if name in by}, here):
            raise InputError(
                f"{store.folder}: its runs were trained with other data or plugins than there are now ({listed}); put "
                "those back"
            )
