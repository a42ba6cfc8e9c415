"""What the pages say of the baseline: the report's Table 2 and its claims."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from bnstudy.analysis import responses
from bnstudy.analysis.claims import Claim, claims
from bnstudy.analysis.tables.summary import report_table

from tests.quotes.common import MODELS, curves, finals, judged, markdown, median, results, row, target

STUDY = "baseline"
SOONER, MORE = "the MLP gets there sooner than the CNN", "the MLP overfits more, at the last epoch"
TIMED = ("baseline", "init-sweep", "learning-rate", "norms")  # studies that timed the four networks alone


def readme() -> Iterator[str]:
    """What the README says."""
    yield from markdown(report_table(results(STUDY)))
    yield from answers()
    losses = responses.final(curves(STUDY), "test_loss").mean("seed").squeeze()
    yield f"ours are {float(losses.min()):.3f} to {float(losses.max()):.3f}"


def findings() -> Iterator[str]:
    """What docs/findings/index.md says."""
    assert responses.epochs_to_target(curves(STUDY), target(STUDY)).reached.all()
    gains = [float((finals(STUDY, model=m, norm="batch") - finals(STUDY, model=m, norm="none")).mean()) for m in MODELS]
    yield f"by {gains[0]:.2f} (MLP) and {gains[1]:.2f} (CNN) points, less than 0.3"
    again, first = finals(STUDY), finals("init-sweep", init="default")
    apart = abs(again - first)
    assert (apart.sel(model="mlp") == 0).all()
    same = int((apart.sel(model="cnn") == 0).sum())
    yield f"the CNN's in {same} of {apart.sel(model='cnn').size}, the others within {float(apart.max()):.2f} points"


def answers() -> Iterator[str]:
    """A row a claim."""
    found = {(one.about, one.text): one for one in claims(results(STUDY))}

    def of(about: str, text: str, digits: int = 2) -> str:
        return _told(found[about, text], digits)

    sooner = [of("convergence", f"{SOONER} ({arm} BN)", 1) for arm in ("without", "with")]
    alone, share = (_seconds_to_target(variable) for variable in ("alone", "share"))
    for norm in ("none", "batch"):
        assert alone["mlp", norm] < alone["cnn", norm]
        assert share["mlp", norm] > share["cnn", norm]
    cost = {model: sorted(_ratio(study, model, "batch", model, "none") for study in TIMED) for model in MODELS}
    percent = {model: f"{100 * low - 100:.0f} to {100 * high - 100:.0f} %" for model, (low, *_, high) in cost.items()}
    larger = [sorted(_ratio(study, "cnn", norm, "mlp", norm) for study in TIMED) for norm in ("none", "batch")]
    times = [f"{low:.1f} to {high:.1f} times" for low, *_, high in larger]
    yield row(
        "1. CNN and MLP take about the same time an epoch; the MLP converges sooner; BN does not affect run time "
        "appreciably",
        f"**No; in epochs no; hardly for the MLP.** Alone, an epoch of the CNN takes {times[0]} the MLP's without BN "
        f"and {times[1]} with it (the networks were timed in four studies, once each). The CNN exceeds 98 % "
        f"sooner, by {sooner[0]} epochs without BN and {sooner[1]} with it; in seconds the MLP does where each "
        f"network trains alone, and the CNN where the grid trains together. BN adds {percent['mlp']} to the MLP's "
        f"time alone and {percent['cnn']} to the CNN's.",
    )
    counts = {one.text: f"{one.estimate:,.0f}" for one in found.values() if one.about == "parameters"}
    yield row(
        "2. The MLP has more parameters; BN does not affect their number",
        f"**Yes; no.** {counts['the MLP has more than the CNN']} more; BN adds "
        f"{counts['BN does not affect their number (mlp)']} and {counts['BN does not affect their number (cnn)']}.",
    )
    yield row(
        "3. The CNN is slightly more accurate; BN does not affect accuracy",
        f"**Yes; a little.** By {of('accuracy', 'the CNN is better (without BN)')} points without BN and "
        f"{of('accuracy', 'the CNN is better (with BN)')} with it. BN adds "
        f"{of('accuracy', 'BN does not affect it (mlp)')} and {of('accuracy', 'BN does not affect it (cnn)')}, not "
        "shown to be below the 0.2 points that count as none.",
    )
    same = "BN does not affect it, at the last epoch"
    assert found["overfitting", f"{same} (cnn)"].answer == "holds"
    assert found["overfitting", f"{same} (mlp)"].answer == "cannot tell"
    yield row(
        "4. The MLP overfits, the CNN hardly; BN does not affect it",
        f"**Yes; a little in the MLP.** Training minus test accuracy is "
        f"{of('overfitting', f'{MORE} (without BN)')} points larger in the MLP without BN, "
        f"{of('overfitting', f'{MORE} (with BN)')} with it. BN changes it by "
        f"{of('overfitting', f'{same} (mlp)')} in the MLP and {of('overfitting', f'{same} (cnn)')} in the CNN.",
    )
    gains = [median(judged("init-sweep")[model, "default"]) for model in MODELS]
    yield row(
        "5. BN makes robust to bad initialization; little difference under a good one",
        "**Mostly; yes, but not none.** Where the scale of the weights is far off BN matters mainly, where all are "
        f"zero it does nothing, and at the default it gains {gains[0]} and {gains[1]} halvings (see above).",
    )


def _told(one: Claim, digits: int) -> str:
    """An estimate with its interval; of convergence by how much the CNN is sooner."""
    scale = (-1 if one.about == "convergence" else 1) * (100 if one.unit == "1" else 1)
    low, high = sorted((scale * one.low, scale * one.high))
    return f"{scale * one.estimate:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _ratio(study: str, model: str, norm: str, other: str, than: str) -> float:
    """How many times the time of another network alone one takes."""
    seconds = curves(study).epoch_seconds_alone
    return float(seconds.sel(model=model, norm=norm) / seconds.sel(model=other, norm=than))


def _seconds_to_target(which: str) -> dict[tuple[str, str], float]:
    """Mean seconds to the target of each (model, norm): each network alone, or its share of its ensemble's time."""
    dataset = curves(STUDY).squeeze()
    epochs = responses.epochs_to_target(dataset, target(STUDY)).epochs
    epoch = dataset.train_seconds / dataset.sizes["epoch"] if which == "share" else dataset.epoch_seconds_alone
    found = (epochs * epoch).mean("seed")
    return {(m, n): float(found.sel(model=m, norm=n)) for m in MODELS for n in np.atleast_1d(found.norm).tolist()}
