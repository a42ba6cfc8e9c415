"""What readers call the arms."""

from __future__ import annotations

ARMS = {"none": "without BN", "batch": "with BN"}


def arm_label(norm: str) -> str:
    """The name of an arm in tables and figures; a norm without one of its own goes by its label."""
    return ARMS.get(norm, norm)
