"""Results are opened once and judged once, whatever is made of them."""

from __future__ import annotations

import pytest
from bnstudy.analysis import assessment, claims
from bnstudy.analysis.figures.gallery import draw_all
from bnstudy.analysis.report.page import render
from bnstudy.analysis.results import Results
from bnstudy.analysis.tables.selected_rates import selection_table
from bnstudy.study.errors import InputError

from tests.synthetic import make_dataset


@pytest.fixture
def judged(monkeypatch):
    """How often anything was judged, and by which criteria."""
    calls = []

    def assess(scores, criteria, original=assessment.assess_scores):
        calls.append(criteria)
        return original(scores, criteria)

    monkeypatch.setattr(assessment, "assess_scores", assess)
    return calls


def test_a_page_judges_once(judged, monkeypatch):
    monkeypatch.setattr("bnstudy.analysis.report.page.figures", {})
    opened = Results(make_dataset(seeds=4))
    render(opened)
    claims.claims(opened)
    assert judged == [opened.criteria]


def test_figures_and_tables_share_what_was_judged(judged, tmp_path):
    opened = Results(make_dataset(models=["mlp"], lrs=[0.1, 0.01], validation=True))
    draw_all(opened, tmp_path, ["forest", "gain-by-rate"])
    selection_table(opened)
    assert len(judged) == 2  # at the fixed rates, and at the selected ones
    assert opened.at_selected_rates is opened.at_selected_rates
    assert opened.at_selected_rates.dataset.lr.values.tolist() == ["selected"]


def test_what_is_no_dataset_is_refused():
    with pytest.raises(InputError, match=r"Results takes a dataset.*Results\.open\("):
        Results("results/mine")


def test_the_first_settings_stand_for_a_study_whatever_it_asks():
    asked = {"condition": "lr", "treatment": "norm", "control": "none"}
    dataset = make_dataset(lrs=[0.1, 0.01]).assign_coords(lr_role=("lr", ["poor", "well"])).assign_attrs(asked)
    opened = Results(dataset)
    assert (opened.criteria.condition, opened.criteria.reference) == ("lr", "0.01")
    assert opened.at_reference.init.item() == "default"
    assert not opened.can_select
    with pytest.raises(InputError, match="what the study asks about"):
        _ = opened.at_selected_rates


def test_what_is_compared_is_told_apart_from_what_cannot_be():
    assert Results(make_dataset()).can_judge
    assert not Results(make_dataset(norms=["batch"])).can_judge
    assert not Results(make_dataset().drop_vars("init_role")).can_judge
