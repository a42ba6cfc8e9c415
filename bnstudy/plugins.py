"""All that a plugin imports: what entries are registered with, what their functions are given, data of one's own.

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
    from bnstudy.training.networks.blocks import Blocks
    from bnstudy.training.networks.initializers import Layer
    from bnstudy.training.networks.norms import Slot

_REGISTRY, _DATA = "bnstudy.study.registry", "bnstudy.training.datasets.own_data"
_HOMES = {
    **dict.fromkeys(("Parameter", "activations", "datasets", "figures", "initializers"), _REGISTRY),
    **dict.fromkeys(("models", "norms", "optimizers"), _REGISTRY),
    **dict.fromkeys(("register_arrays", "register_image_folder", "register_npz"), _DATA),
    "Blocks": "bnstudy.training.networks.blocks",
    "Layer": "bnstudy.training.networks.initializers",
    "Slot": "bnstudy.training.networks.norms",
}
__all__ = [
    "Blocks",
    "Layer",
    "Parameter",
    "Slot",
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


if not TYPE_CHECKING:  # else a name that is not there would have a type

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'bnstudy.plugins' has no attribute {name!r}")
        return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
