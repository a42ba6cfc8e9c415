"""What is said of a library that does not fit the address space."""

from __future__ import annotations

import pytest
from bnstudy.cli import address_space

NO_ROOM = ImportError("x.so: failed to map segment from shared object", name="mtrand")


@pytest.mark.parametrize(
    ("limit", "error", "told"),
    [
        (300_000 * 1024, NO_ROOM, "300000 kB of address space, see ulimit -v, are too few to load mtrand"),
        (None, NO_ROOM, ""),
        (300_000 * 1024, ImportError("no such thing", name="mtrand"), ""),
    ],
)
def test_a_library_that_does_not_fit_after_all_is_told_so(monkeypatch, limit, error, told):
    monkeypatch.setattr(address_space, "_limit", lambda: limit)
    assert address_space.too_little(error) == told
