"""Data sets, as tensors: those that come by themselves, and the user's own."""
