"""JSON that knows when it was changed."""

from __future__ import annotations

import pytest
from bnstudy.storage import checksummed_json
from hypothesis import given
from hypothesis import strategies as st

CONTENT = {"ensemble": "ensemble-00000", "sha256": "ab" * 32, "runs": 8, "computed": {"device": "cpu"}, "é": None}


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.booleans() | st.none(), max_size=5))
def test_what_is_sealed_comes_back(content):
    content.pop(checksummed_json.KEY, None)
    assert checksummed_json.unseal(checksummed_json.seal(content)) == content


def test_a_seal_is_one_line():
    assert "\n" not in checksummed_json.seal({"reason": "a\nb"})


def test_any_changed_character_is_seen():
    text = checksummed_json.seal(CONTENT)
    for i in range(len(text)):
        changed = text[:i] + ("0" if text[i] != "0" else "1") + text[i + 1 :]
        with pytest.raises(ValueError, match=r"."):
            checksummed_json.unseal(changed)


@pytest.mark.parametrize("text", ["", "{}", "[]", "3", '{"check": 1}', '{"a": 1}', b"\xff"])
def test_what_was_never_sealed_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        checksummed_json.unseal(text)
