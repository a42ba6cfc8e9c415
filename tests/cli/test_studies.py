"""Which study a command means, and what it is called."""

from __future__ import annotations

import pytest
from bnstudy.cli.app import main
from bnstudy.cli.studies import name_of_folder, study_named
from bnstudy.storage.store import Store
from bnstudy.study.errors import InputError
from bnstudy.study.study_files import shipped

from tests.conftest import ROOT

DIGITS = {"dataset": "digits"}
TINY = ["--dataset", "digits", "--models", "mlp", "--train-size", "200", "--hidden", "8", "--epochs", "2", "--jobs",
        "1"]  # fmt: skip


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def bnstudy(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main([*arguments])
    return int(ended.value.code or 0)


def test_every_shipped_study_goes_by_the_name_it_bears():
    files = sorted((ROOT / "studies").glob("*.toml"))
    assert [file.name for file in shipped().values()] == [file.name for file in files]
    for name in shipped():
        assert study_named(name, {}).name == name


def test_a_path_comes_before_a_name_and_a_folder_is_none(folder):
    (folder / "norms").mkdir()
    assert study_named("norms", {}).name == "norms"
    (folder / "norms").rmdir()
    (folder / "norms").write_text('name = "mine"\n')
    assert study_named("norms", {}).name == "mine"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("norm", "did you mean 'norms'"),
        ("init_sweep", "did you mean 'init-sweep'"),
        ("nothing", "those that come with bnstudy are baseline, "),
        ("norms.toml", "no such study file"),
        ("studies/norms", "no such study file"),
    ],
)
def test_a_study_that_is_not_there_is_told_of(text, told):
    with pytest.raises(InputError, match=told):
        study_named(text, {})


def test_a_study_is_called_as_asked_else_as_its_folder_else_as_its_file_says(folder):
    (folder / "my study.toml").write_text("epochs = 3\n")
    assert study_named("norms", DIGITS).name == "norms"
    assert study_named("norms", DIGITS, out="results/On digits/").name == "On-digits"
    assert study_named("norms", DIGITS, name="other", out="results/digits").name == "other"
    assert study_named("norms", DIGITS, out=".").name == name_of_folder(folder)
    assert study_named("norms", DIGITS, out="..._/").name == "norms"  # nothing of which can stand in a name
    assert study_named("my study.toml", {}).name == "my-study"
    with pytest.raises(InputError, match="letters") as refused:
        study_named("norms", DIGITS, name="a/b")
    assert refused.value.key == "name"


def test_a_shard_is_called_as_the_whole_whatever_its_folder():
    assert study_named("norms", DIGITS, out="part-1", shard="1/2").name == "norms"


def test_a_folder_that_was_moved_or_merged_keeps_the_name_of_its_study(folder):
    study = study_named("norms", DIGITS, name="first")
    Store.create(folder / "moved", study, "cpu")
    assert study_named("norms", DIGITS, out="moved") == study
    with pytest.raises(InputError, match='name: "first" there, "moved" asked'):
        Store.find(folder / "moved", study_named("norms", DIGITS, name="moved", out="moved"))


def test_two_studies_of_one_file_write_no_file_of_each_other(folder, capsys):
    """Of each its own figures and tables, wherever a command is given them."""
    for seeds, place in (("2", "first"), ("3", "second")):
        assert bnstudy("run", "baseline", *TINY, "--seeds", seeds, "--out", f"results/{place}", "--quiet") == 0
        assert bnstudy("export", f"results/{place}", "--out", "tables") == 0
        assert bnstudy("figures", f"results/{place}", "--only", "survival") == 0
    names = sorted(path.name for path in (folder / "tables").iterdir())
    assert names == ["first-curves.csv", "first-runs.csv", "second-curves.csv", "second-runs.csv"]
    assert sorted(path.name for path in (folder / "figures").iterdir() if path.is_dir()) == ["first", "second"]
    capsys.readouterr()
