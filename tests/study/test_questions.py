"""The study files to begin with are studies: of what they ask, and with something to compare."""

from __future__ import annotations

import pytest
from bnstudy.study.factors import BY_NAME
from bnstudy.study.questions import START, study_file
from bnstudy.study.study import Study


@pytest.mark.parametrize("question", START)
def test_each_is_a_study_of_its_question(question, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(study_file("mine", question, "digits"))
    study = Study.load(path)
    assert (study.name, study.question, study.dataset) == ("mine", START[question].question, "digits")
    assert len(getattr(study, BY_NAME[study.treatment].key)) > 1
    assert study.control
    assert study.roles[study.reference] == "well"
    assert list(study.roles.values()).count("poor") >= 2
    assert question.replace("-", "_").removesuffix("s") in (study.treatment, study.condition, "depth")
    assert all(key in path.read_text() for key in ("mainly_times", "margin", "alpha", "predictions"))
