"""``bnstudy merge``."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from bnstudy.cli.options import AllowMixed, Wait


def merge(
    folders: Annotated[list[str], typer.Argument(metavar="DIR...", help="Study folders, one a shard.")],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Where the whole study goes.", show_default=False)],
    allow_mixed: AllowMixed = False,
    wait: Wait = False,
) -> None:
    """Join the folders of a study's shards into one; they stay as they are."""
    from bnstudy.storage.merging import merge as merge_studies

    store = merge_studies(folders, out, allow_mixed=allow_mixed, wait=wait)
    counts = store.counts()
    print(f"{store.folder}: {counts['done'] + counts['diverged']} of {store.study.n_runs} runs")
    if left := counts["pending"] + counts["failed"]:
        command = shlex.join(["bnstudy", "run", str(store.folder / "study.toml"), "--out", str(store.folder)])
        print(f"{left} runs are in none of the folders; `{command}` trains them")
