"""``bnstudy demo``: from nothing to an answer, on data that need no download."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from bnstudy.cli.studies import study_named

SHOWN = {"dataset": "digits", "scales": "0.01,1,10", "seeds": "8", "epochs": "30"}  # eight seeds can show something
FIGURE = "gain-by-condition"


def demo(
    out: Annotated[
        str, typer.Option("--out", metavar="DIR", help="Where to; what is there already is not trained again.")
    ] = "results/demo",
) -> None:
    """Train a small study on scikit-learn's digits, in about a minute: the answer in words, a figure and a page."""
    from bnstudy.analysis.figures.gallery import draw_all
    from bnstudy.analysis.report import write_report
    from bnstudy.analysis.results import Results
    from bnstudy.cli.analyze import print_answer
    from bnstudy.cli.progress import Reporter
    from bnstudy.study.preferences import setting
    from bnstudy.training.running.cores import usable_cores
    from bnstudy.training.running.execution import run

    folder = Path(out)
    study = study_named("init-sweep", SHOWN)
    print(study.question)
    print(f"{study.n_runs} small networks on {study.dataset}, pictures of 8×8 pixels: not MNIST.\n", flush=True)
    reporter = Reporter()
    try:
        dataset = run(study, folder / study.name, jobs=setting("jobs", None, usable_cores()).value, observer=reporter)
    finally:
        reporter.close()
    results, place = Results(dataset), shlex.quote(str(folder / study.name))
    print_answer(results, f"bnstudy analyze {place}")
    (drawn,) = draw_all(results, folder / "figures", [FIGURE])
    page = write_report(folder / study.name)
    print(f"\nFigure: {drawn.paths[-1]}")
    print(f"Page: {page} (`bnstudy open {place}` opens it in a browser)")
