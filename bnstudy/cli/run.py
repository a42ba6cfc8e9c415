"""``bnstudy run``."""

from __future__ import annotations

from bnstudy.cli.options import Running, StudyFile, study_options
from bnstudy.cli.running import run_study
from bnstudy.cli.studies import study_named


@study_options()
def run(study_file: StudyFile, settings: dict[str, str], running: Running) -> None:
    """Run a study file, or one that comes with bnstudy, or resume it. Options are laid over the file."""
    run_study(study_named(study_file, settings, running.name, running.out, running.shard), running)
