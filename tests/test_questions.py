"""Every command of docs/howto/questions.md is run, and what it quotes is what they say."""

from __future__ import annotations

import re
import shlex

import numpy as np
import pytest
from bnstudy.analysis.theory import gradient_growth
from bnstudy.cli import main
from bnstudy.storage.opening import open_diagnostics, open_results

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "howto" / "questions.md").read_text()
COMMANDS = [
    shlex.split(line.split("#")[0])[1:]
    for block in re.findall(r"```bash\n(.*?)```", PAGE, re.S)
    for line in block.splitlines()
]
QUICK = ["--epochs", "1", "--seeds", "2", "--train-size", "200", "--hidden", "8"]  # laid over what a command says


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    out, err = capsys.readouterr()
    assert not ended.value.code, (arguments, err)
    return out


def test_the_probe_says_what_the_page_quotes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    told = run(COMMANDS[0], capsys).splitlines()
    quoted = re.search(r"```text\n(.*?)```", PAGE, re.S).group(1).splitlines()
    assert len(quoted) == 3
    assert set(quoted) <= set(told)
    assert (tmp_path / "probe.png").stat().st_size > 20_000


@pytest.mark.slow
def test_the_other_commands_in_their_order(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for arguments in COMMANDS[1:]:
        if arguments[0] == "run":  # on MNIST, and for minutes
            arguments = [*arguments, "--dry-run"]
        elif arguments[0] == "init-sweep":
            assert "digits" in arguments
            split = ["--validation-size", "50"] if "--lr" in arguments else []
            arguments = [*arguments, *QUICK, *split, "--jobs", "1"]
        elif arguments[0] == "figures":
            arguments = [*arguments, "--only", "accuracy-map,diagnostics"]
        run(arguments, capsys)
    assert open_results("results/any-norm").norm.values.tolist()[2:5] == ["layer", "group", "rms"]
    assert {"batch_size", "weight_decay"} < set(open_results("results/settings").test_accuracy.dims)
    assert np.isfinite(open_diagnostics("results/why").sharpness).all()


def test_the_growths_it_names_are_theorys():
    for batch, text in ((16, "1.590 at 16 samples"), (100, "1.483 at 100")):
        assert text in PAGE
        assert text.startswith(f"{gradient_growth(batch):.3f}")


def test_its_pictures_are_there():
    for name in re.findall(r"!\[.*?\]\((.*?)\)", PAGE):
        assert (ROOT / "docs" / "howto" / name).stat().st_size > 20_000
