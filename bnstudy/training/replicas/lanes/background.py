"""Whether images are mostly one value."""

from __future__ import annotations

import torch
from torch import Tensor

SPARSE = 0.85  # of values that differ from the commonest; above it dense products are as fast (measured)
LOOKED_AT = 1000  # samples; evenly over all


def background_of(images: Tensor) -> float | None:
    """The value that most of some images (samples, ...) have, bit for bit; None where too few have it."""
    some = images[:: max(1, len(images) // LOOKED_AT)].flatten()
    values, counts = torch.unique(some, return_counts=True)
    most = int(counts.argmax())
    return float(values[most]) if counts[most] >= (1 - SPARSE) * len(some) else None
