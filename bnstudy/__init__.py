"""bnstudy: does Batch Normalization matter only when the initialization is bad, and for which bad initializations?

The public names are loaded when they are first used: importing the package alone imports no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bnstudy.analysis.export import export
    from bnstudy.analysis.figures.gallery import draw_figures
    from bnstudy.analysis.judge import judge
    from bnstudy.analysis.report import write_report as report
    from bnstudy.analysis.results import Results, assess
    from bnstudy.notebook import extend, run
    from bnstudy.storage.opening import open_results
    from bnstudy.study.errors import InputError
    from bnstudy.study.plan import make_plan
    from bnstudy.study.study import Study

    __version__: str

# Where each is, and what it is called there.
_HOMES = {
    "InputError": ("bnstudy.study.errors", "InputError"),
    "Results": ("bnstudy.analysis.results", "Results"),
    "Study": ("bnstudy.study.study", "Study"),
    "assess": ("bnstudy.analysis.results", "assess"),
    "draw_figures": ("bnstudy.analysis.figures.gallery", "draw_figures"),
    "export": ("bnstudy.analysis.export", "export"),
    "extend": ("bnstudy.notebook", "extend"),
    "judge": ("bnstudy.analysis.judge", "judge"),
    "make_plan": ("bnstudy.study.plan", "make_plan"),
    "open_results": ("bnstudy.storage.opening", "open_results"),
    "report": ("bnstudy.analysis.report", "write_report"),
    "run": ("bnstudy.notebook", "run"),
}
__all__ = [
    "InputError",
    "Results",
    "Study",
    "__version__",
    "assess",
    "draw_figures",
    "export",
    "extend",
    "judge",
    "make_plan",
    "open_results",
    "report",
    "run",
]


if not TYPE_CHECKING:  # else a name that is not there would have a type

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            return importlib.import_module("importlib.metadata").version("bnstudy")
        if name not in _HOMES:
            raise AttributeError(f"module 'bnstudy' has no attribute {name!r}")
        module, called = _HOMES[name]
        return getattr(importlib.import_module(module), called)


def __dir__() -> list[str]:
    return sorted(__all__)
