"""What a design can reach."""

from __future__ import annotations

from itertools import product

import pytest
from bnstudy.analysis import power


@pytest.mark.parametrize(("seeds", "p"), [(5, 0.03125), (7, 0.0078125), (10, 0.0009765625)])
def test_the_smallest_p_is_one_of_all_sign_flips(seeds, p):
    sums = [sum(signs) for signs in product((-1, 1), repeat=seeds)]
    assert power.smallest_p(seeds, 1) == p == sums.count(seeds) / len(sums)


def test_four_poor_levels_need_seven_seeds():
    assert power.seeds_needed(4, 0.05) == 7


def test_warnings():
    roles = {"default": "well", "a": "poor", "b": "poor", "c": "poor", "d": "poor"}
    assert power.warnings(roles, 2, 7, 0.05) == []
    assert "it takes 7 seeds" in power.warnings(roles, 2, 6, 0.05)[0]
    assert power.warnings({"default": "well"}, 2, 1, 0.05) == []
    assert power.warnings(roles, 1, 1, 0.05) == []
    assert "no init is declared well" in power.warnings({"a": "poor"}, 2, 10, 0.05)[0]
