"""What the commands that run studies share: run one, and say how it ended."""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from bnstudy.cli.ending import tell
from bnstudy.cli.options import Running
from bnstudy.cli.plan import print_plan, treatment_levels
from bnstudy.cli.terminal import prints_aside

if TYPE_CHECKING:
    import xarray as xr

    from bnstudy.study.study import Study
    from bnstudy.training.running.observing import Observer


def run_study(study: Study, running: Running, extends: bool = False) -> None:
    """Run a study as the options say; with `extends` the folder's own becomes it first."""
    if running.dry_run:
        print_plan(study, running.out, running.device, running.shard)
        return
    from bnstudy.analysis.criteria import Criteria
    from bnstudy.analysis.power import nothing_to_compare
    from bnstudy.cli.progress import Reporter
    from bnstudy.study.plan import Shard as Part
    from bnstudy.study.preferences import setting
    from bnstudy.training.running.cores import usable_cores
    from bnstudy.training.running.execution import default_folder, run
    from bnstudy.training.running.observing import Observers

    shard = None if running.shard is None else Part.parse(running.shard)
    if not running.quiet and (text := nothing_to_compare(Criteria.of(study), treatment_levels(study))):
        tell(f"warning: {text}")
    with ExitStack() as ending:
        observers: list[Observer] = []
        if running.report is not None:
            from bnstudy.cli.watching import LivePage

            observers.append(page := LivePage(running.report))
            ending.callback(page.close)
        if running.tensorboard is not None:
            from bnstudy.cli.tensorboard import EventStream

            observers.append(EventStream(running.tensorboard))
        if not running.quiet:
            observers.insert(0, reporter := Reporter(running.verbose))
            ending.callback(reporter.close)
        ending.enter_context(prints_aside())
        dataset = run(
            study,
            running.out,
            data_dir=running.data_dir,
            device=running.device,
            jobs=setting("jobs", running.jobs, usable_cores()).value,
            shard=shard,
            scheduler=running.scheduler,
            compiled=not running.no_compile,
            allow_mixed=running.allow_mixed,
            wait=running.wait,
            extends=extends,
            quiet=running.quiet,
            observer=Observers(observers),
        )
    if not running.quiet:
        _print_results(dataset, Path(running.out) if running.out else default_folder(study, shard))


def _print_results(dataset: xr.Dataset, folder: Path) -> None:
    from bnstudy.analysis.responses import observed
    from bnstudy.analysis.results import Results
    from bnstudy.analysis.tables.summary import report_table, sweep_table
    from bnstudy.cli.analyze import print_answer
    from bnstudy.cli.terminal import print_table

    missing = int((~observed(dataset)).sum())
    if missing:  # a shard: a table of a part would be read as the whole
        print(f"{missing} of {dataset.status.size} runs are left to other shards; `bnstudy merge` joins them")
    else:
        results = Results(dataset)
        asked = results.criteria.treatment, results.criteria.condition
        is_the_reports = (
            asked == ("norm", "init") and dataset.sizes["init"] == 1 and set(dataset.model.values) <= {"mlp", "cnn"}
        )
        place = shlex.quote(str(folder))
        print_table((report_table if is_the_reports else sweep_table)(results), f"bnstudy export {place}")
        if results.can_judge and results.criteria.poor:
            print()
            print_answer(results, f"bnstudy analyze {place} --csv")
    print(f"\nCurves: {folder / 'curves.nc'} (`bnstudy report {shlex.quote(str(folder))}` writes the page)")
