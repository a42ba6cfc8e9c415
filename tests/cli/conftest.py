"""What tests of commands share."""

from __future__ import annotations

import pytest
from bnstudy.cli.app import main


@pytest.fixture
def command(monkeypatch, tmp_path, capsys):
    """Run a command in an empty folder: (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        return int(ended.value.code or 0), *capsys.readouterr()

    return call
