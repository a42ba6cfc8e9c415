"""Tables within the width there is, at words alone; long ones cut, with the command that shows all."""

from __future__ import annotations

import re

import pytest
from bnstudy.analysis.results import Results
from bnstudy.analysis.tables.table import Table
from bnstudy.analysis.tables.verdicts import rows
from bnstudy.cli import terminal
from bnstudy.cli.app import main
from rich.cells import cell_len

from tests.synthetic import make_dataset

SHAPES = {
    "two arms": {},
    "many arms": {"norms": ["none", "batch", "layer", "group:8", "weight-standardization"]},
    "rates": {"lrs": [0.1, 0.01, 0.001], "optimizers": ["adam", "sgd"], "validation": True},
    "long labels": {"inits": ["default", "scaled-normal:1e-05", "x" * 70], "models": ["mlp:256-128:tanh", "模型" * 20]},
}


@pytest.fixture
def printed(capsys, monkeypatch):
    """What a command prints at so many columns."""

    def call(columns: int, *arguments: str) -> str:
        monkeypatch.setenv("COLUMNS", str(columns))
        with pytest.raises(SystemExit) as ended:
            main([*arguments])
        out, err = capsys.readouterr()
        assert not ended.value.code, err
        return out

    return call


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("columns", [60, 80, 200])
def test_what_analyze_prints_fits_and_breaks_no_word(printed, tmp_path, shape, columns):
    dataset = make_dataset(seeds=8, **SHAPES[shape])
    dataset.to_netcdf(tmp_path / "s.nc")
    told = printed(columns, "analyze", str(tmp_path / "s.nc"))
    table = told[told.index("\nVerdicts") :]
    widest = max(columns, 40, *(cell_len(word) for word in table.split()))
    assert max(map(cell_len, table.splitlines())) <= widest
    result = Results(dataset).assessment
    for row in rows(result)[: terminal.MOST_ROWS]:
        assert re.search(rf"(?<!\w){row['verdict']}(?!\w)", table)
        assert row["condition"] in table


def test_a_table_that_fits_is_as_wide_as_it_needs(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    terminal.print_table(Table("T", ("what", "gain [95 %]"), (("a b", "0.10 [0.05, 0.20]"),), ("note",)))
    assert capsys.readouterr().out.splitlines() == [
        "T", "", " what        gain [95 %]", " ───────────────────────", " a b   0.10 [0.05, 0.20]", "", "note",
    ]  # fmt: skip


def test_a_cell_is_broken_between_words_and_never_within_an_interval(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    terminal.print_table(Table("T", ("what", "gain"), (("some words that are long", "0.10 [0.05, 0.20]"),)))
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 40
    assert "[0.05, 0.20]" in out
    assert {"some", "words", "that", "are", "long"} <= set(out.split())


def test_a_bound_and_its_count_are_broken_between_them_alone(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    terminal.print_table(Table("T", ("what", "epochs"), (("x" * 27, "≥ 50.0 (1 of 8)"),)))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["x" * 27, "≥", "50.0"] in lines
    assert ["(1", "of", "8)"] in lines


def test_columns_that_do_not_fit_become_lines(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    header = ("model", *(f"measure{i}" for i in range(8)))
    terminal.print_table(Table("T", header, (("mlp", *(f"{i}.25" for i in range(8))), ("cnn", *[""] * 8))))
    out = capsys.readouterr().out.splitlines()
    assert out[:3] == ["T", "", "mlp"]
    assert max(map(len, out)) <= 50
    assert out[3] == "  measure0: 0.25 · measure1: 1.25 · measure2: 2.25"
    assert "cnn" in out


def test_a_long_table_is_cut_and_names_the_command_that_shows_all(capsys):
    table = Table("T", ("a", "b"), tuple((f"row{i}", "x") for i in range(100)), ("note",))
    terminal.print_table(table, "bnstudy analyze s --csv")
    out = capsys.readouterr().out
    assert "row39 " in out
    assert "row40" not in out
    assert "the first 40 of 100 rows; all: bnstudy analyze s --csv\nnote\n" in out
    terminal.print_table(table)
    assert "row99" in capsys.readouterr().out
