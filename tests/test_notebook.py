"""In a notebook: progress under the cell, and studies, plans and results that show themselves."""

from __future__ import annotations

import sys
import types
from html.parser import HTMLParser

import bnstudy
import pytest
from bnstudy import notebook
from bnstudy.analysis.showing import MOST_ROWS
from bnstudy.training.running.execution import Observer

from tests.analysis.made_up import AT_REFERENCE, GAINS, study
from tests.synthetic import make_dataset

SMALL = {"dataset": "digits", "train_size": 100, "models": "mlp", "hidden": "4", "seeds": 2, "epochs": 1}
HOSTILE = "<script>alert(1)</script>"


class Cell:
    """What a notebook would show under a cell."""

    def __init__(self):
        self.shown = []

    def display(self, bundle, raw, display_id):
        assert raw
        assert display_id
        self.update(bundle, raw)
        return self

    def update(self, bundle, raw):
        self.shown.append(bundle)


@pytest.fixture
def cell(monkeypatch):
    """A notebook's cell, as far as IPython tells of one."""
    found = Cell()
    shell = types.SimpleNamespace(kernel=object())
    version = (9, 0, 0, "")  # which matplotlib asks for
    module = types.SimpleNamespace(__name__="IPython", get_ipython=lambda: shell, version_info=version)
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setitem(sys.modules, "IPython.display", types.SimpleNamespace(display=found.display))
    return found


class Tags(HTMLParser):
    """Checks that every element that was opened is closed, in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_a_notebook_shows_how_far_each_arm_is_and_how_good(cell, tmp_path):
    bnstudy.run(bnstudy.Study.make(SMALL), tmp_path / "s")
    first, last = (bundle["text/plain"].splitlines() for bundle in (cell.shown[0], cell.shown[-1]))
    assert first == ["0% of the epochs", "norm=none 0/2 runs", "norm=batch 0/2 runs"]
    assert last[0] == "100% of the epochs"
    assert last[2].startswith("norm=batch 2/2 runs, median accuracy ")
    assert Tags(cell.shown[-1]["text/html"]).seen.count("progress") == 3
    shown = len(cell.shown)
    bnstudy.run(bnstudy.Study.make(SMALL), tmp_path / "s")
    assert len(cell.shown) == shown  # nothing was left to train


def test_an_observer_of_ones_own_is_told_instead(cell, tmp_path):
    bnstudy.run(bnstudy.Study.make({**SMALL, "norms": "batch", "seeds": 1}), tmp_path / "s", observer=Observer())
    assert cell.shown == []


def test_elsewhere_nothing_is_shown(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not notebook.is_notebook()
    terminal = types.SimpleNamespace(get_ipython=lambda: types.SimpleNamespace())
    monkeypatch.setitem(sys.modules, "IPython", terminal)
    assert not notebook.is_notebook()


def test_results_show_what_they_are_and_what_they_say():
    results = bnstudy.Results(study({"well": AT_REFERENCE, "poor": GAINS["mainly"]}, title=HOSTILE))
    assert repr(results) == f"<Results of {HOSTILE!r}: 2 conditions × 2 arms × 10 seeds>"
    assert repr(results.verdict).startswith("mlp: Batch Normalization matters mainly at poor")
    html = results._repr_html_()
    assert HOSTILE not in html
    tags = Tags(html)
    assert "img" in tags.seen
    assert "data:image/svg+xml;base64," in html
    assert "mainly" in html
    assert len(html) < 200_000


def test_a_study_in_training_says_so():
    half = make_dataset(seeds=8, pending=1).assign_attrs(runs_finished=120, runs_planned=128)
    results = bnstudy.Results(half)
    assert repr(results).endswith(", 120 of 128 runs so far>")
    assert repr(results.verdict).startswith("note: 120 of 128 runs so far")


def test_where_there_is_no_verdict_it_says_why():
    one_arm = bnstudy.Results(make_dataset(seeds=2).sel(norm=["batch"]))
    assert repr(one_arm.verdict).startswith("There is no verdict: nothing to compare")
    assert "img" not in Tags(one_arm._repr_html_()).seen


def test_long_tables_are_cut():
    gains = {"well": AT_REFERENCE, **{f"poor-{i}": GAINS["mainly"] for i in range(MOST_ROWS + 5)}}
    html = bnstudy.Results(study(gains)).verdict._repr_html_()
    assert Tags(html).seen.count("tr") == 1 + MOST_ROWS
    assert f"the first {MOST_ROWS} of {MOST_ROWS + 5}" in html


def test_runs_of_a_table_show_themselves_too():
    rows = [(arm, c, s, e, 0.5 + 0.1 * (arm == "b") * (c == "bad"))
            for arm in "ab" for c in ("good", "bad") for s in range(6) for e in (1, 2)]  # fmt: skip
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(rows, columns=["arm", "c", "seed", "epoch", "accuracy"])
    judged = bnstudy.judge(table, "arm", "a", "c", "good", "seed", "epoch", "accuracy", test_size=100, classes=2)
    assert "2 conditions × 2 arms × 6 seeds" in repr(judged)
    Tags(judged._repr_html_())


def test_a_study_and_its_plan_show_themselves():
    asked = bnstudy.Study.make({**SMALL, "title": HOSTILE, "scales": "0.01,1", "seeds": 20})
    assert repr(asked) == str(asked)
    assert "2 norms × 2 inits × 20 seeds = 80 runs, 1 epoch of digits" in repr(asked)
    html = asked._repr_html_()
    Tags(html)
    assert HOSTILE not in html
    assert "scaled-normal:1 (reference)" in html
    assert "none (control)" in html
    assert "(20 in all)" in html
    plan = bnstudy.make_plan(asked)
    assert repr(plan) == f"<Plan of 80 runs in {len(plan)} ensembles, each of which trains together>"
    assert Tags(plan._repr_html_()).seen.count("tr") == 3
