"""Messages: one line, whatever is quoted in them."""

from __future__ import annotations

import pytest
from bnstudy.study.errors import (
    LONGEST,
    BnstudyError,
    FailedRunsError,
    InputError,
    LockedError,
    one_line,
    raised_at,
    told_as,
)


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
    with pytest.raises(ValueError, match="not a valid") as caught:
        exec(compile("\nimport enum; enum.Enum('E', 'a')(7)", file, "exec"), {"__name__": "mine"})
    caught.value.__traceback__ = caught.value.__traceback__.tb_next  # without this test's own line
    assert raised_at(caught.value) == f" (line 2 of {file})"


@pytest.mark.parametrize(("error", "told"), [
    (ValueError("no\nway"), "it fails: ValueError: no (line "), (SystemExit(7), "it fails: SystemExit: 7 (line "),
    (InputError("no way"), "no way"),
])  # fmt: skip
def test_what_others_raise_is_told_as_bad_input(error, told):
    with pytest.raises(InputError) as caught, told_as("it fails"):
        raise error
    assert caught.value.problem.startswith(told)
    with pytest.raises(KeyboardInterrupt), told_as("it fails"):
        raise KeyboardInterrupt
