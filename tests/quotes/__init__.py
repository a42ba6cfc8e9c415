"""What README and docs/findings/index.md quote from the published datasets: each number in its words, derived again.

A module a study, with what each page says of it. ``python -m tests.quotes`` prints all of it, for whoever writes the
pages anew.
"""

from __future__ import annotations

from types import ModuleType

from tests.quotes import baseline, initializations, norms, rates, sigmoid, theory

STUDIES: tuple[ModuleType, ...] = (initializations, rates, norms, sigmoid, baseline, theory)


def quotes(page: str) -> list[str]:
    """Everything that a page, ``readme`` or ``findings``, has to say."""
    return [quote for study in STUDIES for quote in getattr(study, page)()]
