"""``bnstudy explain``, and the messages that point to it."""

from __future__ import annotations

import json

import pytest
from bnstudy.analysis.glossary import GLOSSARY, NAMES
from bnstudy.analysis.results import Results
from bnstudy.analysis.tables.verdicts import rows
from bnstudy.cli.explain import there_is

from tests.synthetic import make_dataset


def test_every_name_is_explained(command):
    listed = command("explain")[1]
    assert all(name in listed for name in GLOSSARY)
    for name, one in NAMES.items():
        code, out, err = command("explain", name)
        assert (code, err) == (0, "")
        assert out.startswith(f"{one.name}: {one.text}")
        assert f"{one.page!r}, a page of the documentation" in " ".join(out.split())
    assert command("explain", "Own Data")[1] == command("explain", "own-data")[1]
    assert command("explain", "p value")[0] == 0


@pytest.mark.parametrize(("word", "kind", "name"), [
    ("large-variance", "inits", "large-variance[:σ]"), ("scaled-normal", "inits", "scaled-normal:S"),
    ("scaled-normal:0.01", "inits", "scaled-normal:S"), ("layer", "norms", "layer"), ("MLP", "models", "mlp"),
])  # fmt: skip
def test_levels_are_explained_as_they_are_listed(command, word, kind, name):
    code, out, err = command("explain", word)
    assert (code, err) == (0, "")
    assert out.startswith(f"{name}, of the {kind}: ")
    summary = " ".join(out.split()).partition(f"{kind}: ")[2].partition(" More: ")[0]
    assert summary in " ".join(command("list", kind)[1].split())
    assert json.loads(command("explain", word, "--json")[1])["kind"] == kind
    assert "did you mean 'large-variance'" in command("explain", "large-varience")[2]


def test_with_a_study_it_says_what_the_word_is_there(command, tmp_path):
    results = Results(make_dataset(seeds=8))
    listed = rows(results.assessment)

    def told(name: str) -> list[str]:
        return there_is(NAMES[name], results, "DIR")[1]

    words = {row["verdict"] for row in listed}
    for word in words:
        assert len(told(word)) == sum(row["verdict"] == word for row in listed)
        assert all("halvings" in line and line.partition(word)[1] for line in told(word))
    (absent,) = told(({"harms", "less"} - words).pop())
    assert absent == "no level of DIR is judged so"
    assert there_is(NAMES["gain"], results, "DIR")[0] == listed
    assert told("arm") == ["in DIR: none, batch"]
    assert "zero (poor)" in told("role")[0]
    assert told("margin") == ["in DIR: 0.15"]
    assert told("looks") == ["in DIR there is none"]
    results.curves.to_netcdf(tmp_path / "made-up.nc")
    assert command("explain", "margin", "made-up.nc")[1].split("\n")[1] == "- in made-up.nc: 0.15"
    assert json.loads(command("explain", "margin", "made-up.nc", "--json")[1])["there"] == 0.15


@pytest.mark.parametrize(("arguments", "told"), [
    (["manly"], "did you mean 'mainly'?"), (["qqqq"], "`bnstudy explain` lists all"),
    (["mainly", "nowhere"], "no results there"),
    (["cell", "made-up.nc"], "'cell' is the same in every study"),
])  # fmt: skip
def test_what_it_refuses(command, tmp_path, arguments, told):
    make_dataset().to_netcdf(tmp_path / "made-up.nc")
    code, out, err = command("explain", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert told in err


@pytest.mark.parametrize(("arguments", "topic"), [
    (["plan", "baseline", "--dataset", "qqqq"], "own-data"), (["plan", "baseline", "--models", "qqqq"], "own-model"),
    (["plan", "baseline", "--norms", "qqqq"], "own-treatment"), (["plan", "nowhere.toml"], "study-file"),
    (["plan", "baseline", "--treatment", "optimizer", "--optimizers", "sgd,adam"], "control"),
    (["plan", "baseline", "--device", "tpu"], "settings"), (["plan", "baseline", "--shard", "3/2"], "cluster"),
    (["plan", "baseline", "--looks", "2,1"], "looks"),
    (["judge", __file__, "--treatment", "a", "--control", "b", "--condition", "c", "--reference", "d", "--step",
      "e", "--value", "f", "--seed", "s"], "judge"),
])  # fmt: skip
def test_a_message_names_the_topic_that_helps_in_its_line(command, arguments, topic):
    code, out, err = command(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.endswith(f" (`bnstudy explain {topic}` says more)\n")


def test_a_message_that_says_what_was_meant_names_none(command):
    assert "explain" not in command("plan", "baseline", "--dataset", "mnits")[2]
