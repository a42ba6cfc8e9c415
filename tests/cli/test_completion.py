"""What shells are offered, asked as they ask: fast, without torch, and as bash breaks words."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from bnstudy.cli.app import main
from bnstudy.cli.completion import KINDS, complete_figures, levels
from bnstudy.study import plugin_modules, registry
from bnstudy.study.factors import FACTORS


@pytest.fixture
def offered(monkeypatch, tmp_path, capsys):
    """What bash is offered for a line: as its words, broken as bash breaks them, or to be broken at blanks."""
    monkeypatch.chdir(tmp_path)

    def ask(line: str | list[str]) -> list[str]:
        words = line.split(" ") if isinstance(line, str) else line
        monkeypatch.setenv("_BNSTUDY_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", "\n".join(words))
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        with pytest.raises(SystemExit) as ended:
            main([])
        assert not ended.value.code
        return capsys.readouterr().out.split("\n")[:-1]

    return ask


def test_commands_and_options(offered):
    assert offered("bnstudy re") == ["report"]
    assert offered("bnstudy run --se") == ["--seeds"]


def test_levels_of_every_factor_and_lists_of_them(offered):
    assert offered("bnstudy init-sweep --norms bat") == ["batch", "batch-no-affine", "batch-after"]
    assert offered("bnstudy init-sweep --norms none,batch,batch-n") == ["none,batch,batch-no-affine"]
    assert "default,scaled-normal:0.01" in offered("bnstudy init-sweep --inits default,scaled")
    for factor in FACTORS:
        option = "--" + factor.key.replace("_", "-")
        assert offered(f"bnstudy run s.toml {option} "), factor.name


def test_every_level_that_is_offered_is_one():
    for factor in FACTORS:
        for text in levels(factor):
            assert factor.registry.level(text) if factor.registry else float(text) >= 0


def test_bash_breaks_words_at_colons_and_equals_signs(offered):
    before = ["bnstudy", "init-sweep", "--inits"]
    assert offered([*before, "scaled-normal", ":", "0.0"]) == ["0.01"]
    assert offered([*before, "scaled-normal", ":", "1,zero-h"]) == ["1,zero-hidden"]
    assert offered([*before, "scaled-normal", ":"]) == ["0.01", "0.1", "1", "10"]
    assert offered(["bnstudy", "init-sweep", "--dataset", "=", "dig"]) == ["digits"]


@pytest.mark.parametrize(("line", "zsh", "fish"), [
    ("bnstudy run s.toml --dataset dig", """_arguments '*: :(("digits"))'\n""", "digits\n"),
    ("bnstudy run s.toml --dataset=dig", """_arguments '*: :(("--dataset=digits"))'\n""", "--dataset=digits\n"),
    (
        "bnstudy run s.toml --inits=default,zero",
        """_arguments '*: :(("--inits=default,zero"\n"--inits=default,zero-hidden"))'\n""",
        "--inits=default,zero\n--inits=default,zero-hidden\n",
    ),
    ("bnstudy judge ru", "_files\n", "\n"),
])  # fmt: skip
def test_zsh_and_fish_replace_an_option_with_its_value(monkeypatch, capsys, line, zsh, fish):
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    for shell, wanted in (("zsh", zsh), ("fish", fish)):
        monkeypatch.setenv("_BNSTUDY_COMPLETE", f"complete_{shell}")
        with pytest.raises(SystemExit) as ended:
            main([])
        assert not ended.value.code
        assert capsys.readouterr().out == wanted


def test_the_control_and_the_reference_are_levels_of_what_is_asked_about(offered):
    assert "layer" in offered("bnstudy run s.toml --control l")
    assert offered("bnstudy run s.toml --treatment optimizer --control ada") == ["adam", "adamw"]
    assert "default" in offered("bnstudy run s.toml --reference d")


def test_studies_data_sets_figures_kinds_and_words(offered, tmp_path):
    (tmp_path / "results" / "mine").mkdir(parents=True)
    (tmp_path / "results" / "mine" / "study.toml").write_text("")
    (tmp_path / "mine.toml").write_text("")
    assert offered("bnstudy analyze res") == ["results/mine"]
    assert {"init-sweep", "baseline", "mine.toml"} <= set(offered("bnstudy plan "))
    assert offered("bnstudy run --dataset fa") == ["fashion-mnist"]
    assert offered("bnstudy figures --only forest,gain-by-c") == ["forest,gain-by-condition"]
    assert offered("bnstudy list in") == ["inits"]
    assert offered("bnstudy explain mai") == ["mainly", "mainly_times"]
    assert offered("bnstudy new x --question op") == ["optimizer"]


def test_the_figures_and_kinds_are_those_that_there_are(capsys):
    assert set(complete_figures("")) == set(registry.figures)
    with pytest.raises(SystemExit):
        main(["list", "nothing-like-it"])
    told = capsys.readouterr().err
    assert all(kind in told for kind in KINDS)


def test_a_plugin_that_the_line_names_is_known(offered, tmp_path, monkeypatch):
    (tmp_path / "my_completed.py").write_text(
        "from bnstudy.plugins import initializers\n"
        "@initializers.register('seventeen', label='seventeen')\ndef f(layer, value): pass\n"
    )
    monkeypatch.setattr(sys, "path", [*sys.path])
    try:
        assert offered("bnstudy init-sweep --plugin my_completed --inits sev") == ["seventeen"]
    finally:
        registry.initializers._entries.pop("seventeen", None)
        plugin_modules._named[:] = [name for name in plugin_modules._named if name != "my_completed"]
        sys.modules.pop("my_completed", None)


def test_an_answer_takes_no_torch_and_less_than_a_second():
    code = "import resource, sys; from bnstudy.cli import main\ntry: main([])\nfinally:\n"
    code += " used = resource.getrusage(resource.RUSAGE_SELF)\n"
    code += " loaded = ['torch' in sys.modules, 'matplotlib' in sys.modules]\n"
    code += " print(used.ru_utime + used.ru_stime, *loaded, file=sys.stderr)"
    words = {"_BNSTUDY_COMPLETE": "complete_bash", "COMP_WORDS": "bnstudy\nfigures\n--only\nfor", "COMP_CWORD": "3"}
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **words}
    )
    assert found.stdout == "forest\n"
    seconds, *loaded = found.stderr.split()
    assert loaded == ["False", "False"]
    assert float(seconds) < 2  # on any machine; half of it where it was measured


def test_it_is_shown_and_installed(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    for option in ("--show-completion", "--install-completion"):
        command = [sys.executable, "-m", "bnstudy", option, "bash"]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (told.returncode, told.stderr) == (0, "")
    assert "_BNSTUDY_COMPLETE=complete_bash" in (tmp_path / ".bash_completions" / "bnstudy.sh").read_text()


@pytest.mark.parametrize(("shell", "told"), [("zsh", "#compdef bnstudy"), ("fish", "complete --command bnstudy")])
def test_a_shell_that_is_named_is_shown_its_own(shell, told):
    command = [sys.executable, "-m", "bnstudy", "--show-completion"]
    found = subprocess.run([*command, shell], capture_output=True, text=True, check=True)
    assert found.stdout.lstrip().startswith(told)


@pytest.mark.skipif(not shutil.which("fish"), reason="no fish")
def test_fish_itself_is_answered(tmp_path):
    command = f"{sys.executable} -m bnstudy"
    (tmp_path / "bnstudy").write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    (tmp_path / "bnstudy").chmod(0o755)
    script = f'{command} --show-completion fish | source; complete -C "bnstudy run norms --inits=default,zero-"'
    found = subprocess.run(
        ["fish", "--no-config", "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False,
        env={**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip
    assert (found.stdout, found.stderr) == ("--inits=default,zero-hidden\n", "")


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
def test_bash_itself_is_answered(tmp_path):
    """The installed script, called as readline calls it."""
    command = f"{sys.executable} -m bnstudy"
    script = f"""
bnstudy() {{ {command} "$@"; }}
eval "$(_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION=1 {command} --show-completion bash)"
mkdir bin; printf '#!/bin/sh\\nexec {command} "$@"\\n' > bin/bnstudy; chmod +x bin/bnstudy; PATH=$PWD/bin:$PATH
COMP_WORDS=(bnstudy init-sweep --inits default,scaled-normal : 0.0); COMP_CWORD=5
_bnstudy_completion bnstudy
echo "${{COMPREPLY[@]}}"
"""
    told = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (told.stdout, told.stderr) == ("0.01\n", "")
