"""``bnstudy extend``."""

from __future__ import annotations

from bnstudy.cli.ending import tell
from bnstudy.cli.options import Running, StudyFolder, study_options
from bnstudy.cli.running import run_study
from bnstudy.study.errors import InputError
from bnstudy.study.factors import FACTORS

EXTENDED = (*(factor.key for factor in FACTORS), "seeds", "epochs")


@study_options(flags=False, defaults=False, keys=EXTENDED)
def extend(folder: StudyFolder, settings: dict[str, str], running: Running) -> None:
    """Add seeds, levels or epochs to a study, record the amendment, and run what is new."""
    from bnstudy.storage.store import Store
    from bnstudy.study.enlarging import extended

    for key in ("name", "out"):
        if getattr(running, key):
            raise InputError(f"a study is extended where it is, and keeps its name; leave --{key} away", key)
    before = Store.open(folder).study
    study = extended(before, settings)
    if len(study.seeds) > len(before.seeds) and not before.looks and not running.quiet:
        tell("warning: no looks were declared, so with more seeds the p-values will not hold, as every output will "
             "say; `bnstudy explain looks` says what to do instead")  # fmt: skip
    run_study(study, running._replace(out=folder), extends=True)
