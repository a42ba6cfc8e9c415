"""``bnstudy init-sweep``."""

from __future__ import annotations

from bnstudy.cli.options import Running, study_options
from bnstudy.cli.running import run_study
from bnstudy.cli.studies import study_named


@study_options()
def init_sweep(settings: dict[str, str], running: Running) -> None:
    """Train both models, with and without BN, over a grid of good and bad initializations."""
    run_study(study_named("init-sweep", settings, running.name, running.out, running.shard), running)
