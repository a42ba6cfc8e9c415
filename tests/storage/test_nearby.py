"""What is told of a path without results: the place that was meant, those that are there, or what makes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from bnstudy.storage.nearby import what_to_do


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("init-sweep", "lr-0.1"):
        (tmp_path / "results" / name).mkdir(parents=True)
        (tmp_path / "results" / name / "plan.json").touch()
    (tmp_path / "other" / "begun").mkdir(parents=True)  # no study
    (tmp_path / "other" / "mlp_runs.nc").touch()
    for name in ("mine", "my study"):
        (tmp_path / f"{name}.toml").touch()
    return tmp_path


@pytest.mark.parametrize(("path", "told"), [
    ("results", "it holds results/init-sweep, results/lr-0.1; name one of them"),
    ("init-sweep", "did you mean results/init-sweep?"),
    ("results/initsweep", "did you mean results/init-sweep?"),
    ("sweep", "did you mean results/init-sweep?"),
    ("lr-0.2", "did you mean results/lr-0.1?"),
    ("norms", "`bnstudy run norms` makes results/norms"),
    ("bnorms", "`bnstudy run norms` makes results/norms"),
    ("mine", "`bnstudy run mine.toml` makes its results"),
    ("my study.toml", "`bnstudy run 'my study.toml'` makes its results"),
    ("nowhere", "run it; there are results/init-sweep, results/lr-0.1"),
    ("other", "run it; there are results/init-sweep, results/lr-0.1"),
    (".", "run it; there are results/init-sweep, results/lr-0.1"),
])  # fmt: skip
def test_of_a_folder(place, path, told):
    assert what_to_do(Path(path), "run it") == told


def test_files_are_named_where_they_will_do(place):
    assert what_to_do(Path("other/mlp-runs.nc"), "run it", datasets=True) == "did you mean other/mlp_runs.nc?"
    assert what_to_do(Path("other"), "run it", datasets=True) == "it holds other/mlp_runs.nc; name one of them"
    assert "mlp_runs" not in what_to_do(Path("other/mlp-runs.nc"), "run it")


def test_where_there_is_nothing_only_what_to_run_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert what_to_do(Path("nowhere"), "run it") == "run it"


def test_a_long_list_is_cut(place):
    for seed in range(9):
        (place / "many" / f"s{seed}").mkdir(parents=True)
        (place / "many" / f"s{seed}" / "curves.nc").touch()
    told = what_to_do(Path("many"), "run it", datasets=True)
    assert told == "it holds many/s0, many/s1, many/s2, many/s3 and 5 more; name one of them"
