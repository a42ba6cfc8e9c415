"""What the pages say of the study of initializations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import product

from bnstudy.analysis import inference, responses
from bnstudy.analysis.assessment import assess
from bnstudy.analysis.comparisons import Cell, cells
from bnstudy.analysis.criteria import criteria_of
from bnstudy.analysis.responses import Response
from bnstudy.analysis.tables.summary import sweep_table

from tests.quotes.common import (
    ACCURACY,
    CHANCE,
    EPOCHS,
    MODELS,
    crossings,
    curves,
    epochs,
    equivalent,
    final,
    finals,
    gain,
    gained,
    judged,
    reached,
    results,
    row,
    told,
)

STUDY, HE = "init-sweep", "scaled-normal:1"
SMALL = tuple(f"scaled-normal:{scale}" for scale in ("0.001", "0.01", "0.1"))
ORDER = ("default", *SMALL, HE, "scaled-normal:10", "scaled-normal:100", "large-variance", "zero", "constant:0.01",
         "zero-hidden")  # fmt: skip


def readme() -> Iterator[str]:
    """What the README says."""
    yield from summary()
    assert {cell.verdict for labels, cell in judged(STUDY).items() if labels[2] in SMALL} == {"helps-more-when-poor"}
    yield f"saves the MLP {gained(STUDY, 'mlp', 'default').replace(' [', ' epochs [')} on its way to 98 % test accuracy"
    yield f"and the CNN {gained(STUDY, 'cnn', 'default')}."
    yield f"it saves at least {' and '.join(pair(SMALL[0]))}:"
    there = [reached(STUDY, model=model, norm="none", init=SMALL[0]) for model in MODELS]
    yield f"without BN {there[0]} of 10 MLPs and {there[1]} of 10 CNNs get there in 50 epochs"
    with_bn = responses.epochs_to_target(curves(STUDY)).sel(norm="batch", init=SMALL[0])
    assert int(with_bn.reached.sum()) == 20
    yield f"with it all 20 do, in {int(with_bn.epochs.max())} at most"
    large = "scaled-normal:10"
    assert not any(reached(STUDY, model=model, norm=norm, init=large) for model in MODELS for norm in ("none", "batch"))
    with_bn, without = (" and ".join(ends(large, norm)) for norm in ("batch", "none"))
    yield f"those with BN end at {with_bn} %, those without at {without} %"
    yield f"it saves {gained(STUDY, 'mlp', HE).replace(' [', ' epochs [')}, which may be none"
    yield f"and {gained(STUDY, 'cnn', HE)}, below the 2 epochs that count"
    assert equivalent(STUDY, "cnn", HE)[0]
    plain, with_bn = ([epochs(STUDY, model="mlp", norm=norm, init=init) for init in (SMALL[2], "default", HE)]
                      for norm in ("none", "batch"))  # fmt: skip
    yield f"({plain[0]:.1f} and {plain[1]:.1f} epochs against {plain[2]:.1f})"
    yield f"({with_bn[0]:.1f} and {with_bn[1]:.1f} against {with_bn[2]:.1f})"
    yield f"BN still takes the MLP to {ends('scaled-normal:100', 'batch')[0]} %"
    yield "({} points for the MLP and {} for the CNN at PyTorch's default)".format(*pair("default", ACCURACY))
    sooner = [epochs(STUDY, model=model, norm=norm, init="default") for model in MODELS for norm in ("none", "batch")]
    yield "({:.1f} epochs become {:.1f}, and {:.1f} become {:.1f})".format(*sooner)
    yield f"The MLP with BN is at least {pair('zero-hidden')[0]} epochs *faster*"
    assert (finals(STUDY, model="cnn", norm="batch", init="zero-hidden") < CHANCE).sum() == 2  # "two of 10 never learn"
    verdicts = {cells_at(0.97)["mlp", init].verdict for init in SMALL}
    assert verdicts == {"supported"}
    assert {cells_at(0.982)[model, SMALL[2]].verdict for model in MODELS} == {"helps-everywhere"}
    yield "at 97 % the same rule calls the hypothesis *supported* for the MLP, at 98.2 % *helps-everywhere*"


def findings() -> Iterator[str]:
    """What docs/findings.md says."""
    for model in MODELS:
        yield from sweep(model)
    yield from targets()
    yield from hidden()
    yield from outcomes()
    yield from zero_hidden()
    yield from published()


def pair(init: str, response: Response = EPOCHS) -> list[str]:
    """The mean gains of the MLP and the CNN."""
    return [gained(STUDY, model, init, response).partition(" ")[0] for model in MODELS]


def ends(init: str, norm: str) -> list[str]:
    """Mean final accuracies of the MLP and the CNN."""
    return [f"{final(STUDY, model=model, norm=norm, init=init):.1f}" for model in MODELS]


@cache
def cells_at(target: float) -> dict[tuple[str, str], Cell]:
    """The comparisons had the target been another; by model and init."""
    found = cells(assess(curves(STUDY), replace(criteria_of(curves(STUDY)), target=target)))
    return {(labels[0], labels[4]): cell for labels, cell in found.items()}


# ------------------------------------------------------------------ tables


def sweep(model: str) -> Iterator[str]:
    """A row an init."""
    for line in sweep_table(results(STUDY)).rows:
        if line[0] == model:
            cell = judged(STUDY)[model, "batch", line[1]]
            saved = "–" if cell.verdict == "both-fail" else gain(cell, EPOCHS)
            by_accuracy = cell.decided_by == ACCURACY.name and cell.verdict != "both-fail" and cell.role == "poor"
            verdict = (cell.verdict or "(well)") + (", by accuracy" if by_accuracy else "")
            yield row(f"`{line[1]}`", line[5], line[6], saved, line[3], line[4], gain(cell, ACCURACY), verdict)


def summary() -> Iterator[str]:
    """The README's table: a row an init, both models in each cell as MLP · CNN."""
    for init in ORDER:
        words = [_word(model, init) for model in MODELS]
        yield row(f"`{init}`", _reached(init, "none"), _reached(init, "batch"), " · ".join(dict.fromkeys(words)))


def _reached(init: str, norm: str) -> str:
    found = []
    for model in MODELS:
        labels = {"model": model, "norm": norm, "init": init}
        mean, there = epochs(STUDY, **labels), reached(STUDY, **labels)
        found.append(f"{'≥ ' if there < 10 else ''}{mean:.1f} epochs" if there else f"{final(STUDY, **labels):.1f} %")
    return " · ".join(found)


def _word(model: str, init: str) -> str:
    cell = judged(STUDY)[model, "batch", init]
    fails = all(share == 1 for share in cell.censored.values())
    one = cell.responses[(ACCURACY if fails else EPOCHS).name]
    if all(equivalent(STUDY, model, init)):
        return "none"
    if one.effect_low > 0:
        return "gains" if fails else "saves"
    return "hurts" if one.effect_high < 0 else "cannot tell"


def targets() -> Iterator[str]:
    """A row a target and model: what the rules would say of small weights."""
    for target, model in product((0.97, 0.975, 0.98, 0.982), MODELS):
        found = cells_at(target)
        verdicts = [found[model, init].verdict for init in SMALL]
        yield row(f"{100 * target:g} %", model.upper(), gain(found[model, "default"], EPOCHS), *verdicts)


# ------------------------------------------------------------------ in words


def hidden() -> Iterator[str]:
    """What the verdict hides."""
    one = judged(STUDY)["mlp", "batch", "zero-hidden"].responses[EPOCHS.name]
    yield f"larger by {one.did:.1f} [{one.did_low:.1f}, {one.did_high:.1f}] epochs"
    assert gain_is_open("cnn", "zero-hidden")
    trained = [int((finals(STUDY, model="cnn", norm="none", init=init) > 50).sum())
               for init in (SMALL[0], "scaled-normal:10", "large-variance")]  # fmt: skip
    stuck = int((finals(STUDY, model="cnn", norm="batch", init="zero-hidden") > 50).sum())
    assert (trained, stuck) == ([2, 6, 8], 8)
    against_he = cells(assess(curves(STUDY), replace(criteria_of(curves(STUDY)), reference=HE)))
    verdicts = {(labels[0], labels[4]): cell.verdict for labels, cell in against_he.items()}
    assert {verdicts["cnn", init] for init in SMALL} == {"supported"}
    assert {verdicts["mlp", init] for init in SMALL} == {"inconclusive"}
    yield f"{gained(STUDY, 'mlp', HE)} epochs is neither shown nor shown to be none"
    yield f"({final(STUDY, model='mlp', norm='none', init='default'):.2f} % without BN)"
    never = finals(STUDY, model="mlp", norm="none", init=SMALL[1])
    assert (never < 98).sum() == 1
    yield f"which ends at {float(never.min()):.2f} %, counts as never"

    def later(model: str, norm: str, sign: int) -> str:
        he, default = (crossings(STUDY, model=model, norm=norm, init=init) for init in (HE, "default"))
        return told((sign * (he - default)).values)

    yield f"by {later('mlp', 'none', 1)} epochs, and the plain CNN as fast ({later('cnn', 'none', 1)})"
    yield f"by {later('mlp', 'batch', 1)} and {later('cnn', 'batch', 1)}"
    plain, with_bn = ([epochs(STUDY, model="mlp", norm=norm, init=init) for init in (SMALL[2], HE)]
                      for norm in ("none", "batch"))  # fmt: skip
    yield f"{plain[0]:.1f} epochs without BN against {plain[1]:.1f} at He's scale"
    yield f"{with_bn[0]:.1f} with it against {with_bn[1]:.1f}"
    slower = {(m, i): crossings(STUDY, model=m, norm="none", init=i) - crossings(STUDY, model=m, norm="none", init=HE)
              for m, i in product(MODELS, SMALL)}  # fmt: skip
    suffers = {cell for cell, values in slower.items() if inference.interval(values.values.astype(float))[0] > 0}
    assert suffers == {*product(MODELS, SMALL[:2]), ("cnn", SMALL[2])}
    yield f"(by {told(slower['cnn', SMALL[2]].values)} epochs)"
    helped = {labels: cell for labels, cell in judged(STUDY).items() if cell.verdict == "helps-more-when-poor"}
    weakest = max(helped, key=lambda labels: helped[labels].p_adjusted)
    assert weakest == ("mlp", "batch", SMALL[2])
    yield f"with an adjusted p of {helped[weakest].p_adjusted:.3f}"


def gain_is_open(model: str, init: str) -> bool:
    """Whether neither response's interval leaves 0 on one side."""
    cell = judged(STUDY)[model, "batch", init]
    return all(cell.responses[r.name].effect_low <= 0 <= cell.responses[r.name].effect_high for r in (EPOCHS, ACCURACY))


def outcomes() -> Iterator[str]:
    """The predictions' outcomes."""
    poor = {labels: cell for labels, cell in judged(STUDY).items() if cell.role == "poor"}
    assert {cell.verdict for cell in poor.values()} == {"both-fail", "helps-everywhere", "helps-more-when-poor"}
    large = [(m, i) for m in MODELS for i in ("scaled-normal:10", "scaled-normal:100", "large-variance")]
    assert all(poor[m, "batch", init].verdict == "both-fail" for m, init in large)
    shown = [(m, i) for m, i in large if poor[m, "batch", i].responses[ACCURACY.name].effect_low > 0]
    assert shown == large[:4]  # not the CNN's at 100 and large-variance
    points = [100 * poor[m, "batch", init].responses[ACCURACY.name].effect for m, init in shown]
    yield f"in accuracy BN gains {min(points):.0f} to {max(points):.0f} points"
    zero = finals(STUDY, init="zero")
    assert zero.min() == zero.max()
    yield f"every final accuracy is {float(zero.max()):.2f} % in both arms"
    yield f"the MLP gains {gained(STUDY, 'mlp', 'default').replace(' [', ' epochs [')}"
    yield f"the gains are {gained(STUDY, 'mlp', HE)} and {gained(STUDY, 'cnn', HE)} epochs"
    assert [one for one in product(MODELS, ("default", HE)) if all(equivalent(STUDY, *one))] == [("cnn", HE)]
    small, tenth = pair(SMALL[0]), pair(SMALL[2])
    yield f"at least {small[0]} and {tenth[0]} epochs (MLP), {small[1]} and {tenth[1]} (CNN)"
    dead = curves(STUDY).diverged_epoch.sel(init="scaled-normal:100", model="mlp").squeeze()
    assert (dead.sel(norm="none") == 1).all()  # "All ten MLPs without BN diverge in the first epoch"
    assert (dead.sel(norm="batch") == -1).all()
    yield f"with BN they end at {ends('scaled-normal:100', 'batch')[0]} %"
    yield f"Wrong for the MLP (at least {pair('zero-hidden')[0]} epochs saved)"
    plain, with_bn = (ends("constant:0.01", norm) for norm in ("none", "batch"))
    yield f"{plain[0]} and {with_bn[0]} % for the MLP"
    yield f"{plain[1]} and {with_bn[1]} % for the CNN"


def zero_hidden() -> Iterator[str]:
    """Hidden weights of zero."""
    final_accuracy = finals(STUDY, model="cnn", norm="batch", init="zero-hidden")
    stuck = (final_accuracy < CHANCE).values
    assert final_accuracy.seed[stuck].values.tolist() == [3, 7]
    yield f"Two CNNs of ten stay at {float(final_accuracy.min()):.2f} %"
    moved = curves(STUDY).weight_norm.sel(model="cnn", norm="batch", init="zero-hidden").squeeze()[stuck]
    assert (moved.max("epoch") - moved.min("epoch") < 1e-6).all()  # "their weights never move at all"
    crossed = crossings(STUDY, model="cnn", init="zero-hidden")
    saved = (crossed.sel(norm="none") - crossed.sel(norm="batch"))[~stuck]
    assert ((saved > 0).sum(), (saved == 0).sum(), saved.size) == (5, 3, 8)  # "five are sooner with it and none later"
    free = [epochs(STUDY, model="mlp", norm=norm, init="zero-hidden") for norm in ("batch", "none")]
    yield f"({free[0]:.1f} against at least {free[1]:.1f} epochs)"


def published() -> Iterator[str]:
    """What is set beside published results."""
    ended = [final(STUDY, model="mlp", norm="batch", init=init) for init in SMALL]
    assert max(ended) - min(ended) < 0.03
    yield "ends within 0.03 points for every scale from 0.001 to 0.1"
    slower = [epochs(STUDY, model="mlp", norm="batch", init=init) for init in (SMALL[2], HE)]
    yield f"{slower[0]:.1f} and {slower[1]:.1f} epochs at 0.1 and 1"
    cnn, mlp = ([epochs(STUDY, model=model, norm="none", init=init) for init in (HE, *reversed(SMALL), "default")]
                for model in ("cnn", "mlp"))  # fmt: skip
    yield f"the CNN needs {cnn[0]:.1f} epochs at He's scale, {cnn[1]:.1f}, {cnn[2]:.1f} and over {int(cnn[3])}"
    yield f"the MLP {mlp[0]:.1f}, {mlp[1]:.1f}, over {int(mlp[2])} and over {int(mlp[3])}"
    assert cnn[4] <= cnn[0]
    assert mlp[4] < mlp[0]
