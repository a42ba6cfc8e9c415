"""Shards into one: ensembles that were computed in several folders, joined in another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bnstudy.storage import atomic
from bnstudy.storage.consolidation import consolidate
from bnstudy.storage.locking import hold
from bnstudy.storage.store import Store
from bnstudy.study.errors import InputError
from bnstudy.study.provenance import differing


def merge(folders: Sequence[str | Path], out: str | Path, *, allow_mixed: bool = False, wait: bool = False) -> Store:
    """Join study folders, such as those of shards, into `out`; what is there already stays, and the sources too.

    An ensemble that several folders hold is taken from the first; its numbers are the same in all of them. Amendments
    are kept: where some folders were extended and others run as the study is now, the record of the former counts.

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
        A folder holds no study, another study, another plan, another record of amendments or a damaged ensemble; or
        what computed them differs; or none holds a finished ensemble.
    LockedError
        A process is at work on `out`.
    """
    out = Path(out)
    with atomic.disk_errors(out):
        _look(folders, out, allow_mixed)  # first, since a wrong folder is told before anything is written
        with hold(out, wait):
            sources, store = _look(folders, out, allow_mixed)  # again: all of them may have changed since
            amendments = _longest([*([store] if store else []), *sources])
            if store is None:
                first = sources[0]
                sealed = first.preregistered, first.sealed
                store = Store.create(out, first.study, first.device, first.plan, amendments, *sealed)
            store.clean()
            if store.amendments != amendments:
                store = store.record(amendments)
            for source in sources:
                _copy(source, store)
            consolidate(store)
    return store


def _look(folders: Sequence[str | Path], out: Path, allow_mixed: bool) -> tuple[list[Store], Store | None]:
    """The sources, and the store in `out` if there is one; InputError if they cannot be joined."""
    sources = [Store.open(folder) for folder in folders]
    for source in sources[1:]:
        _refuse_another(sources[0], source)
    if all(len(source.pending()) == len(source.plan) for source in sources):
        listed = ", ".join(str(source.folder) for source in sources)
        raise InputError(f"nothing to merge: no ensemble is finished in {listed}; run the shards first")
    store = Store.find(out, sources[0].study)
    if store:
        _refuse_another(sources[0], store)
    _longest([*([store] if store else []), *sources])
    if not allow_mixed:
        _refuse_mixture([*([store] if store else []), *sources])
    return sources, store


def _refuse_another(one: Store, other: Store) -> None:
    """InputError if two folders do not hold parts of one study that was planned once."""
    if changes := one.study.differences(other.study):
        raise InputError(
            f"{other.folder} and {one.folder} hold different studies (they differ in {', '.join(changes)})"
        )
    if one.plan != other.plan or one.device != other.device:
        raise InputError(
            f"{other.folder} was planned otherwise than {one.folder} ({len(other.plan)} ensembles on {other.device}, "
            f"{len(one.plan)} on {one.device}); run the shards on machines of one kind, and extend all of them or none"
        )


def _longest(stores: Sequence[Store]) -> tuple[dict[str, Any], ...]:
    """The record of amendments that is true of all stores: each of the others is the end of it.

    The same amendment may have been made in several folders at different times; it is what it began from that counts.
    """
    longest = max(stores, key=lambda store: len(store.amendments))
    steps = _steps(longest)
    for store in stores:
        if _steps(store) != steps[len(steps) - len(store.amendments) :]:
            raise InputError(
                f"{store.folder} and {longest.folder} were extended to the same study in different steps "
                f"({_told(store)}; {_told(longest)}), of which no one record is true; extend them in the same steps"
            )
    return longest.amendments


def _steps(store: Store) -> list[str]:
    return [amendment["study_hash"] for amendment in store.amendments]


def _told(store: Store) -> str:
    return ", then ".join(" and ".join(amendment["changes"]) for amendment in store.amendments)


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
            store.adopt(ensemble, source.path(ensemble), entry)
        elif "failed" in entry:
            store.mark_failed(ensemble, entry["failed"])
    known = store.arms()
    if new := {arm: facts for arm, facts in source.arms().items() if arm not in known}:
        store.save_arms({**known, **new})
