"""The page as text: what it holds, that nothing of the data becomes markup, and that it stays small."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from bnstudy.analysis.figures import style
from bnstudy.analysis.report import write_report
from bnstudy.analysis.report.page import render
from bnstudy.analysis.report.rows import MOST_CELLS, cell_rows, curves, measures
from bnstudy.analysis.results import Results, assess
from bnstudy.analysis.tables.selected_rates import selection_table
from bnstudy.analysis.tables.sentences import sentences
from bnstudy.analysis.tables.verdicts import plain, rows
from bnstudy.study.errors import InputError
from bnstudy.study.registry import figures
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from tests.synthetic import make_dataset

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&{{7*7}}</style>"


class Elements(HTMLParser):
    """Every element with its attributes, and all text outside scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.inside = "", ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self.inside = tag

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside not in ("script", "style"):
            self.text += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.found)


@pytest.fixture
def one_figure(monkeypatch):
    """Of pages that are not about their pictures: drawing all takes seconds."""
    monkeypatch.setattr("bnstudy.analysis.report.page.figures", {"forest": figures["forest"]})


@pytest.mark.usefixtures("one_figure")
def test_the_verdict_comes_first_then_the_rest():
    dataset = make_dataset(seeds=8)
    page = render(Results(dataset))
    result = assess(dataset)
    shown = " ".join(re.sub("<[^>]*>", "", html.unescape(page)).split())  # a sentence is bold, the rest is not
    for sentence in sentences(result).values():
        assert sentence in shown
    order = [page.index(f'id="{name}"') for name in ("answer", "claims", "figures", "cells", "settings", "cite")]
    assert order == sorted(order)
    assert page.index(next(iter(sentences(result).values()))[:30]) < page.index("<img")
    elements = Elements(page)
    assert all(row["verdict"] in elements.text for row in rows(result))


@pytest.mark.slow
def test_every_picture_has_a_name_and_no_request_is_made():
    page = render(Results(make_dataset(seeds=2)))
    elements = Elements(page)
    images = [attributes for tag, attributes in elements.found if tag == "img"]
    assert len(images) >= 8
    assert len(page) < 700_000
    assert all(len(one["alt"] or "") > 40 for one in images)
    assert all((one["src"] or "").startswith("data:image/png;base64,") for one in images)
    assert not elements.count("link")
    assert "default-src 'none'" in page
    assert not re.search(r"https?://", page)


@pytest.mark.usefixtures("one_figure")
def test_nothing_of_the_data_becomes_markup():
    clean = Elements(render(Results(make_dataset(models=["a"], inits=["default", "b"], seeds=2))))
    dataset = make_dataset(models=[HOSTILE], inits=["default", HOSTILE], seeds=2)
    said = dict.fromkeys(("title", "dataset", "machine", "study_name"), HOSTILE)
    study = f"question = '''{HOSTILE}'''\npredictions = ['''{HOSTILE}''']"
    page = render(Results(dataset.assign_attrs(**said, study=study, study_hash="")))
    elements = Elements(page)
    assert {tag: elements.count(tag) for tag in ("script", "style", "iframe", "h1")} == {
        "script": 2, "style": 1, "iframe": 0, "h1": 1}  # fmt: skip
    assert elements.count("img") == clean.count("img")
    assert not any(name.startswith("on") for _, attributes in elements.found for name in attributes)
    assert "{{7*7}}" in elements.text
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert data
    assert HOSTILE in json.loads(data[1])["cells"][0]["title"]


def test_its_numbers_are_the_datasets():
    dataset = make_dataset(seeds=4, diverged=3)
    table = cell_rows(Results(dataset))
    assert len(table) == dataset.isel(seed=0, epoch=0).test_accuracy.size
    told = {measure.header: measure for measure in measures(Results(dataset))}
    accuracy = 100 * np.array([0.1, 0.1, 0.1, float(dataset.test_accuracy[0, 0, 0, 0, 0, 3, -1])])  # three diverged
    assert told["final accuracy, %"].order[0] == pytest.approx(accuracy.mean(), rel=1e-6)
    assert told["final accuracy, %"].texts[0].startswith(f"{accuracy.mean():.2f} ± ")
    assert told["diverged"].texts[0] == "3"
    assert {len(measure.texts) for measure in told.values()} == {len(table)}
    data = curves(Results(dataset), table)
    lines = data["cells"][5]["values"][0]
    model, norm, init = table[5]["model"], table[5]["arm"], table[5]["condition"]
    cell = 100 * dataset.test_accuracy.sel(model=model, norm=norm, init=init).squeeze()
    np.testing.assert_allclose(lines, [cell.mean("seed"), cell.min("seed"), cell.max("seed")], rtol=1e-3)
    groups = [one["group"] for one in table]
    assert groups[0] == groups[1]  # the two arms of the first init
    assert len(set(groups)) == len(table) / 2


@pytest.mark.parametrize(
    "shape",
    [
        {"models": ["mlp"], "norms": ["none"], "inits": ["default"], "seeds": 1, "epochs": 1},
        {"norms": ["batch", "layer"]},
        {"inits": ["zero", "scaled-normal:10"]},
        {"pending": 10_000},
        {"diverged": 10_000, "epochs": 1},
        {"lrs": [0.1, 0.01], "optimizers": ["sgd", "adam"]},
    ],
)
@pytest.mark.usefixtures("one_figure")
def test_any_dataset_has_its_page(shape):
    elements = Elements(render(Results(make_dataset(**shape))))
    assert elements.count("h2") >= 6


@pytest.mark.usefixtures("one_figure")
def test_the_verdicts_at_the_selected_rates_stand_below_the_others():
    dataset = make_dataset(lrs=[0.1, 0.01], seeds=8, validation=True)
    page = render(Results(dataset))
    table = selection_table(Results(dataset))
    assert page.index('id="verdicts"') < page.index('id="selected"') < page.index('id="claims"')
    assert all(text in Elements(page).text for row in table.rows for text in row)
    assert 'id="selected"' not in render(Results(make_dataset(seeds=2)))


@pytest.mark.usefixtures("one_figure")
def test_others_results_have_their_page():
    bare = make_dataset()[["test_accuracy"]].drop_vars(["init_family", "init_value"]).drop_attrs()
    assert "does not hold the study" in render(Results(bare))


@pytest.mark.usefixtures("one_figure")
def test_a_study_of_one_arm_says_why_there_is_no_verdict():
    assert "There is no verdict: nothing to compare" in render(Results(make_dataset(norms=("none",))))


@pytest.mark.usefixtures("one_figure")
def test_a_large_study_stays_below_three_megabytes():
    dataset = make_dataset(
        models=[f"m{i}" for i in range(60)], inits=["default", *(f"i{j}" for j in range(19))], epochs=50
    )
    assert dataset.isel(seed=0, epoch=0).test_accuracy.size > MOST_CELLS
    page = render(Results(dataset))
    assert len(page.encode()) < 2_300_000  # and the pictures
    assert f"The first {MOST_CELLS} of 2400 cells" in page
    assert "And 20 more models" in page


@pytest.mark.usefixtures("one_figure")
def test_a_study_without_a_poor_condition_says_so_and_tells_its_gains():
    results = Results(make_dataset(models=["mlp"], inits=["default"], seeds=8))
    text = Elements(render(results)).text
    assert "There is no verdict: no level of init is declared poor" in text
    assert plain(results.assessment.gain.item()) in text
    assert "the verdicts are post hoc" not in text


def test_a_picture_keeps_the_colours_of_the_arms(monkeypatch):
    monkeypatch.setattr("bnstudy.analysis.report.page.figures", {"accuracy-curves": figures["accuracy-curves"]})
    dataset = make_dataset(norms=["none", "batch", "layer", "group", "rms", "instance"], seeds=3)
    dataset.test_accuracy[:] = dataset.test_accuracy.isel(norm=[-1]).values  # the last covers the others, but for a key
    results = Results(dataset)
    (address,) = (attributes["src"] for tag, attributes in Elements(render(results)).found if tag == "img")
    with Image.open(io.BytesIO(base64.b64decode(str(address).partition(",")[2]))) as image:
        pixels = np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0).astype(int)
    for colour in style.COLOURS[:5]:
        assert np.abs(pixels - 255 * np.array(to_rgb(colour))).max(1).min() < 12, colour


@pytest.mark.usefixtures("one_figure")
def test_a_plugins_figure_has_its_numbers_too(register, monkeypatch):
    def mine(results, ax=None):
        figure = Figure()
        figure.add_subplot().bar(["a", "<b>"], [3, 4])
        return figure

    register(figures, "mine", caption="", applies=lambda results: True)(mine)
    monkeypatch.setattr("bnstudy.analysis.report.page.figures", {"mine": figures["mine"]})
    elements = Elements(render(Results(make_dataset(models=["mlp"], inits=["default", "zero"], seeds=2))))
    (image,) = (attributes for tag, attributes in elements.found if tag == "img")
    assert image["alt"] == "mine: values from 3 to 4. Its numbers stand below."
    assert "<b>4.00" in elements.text


@pytest.mark.slow
@pytest.mark.usefixtures("one_figure")
def test_where_it_is_written(tmp_path):
    make_dataset(seeds=2).to_netcdf(tmp_path / "made-up.nc")
    assert write_report(tmp_path / "made-up.nc") == tmp_path / "made-up.html"
    assert write_report(tmp_path / "made-up.nc", tmp_path / "new" / "x.html").is_file()
    with pytest.raises(InputError, match="is a folder"):
        write_report(tmp_path / "made-up.nc", tmp_path)
