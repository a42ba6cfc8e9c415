"""How levels are called: what says nothing alone goes with its factor."""

from __future__ import annotations

import pytest
from bnstudy.analysis.labels import condition_label


@pytest.mark.parametrize(("level", "told"), [("0.1", "use bn 0.1"), ("True", "use bn True"), ("zero", "zero")])
def test_a_number_or_a_truth_goes_with_its_factor(level, told):
    assert condition_label(level, "use_bn") == told
