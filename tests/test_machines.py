"""The page of machines as they are: every test that it names is there."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "explanation" / "machines.md"
ROWS = [line.strip("|").split(" | ") for line in PAGE.read_text().splitlines() if re.match(r"\| [^|]*[a-z]", line)]
NAMED = [(cells[0].strip(), name) for cells in ROWS for name in re.findall(r"`(test_\w+)`", cells[-1])]
THERE = re.findall(
    r"^def (test_\w+)", "\n".join(path.read_text() for path in sorted((ROOT / "tests").rglob("test_*.py"))), re.M
)


def test_every_situation_names_a_test():
    rows = [cells for cells in ROWS if cells[-1].strip() != "test"]
    assert len(rows) >= 2
    assert [cells[0] for cells in rows if len(cells) != 3 or "`test_" not in cells[2]] == []


@pytest.mark.parametrize(("situation", "name"), NAMED, ids=[name for _, name in NAMED])
def test_it_is_there(situation, name):
    assert THERE.count(name) == 1, situation
