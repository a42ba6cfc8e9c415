"""What a network gives before it has learned anything, and what that says of it."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from bnstudy.study.errors import DataWarning

CLOSE = 1e-4  # how far from 1 the sum of probabilities may lie


def check_sound(model: str, logits: Tensor) -> None:
    """ValueError where a network, as its own code begins it, gives no finite numbers; a warning where probabilities.

    Warns
    -----
    DataWarning
        The loss takes logits: of a network that ends in a softmax it takes the softmax once more.
    """
    wrong = int((~torch.isfinite(logits)).any(dim=1).sum())
    if wrong:
        raise ValueError(
            f"its outputs are not finite for {wrong} of {len(logits)} samples as it begins, before it has learned or "
            "any initializer has set it: all of its runs would diverge"
        )
    with torch.no_grad():
        are_shares = bool((logits >= 0).all()) and bool(((logits.double().sum(1) - 1).abs() < CLOSE).all())
    if are_shares:
        warnings.warn(
            f"{model!r} gives probabilities (at least 0, and each sample's sum to 1), and the loss expects logits: "
            "leave its softmax out",
            DataWarning,
            stacklevel=2,
        )
