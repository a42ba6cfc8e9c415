"""What stands for a figure: a line and a table, with the numbers that are drawn."""

from __future__ import annotations

import re

import numpy as np
import pytest
from bnstudy.analysis import responses
from bnstudy.analysis.figures import style
from bnstudy.analysis.figures.describing import MOST_ROWS, Description, describe, describe_drawn
from bnstudy.analysis.figures.gallery import draw_studies
from bnstudy.analysis.results import Results
from bnstudy.analysis.summaries import mean_interval
from bnstudy.analysis.tables.verdicts import interval, plain
from bnstudy.study.errors import InputError
from bnstudy.study.registry import figures
from matplotlib.figure import Figure

from tests.synthetic import make_dataset

DEPTHS = {"models": [f"mlp:8x{depth}" for depth in (2, 5, 20)], "inits": [f"scaled-normal:{s}" for s in (0.5, 1, 2)]}
RATES = {"models": ["mlp"], "lrs": [0.1, 0.01], "inits": ["default", "zero"]}
BAR = ("mean", "lower", "upper")
NUMBER = re.compile(r"\d")


def told(name: str, results: Results) -> Description:
    with style.house_style():
        figure = style.drawn(name, results)
        assert figure is not None
        figure.draw_without_rendering()
        return describe(name, results, figure)


def column(description: Description, header: str) -> dict[tuple[str, ...], str]:
    table = description.table
    return {row[: table.labels]: row[table.header.index(header)] for row in table.rows}


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] if i % 3 else [])
                                  for i, name in enumerate(figures)])  # fmt: skip
def test_every_figure_has_a_line_and_its_numbers(name):
    every = (Results(make_dataset(**shape, seeds=2)) for shape in ({"models": ["mlp"]}, DEPTHS, RATES))
    results = next(one for one in every if figures[name].about["applies"](one))
    found = told(name, results)
    assert found.alt.startswith(figures[name].label)
    assert len(found.alt) < 300
    assert found.table.rows
    assert all(found.table.header)
    assert all(len(row) == len(found.table.header) for row in found.table.rows)
    assert all(any(NUMBER.search(text) for text in row) or "–" in row for row in found.table.rows)
    assert any("n = 2 seeds" in note for note in found.table.notes)


def test_curves_are_told_as_they_are_with_their_bands():
    dataset = make_dataset(models=["mlp"])
    found = told("accuracy-curves", Results(dataset))
    init = str(dataset.init.values[1])
    cell = 100 * dataset.test_accuracy.sel(model="mlp", norm="batch", init=init).squeeze().isel(epoch=-1)
    last = column(found, f"epoch {int(dataset.epoch[-1])}")
    panel = next(row[0] for row in last if init in row[0])
    assert last[panel, "with BN"] == f"{float(cell.mean()):.1f} ({float(cell.min()):.1f} to {float(cell.max()):.1f})"


def test_points_are_told_by_their_ticks_with_their_bars():
    dataset = make_dataset(models=["mlp"], inits=["scaled-normal:1", "scaled-normal:0.01", "zero"], seeds=8, diverged=3)
    found = told("accuracy-by-condition", Results(dataset))
    final = 100 * responses.final(dataset, "test_accuracy").sel(model="mlp").squeeze()
    around = mean_interval(final)
    places = {"0.01 (poor)": "scaled-normal:0.01", "1 (well)": "scaled-normal:1", "zero (poor)": "zero"}
    for arm, norm in (("without BN", "none"), ("with BN", "batch")):
        values = column(found, arm)
        for label, init in places.items():
            mean, low, high = (f"{float(around[name].sel(norm=norm, init=init)):.1f}" for name in BAR)
            assert values[(label,)] in (f"{mean} [{low}, {high}]", mean)
    assert any("[" in text for text in column(found, "without BN").values())


def test_gains_are_told_with_interval_pairs_and_word():
    results = Results(make_dataset(seeds=8))
    found = told("gain-by-condition", results)
    cell = results.assessment.sel(model="cnn", arm="batch", condition="zero").squeeze()
    gains, words = column(found, "gain [95 %]"), column(found, "verdict")
    told_as = interval({name: float(cell[name]) for name in ("gain", "gain_low", "gain_high")}, "gain")
    assert gains["cnn", "zero"] == told_as
    assert words["cnn", "zero"].startswith(str(cell.word.values))
    assert set(column(found, "n").values()) == {"8"}
    assert plain(float(np.nanmax(results.assessment.gain))) in "".join(gains.values())


def test_maps_are_told_as_they_are_written():
    found = told("accuracy-map", Results(make_dataset(models=["mlp"], diverged=1)))
    assert found.table.header == ("what", "without BN", "with BN")
    assert found.table.rows[0][1].endswith("(1)")


def plugin(draw) -> Figure:
    figure = Figure()
    draw(figure)
    figure.draw_without_rendering()
    return figure


@pytest.mark.parametrize(("draw", "row"), [
    (lambda figure: figure.add_subplot().plot([1, 2, 3], [0.5, 0.25, 0.125]), ("line 1", "0.500", "0.250", "0.125")),
    (lambda figure: figure.add_subplot().scatter([1, 2], [30, 40]), ("1", "30.00")),
    (lambda figure: figure.add_subplot().bar(["a", "b"], [3, 4]), ("a", "3.00")),
    (lambda figure: figure.add_subplot().imshow([[1.5, 2.5]]), ("0", "1.5", "2.5")),
    (lambda figure: figure.add_subplot().errorbar([1, 2], [3, 4], yerr=1), ("1", "3.00 [2.00, 4.00]")),
    (lambda figure: figure.add_subplot().pie([1, 2]), ("x axis", "-1.25", "1.25")),
    (lambda figure: figure.add_subplot().hist(np.arange(10), bins=2), ("2.25", "5.00")),
])  # fmt: skip
def test_a_figure_of_somebody_elses_is_read_too(draw, row):
    found = describe_drawn("Mine", plugin(draw))
    assert found.alt.startswith("Mine")
    assert found.table.rows[0] == row


def test_bars_of_a_group_belong_to_their_tick():
    def draw(figure):
        panel = figure.add_subplot()
        for i in range(3):
            panel.bar([j + 0.3 * i for j in range(2)], [10 + i, 20 + i], 0.3, label=f"arm {i}")
        panel.set_xticks(range(2), ["mlp", "cnn"])

    found = describe_drawn("Mine", plugin(draw))
    assert found.table.rows == (("mlp", "10.00", "11.00", "12.00"), ("cnn", "20.00", "21.00", "22.00"))


def test_much_is_told_in_short():
    many = describe_drawn("Many", plugin(lambda figure: figure.add_subplot().scatter(np.arange(999), np.arange(999))))
    assert many.table.rows == (("all points", "999 points, median 499.0, 0.0 to 998.0"),)
    bars = describe_drawn("Bars", plugin(lambda figure: figure.add_subplot().bar(np.arange(500), np.arange(500))))
    assert len(bars.table.rows) == MOST_ROWS
    assert bars.table.notes[-1] == f"the first {MOST_ROWS} of 500 rows"


def test_a_figure_without_anything_is_no_error():
    assert describe_drawn("Empty", Figure()).table.rows == ()


@pytest.mark.parametrize(("table", "why"), [(lambda results: 1 / 0, "ZeroDivisionError"), (lambda results: "x", "str")])
def test_a_table_that_fails_is_told(register, table, why):
    register(figures, "mine", caption="", applies=lambda results: True, table=table)(lambda results, ax=None: Figure())
    with pytest.raises(InputError, match=f"the table of figure 'mine' cannot be made: .*{why}"):
        told("mine", Results(make_dataset(models=["mlp"], inits=["default"], seeds=2)))


def test_a_gallery_names_its_figures_and_has_their_numbers(tmp_path):
    make_dataset(models=["mlp"], inits=["default", "<b>|x"], seeds=2).to_netcdf(tmp_path / "a.nc")
    draw_studies([tmp_path / "a.nc"], tmp_path / "out", ["accuracy-map"])
    index = (tmp_path / "out" / "README.md").read_text()
    assert re.search(r"!\[Final accuracy of every cell: final test accuracy .* from \d", index)
    (numbers,) = (tmp_path / "out").rglob("accuracy-map.md")
    assert f"[its numbers]({numbers.parent.name}/accuracy-map.md)" in index
    lines = [line for line in numbers.read_text().splitlines() if line.startswith("|")]
    assert len(lines) == 4
    assert "&lt;b&gt;\\|x" in lines[3]
