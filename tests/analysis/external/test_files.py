"""Several files and folders: of one kind, with the same columns, and their paths as names."""

from __future__ import annotations

import pytest
from bnstudy.study.errors import InputError

from tests.analysis.external.made_up import ANSWER, gains, score, table

PATTERN = "{norm}_{init}_{seed}/metrics.csv"


@pytest.fixture
def folder(tmp_path):
    """A file a run, as loggers write them, beside what is no table."""
    for (norm, init, seed), run in table().groupby(["norm", "init", "seed"]):
        one = tmp_path / "runs" / f"{norm}_{init}_{seed}"
        one.mkdir(parents=True)
        run[["step", "acc"]].to_csv(one / "metrics.csv", index=False)
        (one / "hparams.yaml").write_text("lr: 1")
    hidden = tmp_path / "runs" / ".checkpoints"
    hidden.mkdir()
    (hidden / "metrics.csv").write_text("step,acc\n0,0\n")
    return tmp_path / "runs"


def test_a_folder_of_runs_is_read_by_its_paths(folder):
    scored = score(folder, from_name=PATTERN)
    assert gains(scored) == ANSWER
    assert any("12 tables read, 13 other files passed over" in note for note in scored.notes)
    assert gains(score(sorted(folder.glob("*_*/metrics.csv")), from_name=PATTERN)) == ANSWER
    assert gains(score([folder], from_name="{norm}_{init}_{seed}/metrics")) == ANSWER


def test_a_file_can_be_a_run_without_a_seed(folder):
    scored = score(folder, from_name="{norm}_{init}_{}/metrics", seed=None, unpaired=True)
    assert scored.scores.sizes["seed"] == 3


def test_a_file_that_is_named_twice_is_read_once(tmp_path):
    table().to_csv(tmp_path / "all.csv")
    scored = score([tmp_path / "all.csv", tmp_path, f"{tmp_path}/../{tmp_path.name}/all.csv"])
    assert gains(scored) == ANSWER
    assert any("named a second time" in note for note in scored.notes)


def test_files_that_are_not_alike_are_refused(folder):
    table().to_parquet(folder / "all.parquet")
    with pytest.raises(InputError, match="read files of one kind"):
        score(folder, from_name=PATTERN)
    (folder / "all.parquet").unlink()
    (folder / "other.csv").write_text("step,accuracy\n1,1\n")
    with pytest.raises(InputError, match=r"other.csv has no column 'acc' \(did you mean 'accuracy'"):
        score(folder, from_name=PATTERN)


def test_repeats_in_other_files_are_told_from_those_in_one(tmp_path):
    for name in ("one", "two"):
        table().assign(acc=lambda t, name=name: t.acc + 0.01 * (name == "two")).to_csv(tmp_path / f"{name}.csv")
    with pytest.raises(InputError, match="in other files") as refused:
        score(tmp_path)
    assert refused.value.key == "from_name"


@pytest.mark.parametrize("source", ["nowhere.csv", "a\0b", "x" * 5000, "/dev/null", 5, [], [3], None])
def test_what_cannot_be_opened_is_refused(source):
    with pytest.raises(InputError):
        score(source)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no table"):
        score(tmp_path)


def test_a_dataframe_is_read_whatever_its_index_and_left_as_it_was():
    frame = table().set_index(["norm", "init", "seed", "step"])
    before = frame.copy()
    assert gains(score(frame)) == ANSWER
    assert frame.equals(before)
    with pytest.raises(InputError, match="no rows"):
        score(table().head(0))
