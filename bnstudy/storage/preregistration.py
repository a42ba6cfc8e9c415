"""A study sealed before it runs: its folder with nothing in it but what was declared, and when."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bnstudy.storage import atomic, locking
from bnstudy.storage.store import Store
from bnstudy.study import provenance, required_plugins
from bnstudy.study.errors import InputError
from bnstudy.study.plan import Ensemble
from bnstudy.study.study import Study


def preregister(
    folder: str | Path, study: Study, device: str = "cpu", plan: Sequence[Ensemble] | None = None, data_sha256: str = ""
) -> Store:
    """Make a study's folder and seal it with the time; runs are trained into it later.

    The study stands there under its hash, and another one is refused a place in that folder. What is added to it
    afterwards is recorded as an amendment with its own time. The code of its plugins is sealed with it, and data of
    one's own: where others compute it, whoever runs and reads it is told.

    Parameters
    ----------
    folder : path
        Of the study.
    study : Study
        What is declared.
    device : str
        The kind of device it is to be trained on.
    plan : sequence of Ensemble, optional
        Its ensembles; by default the device's.
    data_sha256 : str
        Of the data, where they are there.

    Raises
    ------
    InputError
        The folder holds this study already, another one, or something else.
    """
    folder = Path(folder)
    with atomic.disk_errors(folder), locking.hold(folder):
        store = Store.find(folder, study)
        if store is None:
            sealed = {"plugins": required_plugins.digests(study), "data_sha256": data_sha256}
            return Store.create(folder, study, device, plan, preregistered=provenance.now(), sealed=sealed)
    if store.preregistered:
        raise InputError(f"{folder}: this study was sealed there already, on {store.preregistered}")
    raise InputError(f"{folder} holds this study, and was not sealed before; what has begun cannot be preregistered")
