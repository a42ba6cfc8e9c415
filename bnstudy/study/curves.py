"""What training gives of an ensemble, as arrays: its curves, and what was looked at on the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Diagnostics:
    """What was measured of R runs at E + 1 moments, from epoch 0 on, and of the L weight layers.

    `by_layer` holds each measure as float32 (R, E + 1, L), `of_whole` those of the network, (R, E + 1); `about` the
    description and the unit of each.
    """

    layers: tuple[str, ...]
    by_layer: dict[str, np.ndarray]
    of_whole: dict[str, np.ndarray]
    about: dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Curves:
    """What an ensemble's training gave; R replicas in the order of its runs, E epochs.

    `values` holds each curve of the schema, float32 (R, E); `status` int8 (R,) of
    :class:`~bnstudy.study.schema.Status`; `diverged_epoch` int32 (R,), from 1, or -1; `seconds` float, the ensemble's
    whole time; `form` how its replicas were computed.
    """

    values: dict[str, np.ndarray]
    status: np.ndarray
    diverged_epoch: np.ndarray
    seconds: float
    form: str = ""
    diagnostics: Diagnostics | None = None


@dataclass(frozen=True)
class Progress:
    """How far an ensemble is, after an epoch; `values` holds that epoch's value of each curve, float32 (R,)."""

    epoch: int
    best_accuracy: float
    values: dict[str, np.ndarray]
