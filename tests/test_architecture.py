"""The picture of the house: drawn from the imports, and no arrow points up."""

from __future__ import annotations

import importlib.util
import re
import sys

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def drawing():
    specification = importlib.util.spec_from_file_location(
        "draw_architecture", ROOT / "docs" / "generate" / "draw_architecture.py"
    )
    module = importlib.util.module_from_spec(specification)
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, "draw_architecture", module)  # its dataclass looks itself up there
        specification.loader.exec_module(module)
        yield module


def test_no_arrow_points_up_and_the_picture_shows_every_box(drawing):
    boxes = drawing.boxes()
    counts = drawing.arrows(boxes)
    assert len(drawing.needed(counts)) > 10
    assert drawing.upward(boxes, counts) == []
    assert drawing.upward(boxes, drawing.Counter({("study", "cli"): 1})) == [("study", "cli")]
    shown = " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", drawing.PICTURE.read_text()))
    for box in boxes:
        assert all(word in shown for word in box.text.split())


def test_every_module_that_the_page_names_is_there(drawing):
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text()
    there = {path.name for path in ROOT.glob("bnstudy/**/*.py")} | {path.name for path in ROOT.glob("tests/**/*.py")}
    named = {name.rpartition("/")[2] for name in re.findall(r"`([\w/]+\.py)`", page)}
    assert len(named) > 30
    assert named <= there
