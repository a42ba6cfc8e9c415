"""Random streams: named, repeatable, independent."""

from __future__ import annotations

import torch
from bnstudy.training import streams


def draw(*name):
    return torch.randn(2000, generator=streams.generator(*name), dtype=torch.float64)


def test_a_name_is_a_stream():
    assert torch.equal(draw("weights", 1, "conv1"), draw("weights", 1, "conv1"))


def test_other_names_are_independent():
    names = [("weights", 1, "conv1"), ("weights", 1, "conv2"), ("weights", 11, "conv"), ("weights", 2, "conv1")]
    draws = torch.stack([draw(*name) for name in names])
    correlations = torch.corrcoef(draws) - torch.eye(len(names))
    assert correlations.abs().max() < 5 / 2000**0.5


def test_parts_of_a_name_do_not_run_together():
    assert not torch.equal(draw("a", "bc"), draw("ab", "c"))


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    streams.batch_order(0, 1, 10)
    assert torch.equal(torch.get_rng_state(), before)
