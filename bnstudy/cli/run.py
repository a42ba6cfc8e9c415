"""``bnstudy run``."""

from __future__ import annotations

from pathlib import Path

from bnstudy.cli.options import Running, StudyFile, study_options
from bnstudy.cli.running import run_study
from bnstudy.cli.studies import load


@study_options()
def run(study_file: StudyFile, settings: dict[str, str], running: Running) -> None:
    """Run a study file, or resume it. Options are laid over the file."""
    run_study(load(Path(study_file), settings), running)
