"""Anyone's runs, judged: like a study's where they are a study's, and by rank sums where nothing is paired."""

from __future__ import annotations

import bnstudy
import numpy as np
import pandas as pd
import pytest
from bnstudy.analysis.export.tidy import curve_table
from bnstudy.analysis.figures.gallery import draw_all
from bnstudy.analysis.report.page import render
from bnstudy.analysis.tables.verdicts import rows
from bnstudy.study.errors import InputError

from tests.conftest import ROOT

COLUMNS = {"treatment": "method", "control": "plain", "condition": "noise", "reference": "0", "seed": "seed",
           "step": "epoch", "value": "accuracy"}  # fmt: skip


def table(gains: dict[float, float], seeds: int = 8, epochs: int = 5, rng: np.random.Generator | None = None):
    """Accuracies of two methods whose log errors lie `gains` apart, by the level of noise."""
    rng = rng or np.random.default_rng(3)
    listed = []
    for noise, gain in gains.items():
        for seed in range(seeds):
            start = rng.normal(-2, 0.05)
            for method in ("plain", "new"):
                for epoch in range(1, epochs + 1):
                    log = start - 0.1 * epoch - gain * (method == "new") + rng.normal(0, 0.01)
                    listed.append((method, noise, seed, epoch, 1 - 2.0**log))
    return pd.DataFrame(listed, columns=["method", "noise", "seed", "epoch", "accuracy"])


def words(judged: bnstudy.analysis.judge.JudgedRuns) -> list[str]:
    return [row["verdict"] for row in rows(judged.assessment)]


@pytest.mark.parametrize("unpaired", [False, True])
def test_each_word_of_a_table(unpaired):
    """Gains of 0.3 at the reference, and of 2, 0.45, 0.3, -1 and 0 elsewhere."""
    made = table({0: 0.3, 1: 2.0, 2: 0.5, 3: 0.3, 4: -1.0, 5: 0.0})
    judged = bnstudy.judge(made, **COLUMNS, test_size=100_000, classes=10, unpaired=unpaired)
    assert words(judged) == ["mainly", "more", "alike", "harms", "none"]
    gains = judged.assessment.gain.squeeze().values
    np.testing.assert_allclose(gains, [0.3, 2.0, 0.5, 0.3, -1.0, 0.0], atol=0.05)


def test_our_own_export_gives_the_same_verdicts():
    results = bnstudy.Results.open(ROOT / "studies" / "data" / "sigmoid")
    own = curve_table(results.curves)
    judged = bnstudy.judge(own, "norm", "none", "init", "default", "seed", "epoch", "test_accuracy", by=("model",),
                           test_size=10_000, classes=10)  # fmt: skip
    for mine, theirs in zip(rows(results.assessment), rows(judged.assessment), strict=True):
        for name in ("model", "condition", "verdict", "remark", "n", "failures"):
            assert mine[name] == theirs[name]
        for name in ("gain", "gain_low", "gain_high", "difference", "p", "ratio_at_least"):
            assert mine[name] == pytest.approx(theirs[name], abs=1e-6)


def test_few_seeds_are_told_first():
    judged = bnstudy.judge(table({0: 0.0, 1: 3.0}, seeds=3), **COLUMNS)
    assert judged.assessment.attrs["warnings"][0].startswith("too few seeds to tell: with 3 and 1 poor level")
    assert words(judged) == ["unclear"]
    assert rows(judged.assessment)[0]["gain_low"] is None


def test_settings_are_told_by_their_columns():
    parts = [table({0: 0.0, 1: 1.0}).assign(width=width, model=model) for width in (8, 16) for model in ("a", "b")]
    judged = bnstudy.judge(pd.concat(parts), **COLUMNS, by=("model", "width"))
    assert [(row["model"], row["setting"]) for row in rows(judged.assessment)] == [
        ("a", {"width": "8"}), ("a", {"width": "16"}), ("b", {"width": "8"}), ("b", {"width": "16"}),
    ]  # fmt: skip
    assert words(judged) == ["mainly"] * 4


def test_figures_and_page(tmp_path):
    judged = bnstudy.judge(table({0: 0.2, 1: 2.0}), **COLUMNS, title="<b>Mine</b>")
    names = {one.name for one in draw_all(judged, tmp_path)}
    assert {"gain-by-condition", "forest", "error-curves"} <= names
    assert not any("accuracy" in name for name in names)
    page = render(judged)
    assert "new matters mainly at noise 1" in page
    assert "<b>Mine</b>" not in page
    assert "read 2 arms × 2 conditions" in page


def test_what_cannot_be_judged_is_refused():
    made = table({0: 0.0, 1: 1.0})
    for options, reason in (
        ({"treatment": "metod"}, "method"), ({"control": "none"}, "plain"), ({"reference": "7"}, "7"),
        ({"value": "acc"}, "accuracy"), ({"seed": "sed"}, "seed"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=reason):
            bnstudy.judge(made, **{**COLUMNS, **options})
    with pytest.raises(InputError, match="seed"):
        bnstudy.judge(table({0: 0.0, 1: 1.0}, seeds=1), **COLUMNS)


def test_an_arm_that_the_reference_lacks_is_told_and_no_arm_there_is_refused():
    made = table({0: 0.2, 1: 2.0})
    other = made[(made.method == "new") & (made.noise == 1)].assign(method="other")
    judged = bnstudy.judge(pd.concat([made, other]), **COLUMNS)
    assert "method other has no run at noise 0: not compared with it" in judged.scores.notes
    assert words(judged) == ["mainly", "unclear"]
    with pytest.raises(InputError, match="no treated run at noise 0"):
        bnstudy.judge(made[(made.method == "plain") | (made.noise == 1)], **COLUMNS)


def test_a_condition_with_the_control_alone_has_nothing_to_compare():
    made = table({0: 0.2, 1: 2.0, 2: 2.0})
    judged = bnstudy.judge(made[(made.method == "plain") | (made.noise < 2)], **COLUMNS)
    assert [row["remark"] for row in rows(judged.assessment)] == ["", "nothing to compare"]


def test_a_reference_where_nothing_learns_is_told():
    made = table({0: 0.0, 1: 2.0})
    made.loc[made.noise == 0, "accuracy"] = 0.1
    warnings = bnstudy.judge(made, **COLUMNS, test_size=1000, classes=10).assessment.attrs["warnings"]
    assert any(text.startswith("no run learns at the reference, noise 0: ") for text in warnings)


def test_whole_numbers_beyond_any_double():
    made = table({0: 0.2, 1: 2.0}).astype({"epoch": object, "accuracy": object})
    steps, values = made.copy(), made.copy()
    steps.loc[2, "epoch"] = values.loc[2, "accuracy"] = 10**400
    with pytest.raises(InputError, match="'epoch' must hold numbers"):
        bnstudy.judge(steps, **COLUMNS)
    assert "1 run with numbers after a failure: they do not count" in bnstudy.judge(values, **COLUMNS).scores.notes


def test_a_file_without_a_factor_that_others_have_is_named(tmp_path):
    made = table({0: 0.2, 1: 2.0})
    made[made.seed < 4].to_csv(tmp_path / "a.csv", index=False)
    made[made.seed >= 4].rename(columns={"noise": "Noise"}).to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(InputError, match=r"b\.csv has no column 'noise' \(did you mean 'Noise'\?\), and others have"):
        bnstudy.judge(tmp_path, **COLUMNS)
