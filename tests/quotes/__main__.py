"""Print every quote."""

from __future__ import annotations

from tests.quotes import STUDIES


def main() -> None:
    for page in ("readme", "findings"):
        for study in STUDIES:
            print(f"--- {page}: {study.__name__}", *getattr(study, page)(), sep="\n", end="\n\n")  # noqa: T201


if __name__ == "__main__":
    main()
