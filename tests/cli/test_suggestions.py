"""A suggestion is of what means the same, and never of another thing that is spelled alike."""

from __future__ import annotations

import pytest
import typer
from bnstudy.cli.app import app, main
from bnstudy.study import registry
from bnstudy.study.errors import InputError
from bnstudy.study.study import Study
from bnstudy.study.synonyms import ALSO_CALLED, MEANINGS, meant

COMMANDS = typer.main.get_command(app).commands


@pytest.fixture
def refused(capsys):
    """What a command is refused with."""

    def call(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main([*arguments])
        assert ended.value.code == 2
        return capsys.readouterr().err

    return call


def test_a_list_with_spaces_is_told_how_it_is_written(refused):
    told = refused("init-sweep", "--scales", "0.01", "1", "10")
    assert told.endswith("(1 10); a list is written with commas and no spaces, as in --seeds 0,3,7\n")
    assert "commas" not in refused("doctor", "x")


def test_where_no_study_is_named_those_there_are_are_told(refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert refused("status").endswith("issing argument 'DIR'; `bnstudy run STUDY` makes one in results/\n")
    for name in ("one", "two"):
        (tmp_path / "results" / name).mkdir(parents=True)
        (tmp_path / "results" / name / "plan.json").write_text("{}")
    for command in ("status", "analyze", "report", "open", "verify", "extend"):
        assert refused(command).endswith("issing argument 'DIR'; there are results/one, results/two\n")


@pytest.mark.parametrize(
    ("command", "option", "meaning"),
    [
        ("run", "--learning-rate", "--lr"),
        ("run", "--learning-rates", "--lr"),
        ("run", "--optimiser", "--optimizers"),
        ("run", "--batch_size", "--batch-size"),
        ("run", "--output", "--out"),
        ("run", "--workers", "--jobs"),
        ("run", "--gpu", "--device"),
        ("run", "--epoch", "--epochs"),
        ("run", "--sedes", "--seeds"),
        ("run", "--norm", "--norms"),
        ("run", "--init", "--inits"),
        ("run", "--initializer=zero", "--inits"),
        ("init-sweep", "--scale", "--scales"),
        ("judge", "--epoch", "--step"),
        ("judge", "--metric", "--value"),
        ("export", "--output", "--out"),
    ],
)
def test_an_option_is_taken_for_one_that_means_the_same(refused, command, option, meaning):
    said = refused(command, option, "x")
    assert said == f"bnstudy: no such option: {option.partition('=')[0]}; did you mean {meaning}?\n"


@pytest.mark.parametrize(
    ("command", "option"),
    [("run", "--test-size"), ("run", "--warmup"), ("export", "--seed"), ("status", "--learning-rate"), ("run", "-z")],
)
def test_nothing_is_suggested_where_nothing_means_that(refused, command, option):
    assert f"no such option: {option}; `bnstudy {command} --help` lists them" in refused(command, option)


@pytest.mark.parametrize(("word", "meaning"), [("train", "run"), ("basline", "baseline"), ("plots", "figures")])
def test_commands_likewise(refused, word, meaning):
    assert refused(word) == f"bnstudy: no such command: {word!r}; did you mean {meaning!r}?\n"
    assert "`bnstudy --help` lists them" in refused("deploy")
    assert "`bnstudy --help` lists them" in refused("--offline")


@pytest.mark.parametrize(
    ("key", "value", "meaning"),
    [("norms", "layernorm", "layer"), ("inits", "glorot", "xavier"), ("models", "dense", "mlp"),
     ("optimizers", "rmsprop", ""), ("norms", "bacth", "batch"), ("learning_rate", 0.1, "lr"), ("optimiser", "x",
     "optimizers"), ("batchsize", 3, "batch_size"), ("warmup", 3, "")],
)  # fmt: skip
def test_keys_and_levels_likewise(key, value, meaning):
    with pytest.raises(InputError) as told:
        Study.make({key: value})
    assert f"did you mean '{meaning}'?" in str(told.value) if meaning else "did you mean" not in str(told.value)


def test_every_meaning_is_there_and_no_word_of_it_is_a_thing_of_its_own():
    options = {option.lstrip("-") for one in COMMANDS.values() for param in one.params for option in param.opts}
    entries = {name for kind in registry._ALL for name in kind}
    assert set(MEANINGS) <= options | entries | set(COMMANDS)
    assert len(MEANINGS) == len(ALSO_CALLED)
    for command in COMMANDS.values():
        there = [option for param in command.params for option in param.opts if option.startswith("--")]
        assert all(meant(option, there) == option for option in there)
