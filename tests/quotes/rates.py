"""What the pages say of the study of learning rates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import product

from bnstudy.analysis.assessment import assess
from bnstudy.analysis.comparisons import Cell, cells
from bnstudy.analysis.criteria import criteria_of
from bnstudy.analysis.responses import Response
from bnstudy.analysis.selection import select_lr
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
    judged,
    reached,
    results,
    row,
    told,
)

STUDY, RATES = "learning-rate", (0.001, 0.01, 0.1)
SMALL, HE, LARGE = "scaled-normal:0.01", "scaled-normal:1", "scaled-normal:10"


@cache
def at_selected(reference: str = "default") -> dict[tuple[str, str], Cell]:
    """The comparisons with each arm at the rate that validation selects; by model and init."""
    found, _ = select_lr(curves(STUDY))
    judged_so = assess(found, replace(criteria_of(found), reference=reference))
    return {(labels[0], labels[4]): cell for labels, cell in cells(judged_so).items()}


def fixed(model: str, init: str, lr: float) -> Cell:
    """A comparison at one rate."""
    return judged(STUDY)[model, "batch", init, lr]


def of(cell: Cell, response: Response = EPOCHS) -> str:
    """A gain in words."""
    return gain(cell, response).removeprefix("+")


def ending(model: str, init: str, lr: float, norm: str = "batch") -> str:
    return f"{final(STUDY, model=model, init=init, lr=lr, norm=norm):.1f}"


def best_plain() -> list[str]:
    """How the plain MLP and CNN end at large weights and rate 0.001, which is the best for both."""
    found = {model: [ending(model, LARGE, lr, "none") for lr in RATES] for model in MODELS}
    assert all(max(ends, key=float) == ends[0] for ends in found.values())
    return [ends[0] for ends in found.values()]


def both() -> Iterator[str]:
    """What README and findings say in the same words."""
    for model in MODELS:
        yield (f"the {model.upper()} {of(at_selected()[model, SMALL])} epochs at scaled-normal:0.01 and "
               f"{of(at_selected()[model, 'default'])} at the default")  # fmt: skip
    added = [of(at_selected()[model, LARGE], ACCURACY) for model in MODELS]
    yield f"adds {added[0]} and {added[1]} points"


def readme() -> Iterator[str]:
    """What the README says."""
    yield from both()
    yield f"takes the plain ones to {' and '.join(best_plain())} %"
    yield f"at He's scale {of(at_selected()['mlp', HE])} and {of(at_selected()['cnn', HE])}"
    assert fixed("mlp", SMALL, 0.1).verdict == "helps-everywhere"  # "is not shown to help it more"


def findings() -> Iterator[str]:
    """What docs/findings.md says."""
    yield from both()
    for model in MODELS:
        yield from table(model)
    yield from selected()
    yield from by_rate()
    yield from outcomes()
    yield from reading()


# ------------------------------------------------------------------ tables


def table(model: str) -> Iterator[str]:
    """A row an init and rate: final accuracy and epochs."""
    for line in sweep_table(results(STUDY)).rows:
        if line[0] == model:
            yield row(f"{model.upper()} `{line[1]}`", *line[3:])


def selected() -> Iterator[str]:
    """A row a (model, init): what BN gains at each rate, and at the selected ones."""
    _, chosen = select_lr(curves(STUDY))
    for model, init in product(MODELS, curves(STUDY).init.values.tolist()):
        there = at_selected()[model, init]
        both = "/".join(f"{float(chosen.sel(model=model, init=init, norm=n).squeeze()):g}" for n in ("none", "batch"))
        points = [gain(cell, ACCURACY) for cell in (*(fixed(model, init, lr) for lr in RATES), there)]
        saved = "–" if all(share == 1 for share in there.censored.values()) else gain(there, EPOCHS)
        yield row(f"{model.upper()} `{init}`", *points, saved, both)


def by_rate() -> Iterator[str]:
    """A row a poor init: its verdicts."""
    for model, init in product(MODELS, (SMALL, LARGE)):
        there = at_selected()[model, init]
        one = there.primary
        more = "–" if there.verdict == "both-fail" else f"{one.did:+.1f} [{one.did_low:.1f}, {one.did_high:.1f}]"
        verdicts = [fixed(model, init, lr).verdict for lr in RATES]
        yield row(model.upper(), f"`{init}`", *verdicts, there.verdict, more)


# ------------------------------------------------------------------ in words


def outcomes() -> Iterator[str]:
    """The predictions' outcomes."""
    low = [of(fixed(model, "default", 0.001), ACCURACY) for model in MODELS]
    yield f"BN ends {low[0]} (MLP) and {low[1]} (CNN) points higher."
    yield "are {} and {} points".format(*(of(fixed(model, HE, 0.001), ACCURACY) for model in MODELS))
    assert [equivalent(STUDY, model, HE, lr=0.001)[1] for model in MODELS] == [True, False]  # "the same for the MLP"
    steps = [f"{ending(model, LARGE, 0.01)} to {ending(model, LARGE, 0.1)} %" for model in MODELS]
    there = finals(STUDY, model="cnn", norm="batch", init=LARGE, lr=0.1)
    assert (there < CHANCE).sum() == 1
    others = float(there[there > CHANCE].mean())
    slower = finals(STUDY, model="cnn", norm="batch", init=LARGE, lr=0.01)
    assert (there > slower).sum() == 5  # "for the CNN in five seeds of eight"
    yield f"the MLP gets from {steps[0]}, the CNN from {steps[1]}, one seed of eight at chance"
    yield f"(the others end at {others:.1f})"
    yield (f"The MLP at scale 10 and rate 0.1 ends at {ending('mlp', LARGE, 0.1)} %, at scale 1 and rate 0.001 at "
           f"{ending('mlp', HE, 0.001)} %")  # fmt: skip
    best = best_plain()
    yield f"the best end at {best[0]} (MLP) and {best[1]} % (CNN), at 0.001"
    for model in MODELS:
        yield f"{of(at_selected()[model, SMALL])} against {of(fixed(model, SMALL, 0.01))} at 0.01"
    gains = [of(at_selected()[model, "default"], ACCURACY) for model in MODELS]
    yield f"BN ends {gains[0]} (MLP) and {gains[1]} (CNN) points higher at the selected rates"


def reading() -> Iterator[str]:
    """What is made of them."""
    there = [reached(STUDY, model="mlp", norm="none", init=init, lr=0.01) for init in (SMALL, HE)]
    assert there == [4, 6]  # "Four of the eight plain MLPs at 0.01 never get there, and two at He's scale"
    assert not any(reached(STUDY, model="mlp", norm="none", init=init, lr=0.1) for init in ("default", SMALL))
    decided = [fixed(model, SMALL, lr).decided_by for model in MODELS for lr in RATES]
    assert decided == [ACCURACY.name, EPOCHS.name, ACCURACY.name] * 2
    there = [of(at_selected()[model, HE]) for model in MODELS]
    at_one = [of(fixed(model, HE, 0.01)) for model in MODELS]
    yield f"saves {there[0]} and {there[1]} epochs at the selected rates, against {at_one[0]} and {at_one[1]} at 0.01"
    against = [at_selected(HE)[model, SMALL] for model in MODELS]
    assert {one.verdict for one in against} == {"helps-more-when-poor"}
    words = [f"{one.primary.did:.1f} [{one.primary.did_low:.1f}, {one.primary.did_high:.1f}]" for one in against]
    yield f"smaller against He's scale, {words[0]} and {words[1]} epochs"
    saved = [fixed("mlp", init, 0.1).primary.effect for init in ("default", SMALL)]
    yield f"at least {saved[0]:.1f} epochs at the default and {saved[1]:.1f} at scaled-normal:0.01"
    _, chosen = select_lr(curves(STUDY))
    assert int((chosen.sel(norm="batch") == 0.1).sum()) == 7  # "in 7 of 8 cells"
    assert chosen.sel(norm="batch").size == 8
    slow, fast = (epochs(STUDY, model="cnn", norm="none", init=HE, lr=lr) for lr in (0.01, 0.1))
    assert fast < slow
    yield f"needs {fast:.1f} epochs, fewer than at its own"
    assert float(chosen.sel(model="cnn", norm="batch", init=HE).squeeze()) == 0.1
    plain, with_bn = (crossings(STUDY, model="cnn", norm=norm, init=HE, lr=0.1) for norm in ("none", "batch"))
    yield f"against that BN saves {told((plain - with_bn).values)}"
    slow, fast = (epochs(STUDY, model="mlp", norm="batch", init=HE, lr=lr) for lr in (0.01, 0.1))
    yield f"the MLP with BN at He's scale from at least {slow:.1f} epochs to {fast:.1f}"
