"""A study sealed before it runs: nothing else fits its folder, and its results say when."""

from __future__ import annotations

import pytest
from bnstudy.analysis.results import Results
from bnstudy.storage.preregistration import preregister
from bnstudy.storage.store import Store
from bnstudy.study.enlarging import extended
from bnstudy.study.errors import InputError
from bnstudy.study.study import Study
from bnstudy.training.running.execution import run

SETTINGS = {
    "dataset": "digits", "train_size": 150, "models": "mlp", "hidden": "8", "epochs": 1, "seeds": 2,
    "inits": "default,zero",
}  # fmt: skip


def test_its_results_say_when_it_was_sealed(tmp_path):
    study = Study.make(SETTINGS)
    sealed = preregister(tmp_path / "study", study).preregistered
    assert Store.open(tmp_path / "study").pending()
    dataset = run(study, tmp_path / "study")
    assert dataset.attrs["preregistered"] == sealed
    assert f"sealed on {sealed}, before it ran" in Results(dataset).scores.notes
    larger = extended(study, {"seeds": "3"})
    after = run(larger, tmp_path / "study", extends=True)
    assert after.attrs["preregistered"] == sealed
    assert any(note.startswith("seeds were added once the study had begun (from 2 to 3)") for note in
               Results(after).scores.notes)  # fmt: skip


def test_what_differs_from_it_is_refused_a_place(tmp_path):
    preregister(tmp_path / "study", Study.make(SETTINGS))
    for change in ({"margin": 0.3}, {"seeds": 3}, {"mainly_times": 1.5}):
        with pytest.raises(InputError, match=f"(another|less of this) study \\({next(iter(change))}"):
            run(Study.make({**SETTINGS, **change}), tmp_path / "study")


def test_what_has_begun_cannot_be_sealed(tmp_path):
    study = Study.make(SETTINGS)
    run(study, tmp_path / "ran")
    with pytest.raises(InputError, match="was not sealed before"):
        preregister(tmp_path / "ran", study)
    preregister(tmp_path / "study", study)
    with pytest.raises(InputError, match="sealed there already, on 2"):
        preregister(tmp_path / "study", study)
