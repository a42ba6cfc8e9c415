"""All that a plugin imports: what entries are registered with, and how data of one's own become a data set.

Loaded when first used, so that importing it loads no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bnstudy.study.registry import (
        Parameter,
        activations,
        datasets,
        figures,
        initializers,
        models,
        norms,
        optimizers,
    )
    from bnstudy.training.datasets.own_data import register_arrays, register_image_folder, register_npz

_REGISTRY, _DATA = "bnstudy.study.registry", "bnstudy.training.datasets.own_data"
_HOMES = {
    **dict.fromkeys(("Parameter", "activations", "datasets", "figures", "initializers"), _REGISTRY),
    **dict.fromkeys(("models", "norms", "optimizers"), _REGISTRY),
    **dict.fromkeys(("register_arrays", "register_image_folder", "register_npz"), _DATA),
}
__all__ = [
    "Parameter",
    "activations",
    "datasets",
    "figures",
    "initializers",
    "models",
    "norms",
    "optimizers",
    "register_arrays",
    "register_image_folder",
    "register_npz",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'bnstudy.plugins' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
