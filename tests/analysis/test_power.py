"""What a design can reach."""

from __future__ import annotations

from itertools import product
from math import comb

import numpy as np
import pytest
from bnstudy.analysis import power, ranks, signs
from bnstudy.analysis.criteria import Criteria


@pytest.mark.parametrize("seeds", [5, 7, 10])
def test_the_least_p_is_that_of_all_pairs_on_one_side(seeds):
    above = [sum(sides) for sides in product((0, 1), repeat=seeds)]
    assert power.least_p(seeds, 1) == above.count(seeds) / len(above) == signs.sign_test(np.ones(seeds))
    assert power.least_p(seeds, 3) == min(1.0, 3 * 2.0**-seeds)
    assert power.least_p(2, 9) == 1.0


def test_of_runs_that_are_no_pairs_it_is_that_of_all_ranks_on_one_side():
    assert power.least_p(4, 1, paired=False) == pytest.approx(1 / comb(8, 4))
    assert power.least_p(4, 1, paired=False) == pytest.approx(ranks.rank_test(np.arange(4.0) + 9, np.arange(4.0)))


def test_two_directions_take_half_of_alpha():
    """Six pairs, 2^-6 = 0.016, are enough for one poor condition, and for four it takes eight."""
    assert power.seeds_needed(1, 0.05) == 6
    assert power.seeds_needed(4, 0.05) == 8
    assert power.seeds_needed(1, 0.025) == 7  # at each of two looks
    assert power.seeds_needed(1, 0.05, paired=False) == 4


def of(*roles: str, **settings: object) -> Criteria:
    levels = {f"level {i}": role for i, role in enumerate(roles)}
    return Criteria(
        reference=next((level for level, role in levels.items() if role == "well"), ""), roles=levels, **settings
    )


def test_warnings():
    four = of("well", *["poor"] * 4)
    assert power.warnings(four, 8) == []
    (few,) = power.warnings(four, 7)
    assert few.startswith("too few seeds to tell: with 7 and 4 poor levels of init")
    assert few.endswith("it takes 8 seeds")
    assert "it takes 7 seeds" in power.warnings(of("well", "poor", looks=(6, 12)), 6)[0]
    assert power.warnings(of("well"), 1) == []
    assert "no lr is declared well" in power.warnings(of("poor", condition="lr"), 10)[0]
    first, second = power.warnings(of("poor"), 2)
    assert first.startswith("too few seeds")
    assert "declared well" in second
