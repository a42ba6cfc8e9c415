"""Verdicts: one made-up study for each, the rules' edges, and what may be missing from a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import tomli_w
import xarray as xr
from bnstudy.analysis import assessment, responses
from bnstudy.analysis.assessment import VERDICTS, assess
from bnstudy.analysis.criteria import criteria_of
from bnstudy.analysis.normal_form import CURVE_DIMS
from bnstudy.analysis.responses import RESPONSES, Response
from bnstudy.analysis.tables.verdicts import quantity
from bnstudy.study.errors import InputError
from bnstudy.study.schema import Status
from bnstudy.study.study import digest_of

from tests.synthetic import make_dataset

EPOCHS = 20
NEVER = 99


def study(
    cells: dict[tuple[str, str], Sequence[float]],
    roles: dict[str, str] | None = None,
    accuracies: dict[tuple[str, str], Sequence[float]] | None = None,
    **attributes: object,
) -> xr.Dataset:
    """A dataset whose runs exceed the target at the given epochs, one a seed; NEVER is never."""
    inits = list(dict.fromkeys(init for init, _ in cells))
    n = len(next(iter(cells.values())))
    accuracy = np.full((1, 2, len(inits), 1, 1, n, EPOCHS), 0.5, np.float32)
    for (init, norm), reached in cells.items():
        for seed, epoch in enumerate(reached):
            where = (0, ["none", "batch"].index(norm), inits.index(init), 0, 0, seed)
            accuracy[where][np.arange(1, EPOCHS + 1) >= epoch] = 0.985
            if accuracies and (init, norm) in accuracies:
                accuracy[where][-1] = accuracies[init, norm][seed]
    roles = roles or {init: "well" if init == "well" else "poor" for init in inits}
    coords = {
        "model": ["mlp"], "norm": ["none", "batch"], "init": inits, "optimizer": ["sgd"], "lr": [0.01],
        "seed": np.arange(n), "epoch": np.arange(1, EPOCHS + 1), "init_role": ("init", [roles[i] for i in inits]),
    }  # fmt: skip
    return xr.Dataset({"test_accuracy": (CURVE_DIMS, accuracy)}, coords, attributes)


def cell(result: xr.Dataset, init: str = "poor", response: str = "epochs_to_target") -> xr.Dataset:
    return result.sel(init=init, response=response).squeeze()


S = np.arange(10)
NOISE = S % 2  # 0 or 1
CASES = {
    "both-fail": {("well", "none"): 5 + NOISE, ("well", "batch"): 5 + NOISE[::-1],
                  ("poor", "none"): [NEVER] * 10, ("poor", "batch"): [NEVER] * 10},
    "supported": {("well", "none"): 5 + NOISE, ("well", "batch"): 5 + NOISE[::-1],
                  ("poor", "none"): 15 + NOISE, ("poor", "batch"): 7 + S % 3},
    "helps-more-when-poor": {("well", "none"): 10 + NOISE, ("well", "batch"): [5] * 10,
                             ("poor", "none"): 18 + NOISE, ("poor", "batch"): 7 + S % 3},
    "helps-everywhere": {("well", "none"): 10 + NOISE, ("well", "batch"): 5 + NOISE[::-1],
                         ("poor", "none"): 12 + NOISE, ("poor", "batch"): 7 + S % 3 - 1},
    "contradicted": {("well", "none"): 15 + NOISE, ("well", "batch"): [5] * 10,
                     ("poor", "none"): 8 + NOISE, ("poor", "batch"): 7 + S % 3},
    "no-effect": {("well", "none"): 5 + NOISE, ("well", "batch"): 5 + NOISE[::-1],
                  ("poor", "none"): 7 + NOISE, ("poor", "batch"): 7 + NOISE[::-1]},
    "inconclusive": {("well", "none"): 5 + NOISE, ("well", "batch"): 5 + NOISE[::-1],
                     ("poor", "none"): [4, 18, 6, 17, 5, 15, 7, 16, 3, 19], ("poor", "batch"): [10] * 10},
}  # fmt: skip


@pytest.mark.parametrize("verdict", VERDICTS)
def test_every_verdict_has_its_study(verdict):
    result = assess(study(CASES[verdict]))
    assert str(cell(result).overall.values) == verdict
    assert str(cell(result).verdict.values) == verdict
    assert str(cell(result, "well").overall.values) == ""
    assert str(cell(result).decided_by.values) == "epochs_to_target"


def test_effects_are_what_they_are_called():
    result = cell(assess(study(CASES["helps-more-when-poor"])))
    saved, at_reference = 18 + NOISE - (7 + S % 3), 10 + NOISE - 5
    assert result.effect == pytest.approx(saved.mean())
    assert result.did == pytest.approx((saved - at_reference).mean())
    assert result.n == 10
    assert result.p_h1 == result.p_h3 == 2.0**-10
    assert result.effect_low < result.effect < result.effect_high


def test_holm_runs_over_the_poor_inits_of_a_model():
    cells = dict(CASES["supported"])
    for i in range(3):
        cells |= {(f"poor-{i}", norm): cells["poor", norm] for norm in ("none", "batch")}
    result = assess(study(cells))
    assert (result.sel(response="epochs_to_target").p_adjusted.sel(init="poor") == 4 * 2.0**-10).all()
    assert np.isnan(cell(result, "well").p_adjusted)
    five = assess(study({key: np.asarray(value)[:5] for key, value in cells.items()}))
    assert str(cell(five).overall.values) == "inconclusive"  # four levels and five seeds cannot be significant
    assert any("out of reach" in text for text in five.attrs["warnings"])


def test_h2_is_not_passed_for_want_of_data():
    """Two of ten well runs never exceed the target: no difference there is evidence of nothing."""
    cells = dict(CASES["supported"])
    assert str(
        cell(assess(study(cells | {("well", "none"): [5] * 10, ("well", "batch"): [5] * 10}))).overall.values
    ) == ("supported")
    few = [5] * 8 + [NEVER] * 2
    result = cell(assess(study(cells | {("well", "none"): few, ("well", "batch"): few})))
    assert str(result.overall.values) == "inconclusive"
    assert result.p_adjusted < 0.05


def test_final_accuracy_decides_where_most_runs_are_censored():
    cells = dict(CASES["supported"]) | {("poor", "none"): [NEVER] * 6 + [19] * 4}
    low = {("poor", "none"): np.linspace(0.6, 0.7, 10), ("well", "none"): [0.985] * 10, ("well", "batch"): [0.985] * 10}
    result = assess(study(cells, accuracies=low))
    assert str(cell(result).decided_by.values) == "final_accuracy"
    assert str(cell(result).overall.values) == "supported"
    assert any("final accuracy decides" in text for text in result.attrs["warnings"])
    everywhere = cells | {("well", "none"): 10 + NOISE, ("well", "batch"): 5 + NOISE[::-1]}
    result = assess(study(everywhere, accuracies=low))
    assert str(cell(result, response="final_accuracy").verdict.values) == "supported"
    assert str(cell(result).overall.values) == "helps-more-when-poor"  # epochs are saved at the reference too
    half = dict(CASES["supported"]) | {("poor", "none"): [NEVER] * 5 + [19] * 5}
    assert str(cell(assess(study(half))).decided_by.values) == "epochs_to_target"


def test_a_diverged_run_counts_and_a_missing_one_drops_its_pair():
    data = study(CASES["supported"])
    status = np.full((1, 2, 2, 1, 1, 10), Status.DONE, np.int8)
    status[0, 0, 1, 0, 0, 0] = Status.DIVERGED
    status[0, 1, 1, 0, 0, 1] = Status.FAILED
    data["status"] = (CURVE_DIMS[:-1], status)
    data.test_accuracy[0, 0, 1, 0, 0, 0] = np.nan
    result = assess(data)
    assert cell(result).n == 9
    saved = (15 + NOISE - (7 + S % 3)).astype(float)
    saved[0] = EPOCHS - 7
    assert cell(result).effect == pytest.approx(np.delete(saved, 1).mean())
    assert any("1 of 40 runs are not there" in text for text in result.attrs["warnings"])
    accuracy = cell(result, response="final_accuracy")
    assert accuracy.effect == pytest.approx((0.985 - 0.1) / 9, abs=1e-6)


def test_without_a_status_an_end_without_accuracy_is_a_divergence():
    data = study(CASES["supported"])
    data.test_accuracy[0, 0, 1, 0, 0, 0, 3:] = np.nan
    data.test_accuracy[0, 0, 1, 0, 0, 1] = np.nan
    result = assess(data)
    assert cell(result).n == 9
    assert any("1 runs have no accuracy at their end" in text for text in result.attrs["warnings"])


def test_two_pairs_are_needed():
    one = {key: np.asarray(value)[:1] for key, value in CASES["supported"].items()}
    assert str(cell(assess(study(one))).overall.values) == "inconclusive"


def test_without_a_well_init_nothing_is_concluded():
    cells = CASES["supported"]
    result = assess(study(cells, roles={"well": "poor", "poor": "poor"}))
    assert (result.overall == "inconclusive").all()
    assert any("no init is declared well" in text for text in result.attrs["warnings"])


def test_an_unknown_role_is_told_and_left_out():
    cells = CASES["supported"] | {("odd", norm): CASES["supported"]["poor", norm] for norm in ("none", "batch")}
    result = assess(study(cells, roles={"well": "well", "poor": "poor", "odd": "?"}))
    assert str(cell(result, "odd").overall.values) == ""
    assert cell(result).p_adjusted == 2.0**-10
    assert any("odd has no role" in text for text in result.attrs["warnings"])


def test_the_studys_own_criteria_are_used():
    data = study(CASES["supported"], study='equivalence_epochs = 0.1\nreference = "well"\nalpha = 0.01\n')
    result = assess(data)
    assert result.attrs["equivalence_epochs"] == 0.1
    assert str(cell(result).overall.values) == "inconclusive"
    assert assess(study(CASES["supported"], target_accuracy=0.99)).censored.values.min() == 1
    for key, value in (("alpha", 0), ("alpha", "x"), ("target_accuracy", 98), ("equivalence_epochs", np.inf)):
        with pytest.raises(InputError, match=key):
            assess(study(CASES["supported"], **{key: value}))


def test_a_file_is_not_judged_by_something_else_than_its_hash_says():
    """An attribute, a role or the study itself, changed since the study was hashed."""
    declared = {"target_accuracy": 0.9, "alpha": 0.05, "reference": "well", "roles": {"well": "well", "poor": "poor"}}
    data = study(CASES["supported"], study=tomli_w.dumps(declared), study_hash=digest_of(declared), target_accuracy=0.9)
    wanted = assess(data)
    assert wanted.attrs["target"] == 0.9
    other = {**declared, "target_accuracy": 0.5}
    for changed, reason in (
        (data.assign_attrs(target_accuracy=0.5), "target_accuracy is 0.5, and its study declared 0.9"),
        (data.assign_attrs(alpha=0.2), "alpha is 0.2, and its study declared 0.05"),
        (data.assign_attrs(study=tomli_w.dumps(other)), "not the one of its study_hash"),
        (data.assign_coords(init_role=("init", ["well"] * data.sizes["init"])), "init_role of poor is well"),
    ):
        with pytest.raises(InputError, match=reason):
            assess(changed)
    assert assess(data, replace(criteria_of(data), target=0.5)).attrs["target"] == 0.5


def test_what_cannot_be_compared_is_refused():
    data = study(CASES["supported"])
    for wrong, reason in (
        (data.sel(norm=["none"]), "nothing to compare"),
        (data.sel(norm=["batch"]), "nothing to compare"),
        (data.drop_vars("init_role"), "init_role"),
    ):
        with pytest.raises(InputError, match=reason):
            assess(wrong)


def test_several_norms_learning_rates_and_models_are_judged_each_by_itself():
    parts = []
    for model in ("a", "b"):
        for lr in (0.01, 0.1):
            verdict = {("a", 0.01): "supported", ("a", 0.1): "no-effect", ("b", 0.01): "contradicted",
                       ("b", 0.1): "inconclusive"}[model, lr]  # fmt: skip
            parts.append(study(CASES[verdict]).assign_coords(model=[model], lr=[lr]))
    data = xr.combine_by_coords(parts)
    more = data.sel(norm=["batch"]).assign_coords(norm=["layer"])
    data = xr.concat([data, more], "norm", data_vars="minimal", coords="minimal", compat="override")
    data = data.sel(norm=["batch", "none", "layer"])
    overall = assess(data).overall.sel(init="poor")
    assert overall.norm.values.tolist() == ["batch", "layer"]
    for model, lr, verdict in (("a", 0.01, "supported"), ("a", 0.1, "no-effect"), ("b", 0.01, "contradicted"),
                               ("b", 0.1, "inconclusive")):  # fmt: skip
        assert overall.sel(model=model, lr=lr).values.ravel().tolist() == [verdict] * 2


def told(dataset: xr.Dataset) -> str:
    return " | ".join(assess(dataset).attrs["warnings"])


def test_both_arms_at_the_ceiling_or_the_floor_is_told():
    assert "poor (mlp): both arms sit at the ceiling: no run exceeds 0.98 in 20 epochs" in told(
        study(CASES["both-fail"])
    )
    at_once = {**CASES["supported"], ("well", "none"): [1] * 10, ("well", "batch"): [1] * 10}
    assert "well (mlp): both arms exceed 0.98 in the first epoch" in told(study(at_once))
    assert "ceiling" not in told(study(CASES["supported"]))
    assert "first epoch" not in told(study(CASES["supported"]))


def test_nothing_is_said_of_cells_without_runs():
    curves = make_dataset(models=["mlp"], seeds=2)
    empty = curves.status == 99
    empty.loc[{"init": "zero"}] = True
    curves["status"] = curves.status.where(~empty, Status.PENDING)
    for name in ("train_loss", "train_accuracy", "test_loss", "test_accuracy"):
        curves[name] = curves[name].where(~empty)
    told = assess(curves).attrs["warnings"]
    assert any("are not there" in text for text in told)
    assert not [text for text in told if text.startswith("zero ")]


def test_a_new_response_is_one_row(monkeypatch):
    """It is measured, judged with its own margin, and told as it says itself."""
    loss = Response("final_loss", "test loss at the last epoch", "nat", lambda d, _: responses.final(d, "test_loss"),
                    lambda criteria: 10.0, less_is_better=True,
                    scale=1000.0, digits=0, shown="mnat", noun="mnat of loss")  # fmt: skip
    rows = (*RESPONSES, loss)
    monkeypatch.setattr(assessment, "RESPONSES", rows)
    dataset = make_dataset(seeds=8)
    result = assess(dataset)
    assert result.response.values.tolist() == [one.name for one in rows]
    final = dataset.test_loss.isel(epoch=-1, optimizer=0, lr=0)
    gained = (final.sel(norm="none") - final.sel(norm="batch")).mean("seed").sel(model="mlp", init="zero")
    found = result.effect.sel(response="final_loss", model="mlp", norm="batch", init="zero").squeeze()
    assert float(found) == pytest.approx(float(gained), abs=1e-6)
    assert float(result.p_h2.sel(response="final_loss").max()) < 1e-6  # all lie within 10 nat
    assert quantity(0.0123, 0.01, 0.02, loss) == "+12 [+10, +20]"
