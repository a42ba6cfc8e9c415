"""``bnstudy status``."""

from __future__ import annotations

from bnstudy.cli.options import AsJson, StudyFolder


def status(folder: StudyFolder, as_json: AsJson = False) -> None:
    """Tell how far a study is: its runs done, diverged, failed and pending."""
    from bnstudy.storage.store import Store

    store = Store.open(folder)
    counts, locked = store.counts(), store.is_locked()
    if as_json:
        import json

        described = {
            "study": store.study.name,
            "hash": store.study.digest,
            "runs": store.study.n_runs,
            "locked": locked,
        }
        print(json.dumps({**described, **counts, "amendments": store.amendments}))
        return
    state = "a process is at work on it" if locked else "no process is at work on it"
    finished, planned = counts["done"] + counts["diverged"], store.study.n_runs
    told = f"all {planned} runs" if finished == planned else f"{finished} of {planned} runs so far"
    print(f"{store.study.name} ({store.study.digest[:12]}): {told}; {state}")
    for name in ("done", "running", "diverged", "failed", "pending"):
        print(f"{name:10} {counts[name]}")
    for amendment in store.amendments:
        print(f"amended {amendment['at']}: {', '.join(amendment['changes'])}")
    for name, entry in store.manifest().items():
        if "failed" in entry:
            print(f"{name} failed: {entry['failed']}")
