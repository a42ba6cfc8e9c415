"""Messages: one line, whatever is quoted in them."""

from __future__ import annotations

import pytest
from bnstudy.study.errors import LONGEST, BnstudyError, FailedRunsError, InputError, LockedError, one_line, raised_at


@pytest.mark.parametrize("kind", [BnstudyError, InputError, FailedRunsError, LockedError])
def test_no_quoted_name_breaks_or_colours_a_message(kind):
    assert str(kind("a\nb\x1b[31m\u202e\0é")) == "a\\nb\\x1b[31m\\u202e\\x00é"


def test_a_flood_keeps_both_ends():
    text = one_line("begin" + "x" * 10_000 + "end")
    assert text.startswith("begin")
    assert text.endswith("end")
    assert len(text) < LONGEST + 10


def test_the_key_is_named():
    error = InputError("must be more", "batch_size")
    assert (str(error), error.key, error.problem) == ("batch_size: must be more", "batch_size", "must be more")


def test_an_error_is_told_with_its_line_wherever_its_file_lies():
    file = "/home/x/torch/bnstudy/mine.py"
    with pytest.raises(ZeroDivisionError) as caught:
        exec(compile("\n1 / 0", file, "exec"), {"__name__": "mine"})
    caught.value.__traceback__ = caught.value.__traceback__.tb_next  # without this test's own line
    assert raised_at(caught.value) == f" (line 2 of {file})"
