"""``bnstudy new`` writes a study that is valid at once, and never over anything."""

from __future__ import annotations

import pytest
from bnstudy.study.questions import START
from bnstudy.study.study import Study


def test_what_is_written_is_planned_as_it_stands(command, tmp_path):
    code, out, err = command("new", "mine", "--question", "optimizer", "--dataset", "digits")
    assert (code, err) == (0, "")
    assert out.startswith(f"mine.toml: {START['optimizer'].question}\n")
    assert command("plan", "mine.toml", "--device", "cpu")[0] == 0
    assert Study.load(tmp_path / "mine.toml").name == "mine"
    (tmp_path / "studies").mkdir()
    assert command("new", "studies/other.toml")[0] == 0
    assert Study.load(tmp_path / "studies" / "other.toml").name == "other"


def test_the_study_is_meant_where_its_file_is_there_and_the_ending_was_left_away(command):
    assert command("new", "mine", "--dataset", "digits")[0] == 0
    code, out, err = command("run", "mine")
    assert (code, out) == (2, "")
    assert err.endswith("no name of a study; did you mean mine.toml?\n")


@pytest.mark.parametrize(("arguments", "told"), [
    (["mine"], "mine.toml is there already"), (["x", "--question", "optimiser"], "did you mean 'optimizer'?"),
    (["x", "--dataset", "mnits"], "did you mean 'mnist'?"), (["a b"], "the name must be 1 to 64 letters"),
    (["nowhere/x"], "nowhere: no such folder"), ([""], "the name must be"),
])  # fmt: skip
def test_what_it_refuses(command, tmp_path, arguments, told):
    (tmp_path / "mine.toml").write_text("# mine")
    code, out, err = command("new", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert told in err
    assert (tmp_path / "mine.toml").read_text() == "# mine"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]
