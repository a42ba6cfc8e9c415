"""The report's claims on made-up studies that make each hold, fail or stay open."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from bnstudy.analysis.claims import FAILS, HOLDS, UNKNOWN, are_about, claims
from bnstudy.analysis.results import Results
from bnstudy.analysis.tables.report_claims import claims_table
from bnstudy.study.errors import InputError

from tests.synthetic import make_dataset

SEEDS, EPOCHS = 8, 20


def study(epochs: dict[tuple[str, str], float], accuracy: dict[tuple[str, str], float], gap: float = 0.0) -> xr.Dataset:
    """Runs of (model, norm) that exceed 0.98 about `epochs` and end about `accuracy`, alike at every init."""
    dataset = make_dataset(inits=["default", "zero"], seeds=SEEDS, epochs=EPOCHS)
    rng = np.random.default_rng(2)
    test, train = dataset.test_accuracy.copy(), dataset.train_accuracy.copy()
    for model in ("mlp", "cnn"):
        for norm in ("none", "batch"):
            for seed in range(SEEDS):
                at = {"model": model, "norm": norm, "seed": seed}
                reached = epochs[model, norm] + seed % 2
                end = accuracy[model, norm] + rng.uniform(-2e-4, 2e-4)
                curve = np.where(dataset.epoch >= reached, 0.981, 0.97)
                curve[-1] = end
                test.loc[at] = curve
                train.loc[at] = curve + gap * (model == "mlp")
    return dataset.assign(
        test_accuracy=test,
        train_accuracy=train,
        n_parameters=(("model", "norm"), [[235_146, 235_914], [4_266, 4_290]]),
        epoch_seconds_alone=(("model", "norm"), np.array([[1.0, 1.01], [1.5, 2.0]])),
    )


ARMS = [(model, norm) for model in ("mlp", "cnn") for norm in ("none", "batch")]
ALIKE = dict.fromkeys(ARMS, 5.0), dict.fromkeys(ARMS, 0.985)


def answers(dataset: xr.Dataset, about: str) -> dict[str, str]:
    return {claim.text: claim.answer for claim in claims(Results(dataset)) if claim.about == about}


def test_the_mlp_is_sooner():
    sooner = dict.fromkeys(ARMS, 5.0) | {("mlp", "none"): 3.0, ("mlp", "batch"): 7.0}
    found = answers(study(sooner, ALIKE[1]), "convergence")
    assert list(found.values()) == [HOLDS, FAILS]
    estimate = claims(Results(study(sooner, ALIKE[1])))[0]
    assert (estimate.estimate, estimate.n, estimate.unit) == (2.0, SEEDS, "epochs")


def test_a_difference_of_nothing_does_not_hold():
    assert set(answers(study(*ALIKE), "convergence").values()) == {FAILS}


def test_nobody_is_sooner_where_nobody_gets_there():
    never = dict.fromkeys(ARMS, 30.0)
    assert set(answers(study(never, dict.fromkeys(ARMS, 0.97)), "convergence").values()) == {UNKNOWN}


def test_one_of_several_rates_is_named():
    several = make_dataset(lrs=[0.1, 0.01])
    told = claims_table(claims(Results(several)), Results(several)).notes
    assert "the report is about MNIST: an answer from digits neither confirms nor refutes it" in told
    mnist = Results(several.assign_attrs(dataset="mnist"))
    assert not any("MNIST" in note for note in claims_table(claims(mnist), mnist).notes)
    assert "sgd, lr 0.1" in claims_table(claims(Results(several)), Results(several)).notes[-1]
    one = Results(make_dataset())
    assert not any("lr" in note for note in claims_table(claims(one), one).notes)


def test_run_time_is_one_measurement_and_tells_little():
    """A ratio without an interval neither holds nor fails."""
    dataset = study(*ALIKE).drop_vars("train_seconds")
    found = [claim for claim in claims(Results(dataset)) if claim.about == "run time"]
    assert [round(claim.estimate, 2) for claim in found] == [1.5, 1.01, 1.33]
    assert {claim.answer for claim in found} == {UNKNOWN}
    assert {claim.n for claim in found} == {1}


def test_run_time_in_the_grid_is_paired_and_counts_an_ensemble_once():
    dataset = study(*ALIKE)
    ensembles = xr.DataArray([0, 0, 0, 0, 1, 1, 2, 2], dims="seed")
    slower = xr.DataArray([1.2, 1.21, 1.22], dims="ensemble")[{"ensemble": ensembles}]
    seconds = dataset.train_seconds * xr.where((dataset.norm == "batch") & (dataset.model == "mlp"), slower, 1.0)
    found = [claim for claim in claims(Results(dataset.assign(train_seconds=seconds))) if "grid" in claim.text]
    assert [claim.answer for claim in found] == [FAILS, UNKNOWN]
    assert [claim.n for claim in found] == [3, 1]
    assert found[0].estimate == pytest.approx(1.21, abs=1e-3)
    assert 1.15 < found[0].low < 1.2 < 1.22 < found[0].high < 1.3


def test_parameters_are_counted():
    found = [claim for claim in claims(Results(study(*ALIKE))) if claim.about == "parameters"]
    assert [claim.estimate for claim in found] == [230_880, 768, 24]
    assert [claim.answer for claim in found] == [HOLDS, FAILS, FAILS]


@pytest.mark.parametrize(
    ("cnn", "batch", "better", "same"),
    [(0.005, 0.0, HOLDS, HOLDS), (-0.005, 0.0, FAILS, HOLDS), (0.005, 0.01, HOLDS, FAILS)],
)
def test_accuracy(cnn, batch, better, same):
    accuracy = {(m, n): 0.98 + cnn * (m == "cnn") + batch * (n == "batch") for m, n in ARMS}
    assert list(answers(study(ALIKE[0], accuracy), "accuracy").values()) == [better, better, same, same]


def test_overfitting_at_the_last_epoch_and_the_best():
    found = answers(study(*ALIKE, gap=0.01), "overfitting")
    assert len(found) == 8
    assert all(answer == HOLDS for answer in found.values())
    assert FAILS in answers(study(*ALIKE, gap=-0.01), "overfitting").values()


def test_robustness_is_the_verdicts():
    dataset = study(*ALIKE)
    found = answers(dataset, "effects of BN")
    assert [found[text] for text in found if "little difference" in text] == [HOLDS, HOLDS]
    assert [found[text] for text in found if "helps more" in text] == [FAILS, FAILS]


def test_where_bn_helps_more_the_gain_is_in_halvings():
    dataset = study(*ALIKE)
    stuck = (dataset.norm == "none") & (dataset.init == "zero")
    helped = dataset.assign(test_accuracy=dataset.test_accuracy.where(~stuck, 0.1))
    found = [claim for claim in claims(Results(helped)) if "helps more" in claim.text]
    assert {claim.answer for claim in found} == {HOLDS}
    assert {claim.unit for claim in found} == {"halvings"}
    result = Results(helped).assessment.sel(condition="zero", model="mlp").squeeze()
    assert (found[0].estimate, found[0].low) == (float(result.difference), float(result.difference_low))


def test_little_difference_is_not_claimed_where_no_run_gets_there():
    never = dict.fromkeys(ARMS, 99.0), dict.fromkeys(ARMS, 0.9)
    found = answers(study(*never), "effects of BN")
    assert {answer for text, answer in found.items() if "little difference" in text} == {UNKNOWN}


def test_too_few_seeds_do_not_make_a_claim_false():
    dataset = study(*ALIKE).isel(seed=slice(3))
    slower = (dataset.norm == "none") & (dataset.init == "zero") & (dataset.epoch < 15)
    found = answers(dataset.assign(test_accuracy=dataset.test_accuracy.where(~slower, 0.5)), "effects of BN")
    assert [found[text] for text in found if "helps more" in text] == [UNKNOWN, UNKNOWN]


def test_where_neither_arm_learns_bn_does_not_help_more():
    dataset = study(*ALIKE)
    failing = dataset.assign(test_accuracy=dataset.test_accuracy.where(dataset.init != "zero", 0.1))
    found = [claim for claim in claims(Results(failing)) if "zero" in claim.text]
    assert [claim.answer for claim in found] == [FAILS, FAILS]


def test_without_runs_there_is_no_estimate():
    dataset = study(*ALIKE)
    pending = xr.where(dataset.init == "zero", 0, dataset.status).transpose(*dataset.status.dims)
    found = [claim for claim in claims(Results(dataset.assign(status=pending))) if "zero" in claim.text]
    assert [claim.answer for claim in found] == [UNKNOWN, UNKNOWN]
    assert np.isnan([claim.estimate for claim in found]).all()
    rows = claims_table(found, Results(make_dataset())).rows
    assert [row[2] for row in rows] == ["–", "–"]


def test_the_table_has_units():
    rows = {row[1]: row[2] for row in claims_table(claims(Results(study(*ALIKE))), Results(make_dataset())).rows}
    assert rows["the MLP has more than the CNN"] == "+230,880 parameters"
    assert rows["BN does not affect an epoch's time (cnn)"] == "1.33 times"
    assert rows["the MLP gets there sooner than the CNN (with BN)"] == "+0.0 epochs"


@pytest.mark.parametrize("lack", [{"models": ["mlp"]}, {"norms": ["none"]}, {"inits": ["zero"]}])
def test_what_the_claims_are_about_has_to_be_there(lack):
    assert not are_about(Results(make_dataset(**lack)))
    with pytest.raises(InputError):
        claims(Results(make_dataset(**lack)))


def test_a_dataset_of_accuracies_alone_answers_what_it_can():
    bare = study(*ALIKE)[["test_accuracy"]]
    assert {claim.about for claim in claims(Results(bare))} == {"convergence", "accuracy", "effects of BN"}
