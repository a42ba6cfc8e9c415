"""Odd but ordinary networks, as people write them: a row each, tried against plain PyTorch by tests/test_zoo.py."""
