"""A study made larger where it is, and what is new run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnstudy.storage.store import Store
from bnstudy.study.enlarging import extended
from bnstudy.training.running.execution import Observer, run

if TYPE_CHECKING:
    import xarray as xr


def extend(
    folder: str | Path,
    *,
    data_dir: str | Path | None = None,
    device: str = "auto",
    jobs: int = 1,
    scheduler: str | None = None,
    compiled: bool = True,
    allow_mixed: bool = False,
    wait: bool = False,
    quiet: bool = True,
    observer: Observer | None = None,
    **more: Any,
) -> xr.Dataset:
    """Add seeds, levels or epochs to a study, record the amendment, and run what is new.

    Parameters
    ----------
    folder : path
        The study's.
    data_dir, device, jobs, scheduler, compiled, allow_mixed, wait, quiet, observer
        As :func:`bnstudy.run` takes them.
    **more
        Keys of a study file: levels (`models`, `norms`, `inits`, `scales`, `optimizers`, `lr`, `batch_size`,
        `weight_decay`, `activation`) and `seeds` to have besides those there are; `epochs`, how many in all.

    Returns
    -------
    Dataset
        As :func:`bnstudy.run` gives it, of the whole study.

    Raises
    ------
    InputError
        No study is there, nothing is new, or a value is wrong; and all that :func:`bnstudy.run` raises.

    Examples
    --------
    >>> import bnstudy
    >>> study = bnstudy.Study.make({"dataset": "digits", "models": "mlp", "hidden": "8", "seeds": 2, "epochs": 1})
    >>> _ = bnstudy.run(study, "results/small")
    >>> curves = bnstudy.extend("results/small", seeds=3, inits="zero")
    >>> curves.sizes["seed"], curves.init.values.tolist()
    (3, ['default', 'zero'])
    """
    study = extended(Store.open(folder).study, more)
    return run(
        study, folder, data_dir=data_dir, device=device, jobs=jobs, scheduler=scheduler, compiled=compiled,
        allow_mixed=allow_mixed, wait=wait, extends=True, quiet=quiet, observer=observer,
    )  # fmt: skip
