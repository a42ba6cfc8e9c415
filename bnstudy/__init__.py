"""bnstudy: does Batch Normalization matter only when the initialization is bad, and for which bad initializations?

The public names are loaded when they are first used: importing the package alone imports no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bnstudy.analysis.judge import judge
    from bnstudy.analysis.results import Results, assess
    from bnstudy.notebook import run
    from bnstudy.storage.opening import open_results
    from bnstudy.study.errors import InputError
    from bnstudy.study.plan import make_plan
    from bnstudy.study.study import Study

_HOMES = {
    "InputError": "bnstudy.study.errors",
    "Results": "bnstudy.analysis.results",
    "Study": "bnstudy.study.study",
    "assess": "bnstudy.analysis.results",
    "judge": "bnstudy.analysis.judge",
    "make_plan": "bnstudy.study.plan",
    "open_results": "bnstudy.storage.opening",
    "run": "bnstudy.notebook",
}
__all__ = ["InputError", "Results", "Study", "assess", "judge", "make_plan", "open_results", "run"]


if not TYPE_CHECKING:  # else a name that is not there would have a type

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'bnstudy' has no attribute {name!r}")
        return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
