"""What ``bnstudy.run`` is: a study run from Python, seen while it runs in a notebook, and its results."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnstudy.analysis.results import Results
from bnstudy.storage.store import Store
from bnstudy.study.enlarging import extended
from bnstudy.study.study import Study, check_study
from bnstudy.training.running.execution import run as run_study
from bnstudy.training.running.observing import Observer
from bnstudy.training.running.tally import Tally

if TYPE_CHECKING:
    from bnstudy.study.curves import Curves, Progress
    from bnstudy.study.plan import Ensemble, Shard

SHOW_EVERY = 0.5  # seconds, at most
HOW = ("data_dir", "device", "jobs", "scheduler", "compiled", "allow_mixed", "wait", "quiet")  # a study is run


def run(
    study: Study,
    out: str | Path | None = None,
    *,
    data_dir: str | Path | None = None,
    device: str | None = None,
    jobs: int | None = None,
    shard: Shard | None = None,
    scheduler: str | None = None,
    compiled: bool = True,
    allow_mixed: bool = False,
    wait: bool = False,
    quiet: bool = True,
    observer: Observer | None = None,
) -> Results:
    """Run a study, or what is left of it, and return its results; a notebook shows how far it is.

    Parameters
    ----------
    study : Study
        What to run.
    out : path, optional
        The study folder; by default ``results/NAME``, for a shard ``results/NAME.shards/K-of-N``. If it holds the same
        study, that study is resumed.
    data_dir : path, optional
        Where data sets lie; by default as the user's settings say, else in the user's cache folder.
    device : str, optional
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; by default as the user's settings say, else ``auto``.
    jobs : int, optional
        Worker processes, of one thread each; with 1 the runs train in this process. By default as the user's settings
        say, else 1. The numbers do not depend on it.
    shard : Shard, optional
        Train this part of the ensembles alone; :func:`bnstudy.storage.merging.merge` joins the parts.
    scheduler : str, optional
        Send the ensembles to the workers of this ``dask.distributed`` scheduler: its address, or its scheduler file.
    compiled : bool
        Whether code of bnstudy's own may be built, where there is a C++ compiler, and used.
    allow_mixed : bool
        Whether to resume a study of which another device, kernel, processor or other versions computed a part.
    wait : bool
        Whether to wait while another process is at work on the folder, rather than to give up.
    quiet : bool
        Whether a download shows no progress.
    observer : Observer, optional
        Told of progress; by default a table shows it where this is a notebook.

    Returns
    -------
    Results
        Of the study; their `curves` are the dataset.

    Raises
    ------
    InputError
        The study, folder or data are not fit to run.
    LockedError
        Another process is at work on the folder.
    FailedRunsError
        Some ensembles failed; all others are stored.
    StoppedError
        A signal came; what is finished is stored, and the same call resumes.

    Examples
    --------
    >>> import bnstudy
    >>> study = bnstudy.Study.make({"dataset": "digits", "models": "mlp", "hidden": "8", "seeds": 2, "epochs": 1})
    >>> results = bnstudy.run(study, "results/small")
    >>> results
    <Results of 'study': 2 arms × 2 seeds>
    >>> dict(results.curves.test_accuracy.sizes)
    {'model': 1, 'norm': 2, 'init': 1, 'seed': 2, 'epoch': 1}
    """
    check_study(study, "bnstudy.run")
    return Results(
        run_study(
            study, out, data_dir=data_dir, device=device, jobs=jobs, shard=shard, scheduler=scheduler,
            compiled=compiled, allow_mixed=allow_mixed, wait=wait, quiet=quiet, observer=observer or _usual(),
        )
    )  # fmt: skip


def extend(folder: str | Path, *, observer: Observer | None = None, **more: Any) -> Results:
    """Add seeds, levels or epochs to a study, record the amendment, run what is new, and return all its results.

    Parameters
    ----------
    folder : path
        The study's.
    observer : Observer, optional
        As :func:`bnstudy.run` takes it.
    **more
        Keys of a study file: levels (`models`, `norms`, `inits`, `scales`, `optimizers`, `lr`, `batch_size`,
        `weight_decay`, `activation`) and `seeds` to have besides those there are; `epochs`, how many in all. And how to
        run it: `data_dir`, `device`, `jobs`, `scheduler`, `compiled`, `allow_mixed`, `wait` and `quiet`, as
        :func:`bnstudy.run` takes them.

    Returns
    -------
    Results
        Of the whole study.

    Raises
    ------
    InputError
        No study is there, nothing is new, or a value is wrong; and all that :func:`bnstudy.run` raises.

    Examples
    --------
    >>> import bnstudy
    >>> study = bnstudy.Study.make({"dataset": "digits", "models": "mlp", "hidden": "8", "seeds": 2, "epochs": 1})
    >>> _ = bnstudy.run(study, "results/small")
    >>> curves = bnstudy.extend("results/small", seeds=3, inits="zero").curves
    >>> curves.sizes["seed"], curves.init.values.tolist()
    (3, ['default', 'zero'])
    """
    how = {name: more.pop(name) for name in HOW if name in more}
    study = extended(Store.open(folder).study, more)
    return Results(run_study(study, folder, extends=True, observer=observer or _usual(), **how))


def _usual() -> Observer | None:
    """Who is told of progress where nobody is named."""
    return ProgressTable() if is_notebook() else None


def is_notebook() -> bool:
    """Whether this process runs a notebook's cells; IPython need not be there."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


class ProgressTable(Observer):
    """Shows under a notebook's cell how far each arm is, and how good."""

    def __init__(self) -> None:
        self.epochs: dict[int, int] = {}  # run-epochs of each ensemble
        self.shown = -SHOW_EVERY
        self.handle: Any = None

    def started(self, store: Store, todo: Sequence[Ensemble]) -> None:
        if not todo:
            return
        self.tally, self.epochs_each = Tally(store.study, todo), store.study.epochs
        self.total = self.epochs_each * sum(len(ensemble.runs) for ensemble in todo)
        ipython = sys.modules["IPython"]  # not ours to bring: whoever runs in a notebook has it
        display = importlib.import_module(f"{ipython.__name__}.display").display
        self.handle = display(self._drawn(), raw=True, display_id=True)

    def progress(self, ensemble: Ensemble, progress: Progress) -> None:
        self.epochs[ensemble.index] = progress.epoch * len(ensemble.runs)
        if time.monotonic() - self.shown >= SHOW_EVERY:
            self._show()

    def done(self, ensemble: Ensemble, curves: Curves) -> None:
        self.epochs[ensemble.index] = self.epochs_each * len(ensemble.runs)
        self.tally.add(ensemble, curves)
        self._show()

    def _show(self) -> None:
        self.shown = time.monotonic()
        self.handle.update(self._drawn(), raw=True)

    def _drawn(self) -> dict[str, str]:
        """As text and as HTML."""
        done = sum(self.epochs.values())
        lines = [(arm, self.tally.told(arm)) for arm in self.tally.planned]
        texts = [f"{done / self.total:.0%} of the epochs", *(f"{arm} {told}" for arm, told in lines)]
        rows = [_bar(texts[0], done / self.total)]
        for arm, told in lines:
            rows.append(_bar(f"{arm} {told}", len(self.tally.accuracies[arm]) / self.tally.planned[arm]))
        return {"text/plain": "\n".join(texts), "text/html": "".join(rows)}


def _bar(text: str, share: float) -> str:
    label = escape(text, quote=True)
    return f'<div><progress value="{share:.3f}" aria-label="{label}"></progress> {escape(text)}</div>'
