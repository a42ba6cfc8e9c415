"""The command line: parse, call, print. Importing it imports neither torch nor the rest of the package."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line, and end; see :func:`bnstudy.cli.app.main`."""
    try:
        from bnstudy.cli.app import main as run
    except KeyboardInterrupt:  # while it was loading
        print("bnstudy: stopped", file=sys.stderr)
        sys.exit(130)
    run(arguments)
