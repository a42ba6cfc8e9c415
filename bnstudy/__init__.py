"""bnstudy: does Batch Normalization matter only when the initialization is bad, and for which bad initializations?

The public names are loaded when they are first used: importing the package alone imports no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bnstudy.analysis.assessment import assess
    from bnstudy.errors import InputError
    from bnstudy.execution import run
    from bnstudy.plan import make_plan
    from bnstudy.reading import open_results
    from bnstudy.study import Study

_HOMES = {
    "InputError": "bnstudy.errors",
    "Study": "bnstudy.study",
    "assess": "bnstudy.analysis.assessment",
    "make_plan": "bnstudy.plan",
    "open_results": "bnstudy.reading",
    "run": "bnstudy.execution",
}
__all__ = ["InputError", "Study", "assess", "make_plan", "open_results", "run"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'bnstudy' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
