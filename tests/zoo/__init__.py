"""Odd but ordinary networks, as people write them, a row each: tests/training/test_zoo.py tries them."""
