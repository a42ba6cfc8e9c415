"""What the pages say of the study of learning rates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import product

import numpy as np
from bnstudy.analysis import responses
from bnstudy.analysis.tables.verdicts import times as bound

from tests.quotes.common import (
    CHANCE,
    MODELS,
    Cell,
    curves,
    equivalent,
    failures,
    final,
    finals,
    gain,
    higher,
    judged,
    median,
    points,
    results,
    row,
    saved,
    target,
    told,
)

STUDY, RATES = "learning-rate", (0.001, 0.01, 0.1)
REFERENCE, SMALL, HE, LARGE = "default", "scaled-normal:0.01", "scaled-normal:1", "scaled-normal:10"


def fixed(model: str, init: str, lr: float) -> Cell:
    """A cell at one rate."""
    return judged(STUDY, setting=f"lr {lr:g}")[model, init]


def chosen(model: str, init: str, **criteria: object) -> Cell:
    """A cell with each run at its selected rate."""
    return judged(STUDY, setting="selected", **criteria)[model, init]


def selected(model: str, init: str, norm: str) -> dict[float, int]:
    """How many of an arm's runs were given each rate."""
    rates = results(STUDY).selected_rates.sel(model=model, init=init, norm=norm)
    return dict(sorted(Counter(rates.values.ravel().tolist()).items()))


def ending(model: str, init: str, lr: float, norm: str = "batch") -> str:
    return f"{final(STUDY, model=model, init=init, lr=lr, norm=norm):.1f}"


def best_plain() -> list[str]:
    """How the plain MLP and CNN end at large weights and rate 0.001, which is the best for both."""
    found = {model: [ending(model, LARGE, lr, "none") for lr in RATES] for model in MODELS}
    assert all(max(ends, key=float) == ends[0] for ends in found.values())
    return [ends[0] for ends in found.values()]


def readme() -> Iterator[str]:
    """What the README says."""
    small, default = ([median(chosen(model, init)) for model in MODELS] for init in (SMALL, REFERENCE))
    assert all(chosen(model, SMALL)["word"] == "mainly" for model in MODELS)
    yield f"({small[0]} and {small[1]} halvings, against {default[0]} and {default[1]} at the reference)"
    assert [chosen(model, LARGE)["word"] for model in MODELS] == ["mainly", "unclear"]
    assert chosen("cnn", LARGE)["failed"]["treated"] == [1, 8]  # "of eight CNNs with BN one fails"
    yield f"({median(chosen('mlp', LARGE))} halvings)"
    assert fixed("mlp", SMALL, 0.1)["word"] == "alike"
    assert all(fixed(model, LARGE, 0.001)["word"] == "less" for model in MODELS)


def findings() -> Iterator[str]:
    """What docs/findings/index.md says."""
    yield from gains()
    yield from outcomes()
    yield from reading()


# ------------------------------------------------------------------ tables


def gains() -> Iterator[str]:
    """A row a (model, init): gain and word at each rate and at the selected ones; bound, failures and rates there."""
    for model, init in product(MODELS, curves(STUDY).init.values.tolist()):
        there = chosen(model, init)
        told_ = [gain(cell) + (f" *{cell['word']}*" if cell["word"] else "")
                 for cell in (*(fixed(model, init, lr) for lr in RATES), there)]  # fmt: skip
        rates = " / ".join(_rates(model, init, norm) for norm in ("none", "batch"))
        yield row(f"{model.upper()} `{init}`", *told_, bound(there), failures(there), rates)


def _rates(model: str, init: str, norm: str) -> str:
    found = selected(model, init, norm)
    return ", ".join(f"{rate:g}" + (f" ×{count}" if len(found) > 1 else "") for rate, count in found.items())


# ------------------------------------------------------------------ in words


def outcomes() -> Iterator[str]:
    """The predictions' outcomes."""
    low = [higher(STUDY, model=model, init=REFERENCE, lr=0.001) for model in MODELS]
    yield f"BN ends {low[0]} (MLP) and {low[1]} (CNN) points higher"
    yield "it gains {} and {} halvings".format(*(median(fixed(model, REFERENCE, 0.001)) for model in MODELS))
    yield "are {} and {} points".format(*(higher(STUDY, model=model, init=HE, lr=0.001) for model in MODELS))
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
    there = [median(chosen(model, SMALL)) for model in MODELS]
    at_one = [median(fixed(model, SMALL, 0.01)) for model in MODELS]
    yield f"{there[0]} halvings against {at_one[0]} at 0.01 (less in every seed)"
    yield f"{there[1]} against {at_one[1]}"
    assert (_gains("mlp", SMALL, "selected") < _gains("mlp", SMALL, "lr 0.01")).all()
    assert not (_gains("cnn", SMALL, "selected") < _gains("cnn", SMALL, "lr 0.01")).all()
    dataset = results(STUDY).at_selected_rates.dataset
    crossed = responses.epochs_to_target(dataset, target(STUDY)).epochs.squeeze()
    now = [told((crossed.sel(model=model, init=SMALL, norm="none") - crossed.sel(model=model, init=SMALL, norm="batch"))
                .values) for model in MODELS]  # fmt: skip
    was = [saved(STUDY, model=model, init=SMALL, lr=0.01) for model in MODELS]
    yield f"at least {now[0]} against {was[0]} (MLP) and {now[1]} against {was[1]} (CNN)"
    apart = [points(results(STUDY).at_selected_rates.dataset, model=model, init=REFERENCE) for model in MODELS]
    yield f"BN ends {apart[0]} (MLP) and {apart[1]} (CNN) points higher at the selected rates"
    yield "it gains {} and {} halvings there".format(*(gain(chosen(model, REFERENCE)) for model in MODELS))


def _gains(model: str, init: str, setting: str) -> np.ndarray:
    """Gains seed by seed."""
    found = results(STUDY).at_selected_rates if setting == "selected" else results(STUDY)
    values = found.scores.values.sel(model=model, condition=init)
    values = values.isel(setting=0 if setting == "selected" else values.setting.values.tolist().index(setting))
    return (values.sel(arm="none") - values.sel(arm="batch")).values


def reading() -> Iterator[str]:
    """What is made of them."""
    least = [bound(chosen(model, SMALL)).removesuffix(" ×") for model in MODELS]
    yield f"at least {least[0]} times what it is at the default (MLP) and {least[1]} times (CNN)"
    he = [chosen(model, SMALL, reference=HE) for model in MODELS]
    assert {cell["word"] for cell in he} == {"mainly"}
    assert [chosen(model, LARGE, reference=HE)["word"] for model in MODELS] == ["mainly", "unclear"]
    yield "{} and {} halvings at He's scale".format(*(median(chosen(model, HE)) for model in MODELS))
    defaults = [[median(fixed(model, REFERENCE, lr)) for lr in RATES] for model in MODELS]
    yield f"{defaults[0][0]}, {defaults[0][1]} and {defaults[0][2]} halvings for the MLP"
    yield f"{defaults[1][0]}, {defaults[1][1]} and {defaults[1][2]} for the CNN"
    assert fixed("mlp", SMALL, 0.1)["word"] == "alike"
    assert [fixed(model, LARGE, 0.001)["word"] for model in MODELS] == ["less", "less"]
    gone = fixed("cnn", LARGE, 0.1)
    assert (gone["word"], gone["failed"]) == ("unclear", {"control": [8, 8], "treated": [1, 8]})
    assert selected("mlp", SMALL, "none") == {0.1: 8}
    assert selected("mlp", SMALL, "batch") == {0.001: 7, 0.1: 1}
    plain = [f"{final(STUDY, model='mlp', init=SMALL, norm='none', lr=lr):.2f}" for lr in (0.1, 0.01)]
    yield f"it ends lower there, at {plain[0]} against {plain[1]} %"
    arms = [(m, i) for m in MODELS for i in curves(STUDY).init.values.tolist()]
    largest = [one for one in arms if set(selected(*one, "batch")) == {0.1}]
    assert len(largest) == 6  # "in every seed of six of the eight cells with BN"
    smallest = [one for one in arms if set(selected(*one, "none")) == {0.001}]
    assert smallest == [(model, LARGE) for model in MODELS]
