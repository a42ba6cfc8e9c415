"""The command line: parse, call, print. Importing it imports neither torch nor the rest of the package."""

from __future__ import annotations

from bnstudy.cli.app import main

__all__ = ["main"]
