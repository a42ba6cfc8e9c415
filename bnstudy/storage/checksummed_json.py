"""JSON with a checksum inside, so that damage is seen, not read."""

from __future__ import annotations

import hashlib
import json
from typing import Any

KEY = "check"


def seal(content: dict[str, Any]) -> str:
    """One line of JSON that holds `content` and the checksum of it."""
    return json.dumps({**content, KEY: _checksum(content)})


def unseal(text: str | bytes) -> dict[str, Any]:
    """What :func:`seal` was given; ValueError if that is not what `text` holds."""
    try:
        content = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(content, dict):
        raise ValueError("it is not an object")
    if content.pop(KEY, None) != _checksum(content):
        raise ValueError("its checksum is not that of its content")
    return content


def _checksum(content: dict[str, Any]) -> str:
    """The first half of the SHA-256 of the content as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
