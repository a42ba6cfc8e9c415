"""Shards into one: ensembles that were computed in several folders, joined in another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bnstudy import files
from bnstudy.errors import InputError
from bnstudy.provenance import differing
from bnstudy.store import Store


def merge(folders: Sequence[str | Path], out: str | Path, *, allow_mixed: bool = False, wait: bool = False) -> Store:
    """Join study folders, such as those of shards, into `out`; what is there already stays, and the sources too.

    An ensemble that several folders hold is taken from the first; its numbers are the same in all of them.

    Parameters
    ----------
    folders : sequence of path
        Folders of one study with one plan.
    out : path
        Where the whole study goes: a new folder, or one of the same study.
    allow_mixed : bool
        Whether to join what different devices, kernels, processors or versions computed.
    wait : bool
        Whether to wait while another process is at work on `out`.

    Raises
    ------
    InputError
        A folder holds no study, another study, another plan or a damaged ensemble, or what computed them differs.
    """
    sources = [Store.open(folder) for folder in folders]
    out = Path(out)
    for source in sources[1:]:
        _refuse_another(sources[0], source)
    with files.disk_errors(out):
        store = Store.find(out, sources[0].study)
        if store:
            _refuse_another(sources[0], store)
        if not allow_mixed:
            _refuse_mixture([*([store] if store else []), *sources])
        store = store or Store.create(out, sources[0].study, sources[0].device, sources[0].plan)
        with store.locked(wait):
            store.clean()
            for source in sources:
                _copy(source, store)
            store.consolidate()
    return store


def _refuse_another(one: Store, other: Store) -> None:
    """InputError if two folders do not hold parts of one study that was planned once."""
    if changes := one.study.differences(other.study):
        raise InputError(
            f"{other.folder} and {one.folder} hold different studies (they differ in {', '.join(changes)})"
        )
    if one.plan != other.plan or one.device != other.device:
        raise InputError(
            f"{other.folder} was planned otherwise than {one.folder} ({len(other.plan)} ensembles on {other.device}, "
            f"{len(one.plan)} on {one.device}); run the shards on machines of one kind"
        )


def _refuse_mixture(stores: Sequence[Store]) -> None:
    computed = [(store.folder, by) for store in stores for by in store.computed_by()]
    for folder, by in computed[1:]:
        if listed := differing(computed[0][1], by):
            raise InputError(
                f"{folder} was computed by something else than {computed[0][0]} ({listed}), and mixing changes last "
                "digits; add --allow-mixed to join them all the same"
            )


def _copy(source: Store, store: Store) -> None:
    """Take what `source` has and `store` has not."""
    entries, missing = source.manifest(), {ensemble.index for ensemble in source.pending()}
    for ensemble in store.pending():
        entry = entries.get(source.name(ensemble), {})
        if ensemble.index not in missing:
            store.adopt(source.path(ensemble), entry)
        elif "failed" in entry:
            store.mark_failed(ensemble, entry["failed"])
    known = store.arms()
    if new := {arm: facts for arm, facts in source.arms().items() if arm not in known}:
        store.save_arms({**known, **new})
