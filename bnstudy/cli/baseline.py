"""``bnstudy baseline``."""

from __future__ import annotations

from bnstudy.cli.options import Running, study_options
from bnstudy.cli.running import run_study
from bnstudy.cli.studies import study_named


@study_options()
def baseline(settings: dict[str, str], running: Running) -> None:
    """Train the report's four models and print its Table 2 with our numbers beside it."""
    run_study(study_named("baseline", settings, running.name, running.out, running.shard), running)
