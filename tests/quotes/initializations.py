"""What the pages say of the study of initializations."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

from bnstudy.analysis import responses
from bnstudy.analysis.results import Results
from bnstudy.analysis.tables.summary import sweep_table
from bnstudy.analysis.tables.verdicts import times as bound

from tests.quotes.common import (
    CHANCE,
    MODELS,
    Judged,
    changed,
    crossings,
    curves,
    epochs,
    equivalent,
    failures,
    final,
    finals,
    gain,
    judged,
    median,
    median_of,
    results,
    row,
    saved,
    times,
    told_word,
    words,
)

STUDY, HE, REFERENCE = "init-sweep", "scaled-normal:1", "default"
SMALL = tuple(f"scaled-normal:{scale}" for scale in ("0.001", "0.01", "0.1"))
LARGE = ("scaled-normal:10", "scaled-normal:100", "large-variance")
ORDER = (REFERENCE, HE, *SMALL, *LARGE, "zero", "constant:0.01", "zero-hidden")
RUNS = 10
WELL = {REFERENCE: "the reference", HE: "well"}


def readme() -> Iterator[str]:
    """What the README says."""
    yield from answer()
    yield from summary()
    failed = [sum(judged(STUDY)[model, init]["failed"][arm][0] for init in (*SMALL, *LARGE))
              for arm in ("control", "treated") for model in MODELS]  # fmt: skip
    runs = RUNS * len((*SMALL, *LARGE))
    yield (f"without BN {failed[0]} of {runs} MLPs and {failed[1]} of {runs} CNNs fail, with it {failed[2]} and "
           f"{failed[3]}")  # fmt: skip
    assert [judged(STUDY)["cnn", LARGE[1]]["failed"][arm][0] for arm in ("control", "treated")] == [RUNS, RUNS]
    assert all(words(judged(STUDY), model)[SMALL[1]] == "more" for model in MODELS)
    assert all(words(judged(STUDY), model)[SMALL[2]] == "unclear" for model in MODELS)
    yield f"({medians(SMALL[1])} halvings)"
    for model in MODELS:
        assert judged(STUDY)[model, REFERENCE]["p_helps"] == 2.0**-RUNS  # "in every seed"
        assert round(1 - 2.0 ** -judged(STUDY)[model, REFERENCE]["gain"], 1) == 0.1  # "a tenth of the error"
    yield f"helps both in every seed, by {medians(REFERENCE)} halvings"
    sooner = [epochs(STUDY, model=model, norm=norm, init=REFERENCE) for model in MODELS for norm in ("none", "batch")]
    yield "({:.1f} epochs become {:.1f}, and {:.1f} become {:.1f})".format(*sooner)
    yield from declared()
    assert (finals(STUDY, model="cnn", norm="batch", init="zero-hidden") < CHANCE).sum() == 2  # "two of ten"
    yield f"The MLP gains {median(judged(STUDY)['mlp', 'zero-hidden'])} halvings"
    against_he()


def findings() -> Iterator[str]:
    """What docs/findings/index.md says."""
    yield from judging()
    yield from declared()
    for model in MODELS:
        yield from sweep(model)
    yield from hidden()
    yield from choices()
    yield from outcomes()
    yield from zero_hidden()
    yield from published()


def medians(init: str, name: str = "gain") -> str:
    """The median gains of the MLP and the CNN."""
    return " and ".join(median(judged(STUDY)[model, init], name) for model in MODELS)


def ends(init: str, norm: str) -> list[str]:
    """Mean final accuracies of the MLP and the CNN."""
    return [f"{final(STUDY, model=model, norm=norm, init=init):.1f}" for model in MODELS]


# ------------------------------------------------------------------ the answer


def answer() -> Iterator[str]:
    """A sentence a model."""
    mainly = {model: [init for init, word in words(judged(STUDY), model).items() if word == "mainly"]
              for model in MODELS}  # fmt: skip
    assert {model: set(found) for model, found in mainly.items()} == {
        "mlp": {SMALL[0], *LARGE}, "cnn": {SMALL[0], LARGE[0]},
    }  # fmt: skip
    for model in MODELS:
        gains = [judged(STUDY)[model, init]["gain"] for init in mainly[model]]
        yield (f"{times(min(gains))} to {times(max(gains))} times smaller there, and "
               f"{times(judged(STUDY)[model, REFERENCE]['gain'])} times at PyTorch's default")  # fmt: skip
    assert all(words(judged(STUDY), model)["zero"] == "none" for model in MODELS)


def declared() -> Iterator[str]:
    """By what the words are given."""
    criteria = results(STUDY).criteria
    assert criteria.mainly_times == 2
    yield f"less than {criteria.margin:g} halvings"
    yield f"the margin of {criteria.margin:g}"


def summary() -> Iterator[str]:
    """The README's table: a row a condition."""
    for init in ORDER:
        cells = [judged(STUDY)[model, init] for model in MODELS]
        name = f"`{init}`" + (f" ({WELL[init]})" if init in WELL else "")
        told_ = [median(cell) + (f" **{cell['word']}**" if cell["word"] else "") for cell in cells]
        yield row(name, *told_, *map(failures, cells))


# ------------------------------------------------------------------ findings: how it is judged now


def judging() -> Iterator[str]:
    """What is measured here of the old rule's failures."""
    ratios = [epochs_at(accuracy, "none") / epochs_at(accuracy, "batch") for accuracy in (0.97, 0.975, 0.98)]
    yield f"{ratios[0]:.1f}, {ratios[1]:.1f} and {ratios[2]:.1f} times the epochs to 97, 97.5 and 98 %"
    never = [(model, init) for model in MODELS for init in words(judged(STUDY), model)
             if not (crossings_reached(model, init))]  # fmt: skip
    yield f"{len(never)} of {sum(len(words(judged(STUDY), model)) for model in MODELS)} verdicts"
    added = sorted(float((finals(STUDY, model=m, init=i, norm="batch") - finals(STUDY, model=m, init=i,
                   norm="none")).mean()) for m, i in never if judged(STUDY)[m, i]["word"] == "mainly")  # fmt: skip
    yield f"where BN adds {added[0]:.0f} to {added[-1]:.0f} points"
    found = [words(judged(STUDY), model)[init] for model, init in never]
    counts = [found.count(word) for word in ("mainly", "none", "unclear")]
    assert sum(counts) == len(never)
    yield f"{counts[0]} *mainly*, {counts[1]} *none*, {counts[2]} *unclear*"


def epochs_at(accuracy: float, norm: str) -> float:
    """Mean epochs of the MLP to an accuracy at the reference."""
    crossing = responses.epochs_to_target(curves(STUDY), accuracy).epochs
    return float(crossing.sel(model="mlp", norm=norm, init=REFERENCE).mean())


def crossings_reached(model: str, init: str) -> bool:
    """Whether any run of either arm exceeds the target."""
    found = responses.epochs_to_target(curves(STUDY), results(STUDY).criteria.target_accuracy)
    return bool(found.reached.sel(model=model, init=init).any())


# ------------------------------------------------------------------ tables


def sweep(model: str) -> Iterator[str]:
    """A row an init."""
    for line in sweep_table(results(STUDY)).rows:
        if line[0] == model:
            cell = judged(STUDY)[model, line[1]]
            yield row(f"`{line[1]}`", gain(cell), bound(cell), failures(cell), told_word(cell), *line[5:7], *line[3:5])


def choices() -> Iterator[str]:
    """A row a choice: the words it would change."""
    others: dict[str, Judged] = {"reference: He's scale": judged(STUDY, reference=HE)}
    others |= {f"k = {k:g}": judged(STUDY, mainly_times=k) for k in (3, 5, 10, 20)}
    others |= {f"margin {margin:g}": judged(STUDY, margin=margin) for margin in (0.03, 0.2, 0.3)}
    others |= {f"the first {count} epochs": judged(STUDY, epochs=count) for count in (10, 20, 40)}
    for name, found in others.items():
        yield row(name, _changes(found))


def _changes(found: Judged) -> str:
    """The words that differ from those declared: ``MLP: `scaled-normal:0.01` *mainly*``."""
    told_ = []
    for model in MODELS:
        there = {init: word for of, init, _, word in changed(found, judged(STUDY)) if of == model}
        by_word: dict[str, list[str]] = {}
        for init in (init for init in ORDER if init in there):
            by_word.setdefault(there[init], []).append(f"`{init}`")
        if by_word:
            parts = [f"{', '.join(inits)} *{word}*" for word, inits in by_word.items()]
            told_.append(f"{model.upper()}: {', '.join(parts)}")
    return "; ".join(told_) or "nothing"


# ------------------------------------------------------------------ in words


def against_he() -> None:
    """Against He's scale every word at small scales is the same or stronger."""
    found = judged(STUDY, reference=HE)
    assert changed(found, judged(STUDY)) == {
        ("mlp", SMALL[1], "more", "mainly"), ("cnn", SMALL[1], "more", "mainly"), ("mlp", SMALL[2], "unclear", "more"),
    }  # fmt: skip


def hidden() -> Iterator[str]:
    """What the verdict hides."""
    against_he()
    default, he = ([gain(judged(STUDY)[model, init]) for model in MODELS] for init in (REFERENCE, HE))
    yield f"gains {default[0]} halvings (MLP) and {default[1]} (CNN)"
    yield f"at He's scale {he[0]} and {he[1]}"
    scores = results(STUDY).scores.values.squeeze("setting")

    def worse(model: str, arm: str, init: str, than: str = HE) -> str:
        there = scores.sel(model=model, arm=arm)
        return median_of((there.sel(condition=init) - there.sel(condition=than)).values)

    plain, with_bn = (worse("mlp", arm, SMALL[2]) for arm in ("none", "batch"))
    yield f"differs by {plain} halvings, and the MLP with BN by {with_bn}"
    suffers = {(m, i): worse(m, "none", i) for m, i in product(MODELS, SMALL)}
    yield f"by {suffers['mlp', SMALL[1]]} halvings at a hundredth"
    yield f"by {suffers['cnn', SMALL[2]]} at a tenth"
    # Nine poor conditions: which p a word takes.
    alone = [judged(STUDY)[model, SMALL[1]] for model in MODELS]
    assert all(math.isclose(cell["p_mainly"], 11 / 2**RUNS) for cell in alone)  # nine of ten seeds
    fewer = results(STUDY).dataset.sel(init=[REFERENCE, HE, *SMALL])
    found = Results(fewer, results(STUDY).criteria).assessment
    at = {(str(m), str(i)): str(found.word.sel(model=m, condition=i).squeeze().item()) for m, i in
          product(MODELS, SMALL)}  # fmt: skip
    assert {at[model, SMALL[1]] for model in MODELS} == {"mainly"}
    # The gain at the reference, by budget.
    short = [median(judged(STUDY, epochs=count)["mlp", REFERENCE]) for count in (10, 20, 50)]
    yield f"{short[0]}, {short[1]} and {short[2]} halvings over 10, 20 and 50"
    assert not changed(judged(STUDY, margin=0.05), judged(STUDY))
    yield f"from 0.05 to {results(STUDY).criteria.margin:g} nothing changes"
    assert all(judged(STUDY)["cnn", init]["word"] == "unclear" for init in (LARGE[2], "zero-hidden"))
    trained = [int((finals(STUDY, model="cnn", norm="none", init=init) > 50).sum()) for init in
               (SMALL[0], LARGE[0], LARGE[2])]  # fmt: skip
    stuck = int((finals(STUDY, model="cnn", norm="batch", init="zero-hidden") > 50).sum())
    assert (trained, stuck) == ([2, 6, 8], 8)
    one = judged(STUDY)["cnn", "constant:0.01"]
    yield f"{gain(one)} halvings, one seed of ten beyond the margin"
    gains = scores.sel(model="cnn", condition="constant:0.01", arm="none") - scores.sel(
        model="cnn", condition="constant:0.01", arm="batch"
    )
    assert int((abs(gains) >= results(STUDY).criteria.margin).sum()) == 1
    apart = judged(STUDY)["cnn", LARGE[0]]["p_failures"]
    yield f"McNemar's p is {apart:.3f}"
    shown = [(m, i) for m, i in product(MODELS, (*SMALL, *LARGE)) if judged(STUDY)[m, i]["p_failures"] < 0.05]
    assert shown == [("mlp", LARGE[0]), ("mlp", LARGE[1]), ("mlp", LARGE[2]), ("cnn", SMALL[0])]
    sooner = [saved(STUDY, model=model, init=REFERENCE) for model in MODELS]
    yield f"BN saves {sooner[0]} epochs (MLP) and {sooner[1]} (CNN)"


def outcomes() -> Iterator[str]:
    """The predictions' outcomes."""
    found = {model: words(judged(STUDY), model) for model in MODELS}
    shown = [(m, i) for m, i in product(MODELS, (*SMALL, *LARGE)) if judged(STUDY)[m, i]["p_helps"] == 2.0**-RUNS]
    assert {*product(MODELS, (*SMALL, *LARGE))} - {*shown} == {("cnn", LARGE[1]), ("cnn", LARGE[2])}
    assert not any(crossings_reached(model, init) for model in MODELS for init in LARGE)
    assert {found[model]["zero"] for model in MODELS} == {"none"}
    zero = finals(STUDY, init="zero")
    assert zero.min() == zero.max()
    yield f"every final accuracy is {float(zero.max()):.2f} % in both arms"
    yield f"the MLP saves {saved(STUDY, model='mlp', init=REFERENCE)} epochs"
    assert [one for one in product(MODELS, (REFERENCE, HE)) if all(equivalent(STUDY, *one))] == [("cnn", HE)]
    at_he = [judged(STUDY)[model, HE] for model in MODELS]
    margin = results(STUDY).criteria.margin
    assert all(cell["gain_low"] > -margin and cell["gain_high"] < margin for cell in at_he)  # within, one by one
    yield f"({gain(at_he[0])} and {gain(at_he[1])})"
    assert all(judged(STUDY)[model, REFERENCE]["p_none"] > 0.05 for model in MODELS)
    small, tenth = ([median(judged(STUDY)[model, init]) for model in MODELS] for init in (SMALL[0], SMALL[2]))
    yield f"{small[0]} against {tenth[0]} halvings (MLP) and {small[1]} against {tenth[1]} (CNN)"
    early = [saved(STUDY, model=model, init=init).partition(" ")[0] for init in (SMALL[0], SMALL[2])
             for model in MODELS]  # fmt: skip
    yield f"Held: at least {early[0]} and {early[1]} epochs at the smaller, {early[2]} and {early[3]} at the larger"
    dead = curves(STUDY).diverged_epoch.sel(init=LARGE[1], model="mlp").squeeze()
    assert (dead.sel(norm="none") == 1).all()  # "All ten MLPs without BN diverge in the first epoch"
    assert (dead.sel(norm="batch") == -1).all()
    assert (found["mlp"][LARGE[1]], found["cnn"][LARGE[1]]) == ("mainly", "none")
    yield f"with BN they end at {ends(LARGE[1], 'batch')[0]} %"
    assert (found["mlp"]["zero-hidden"], found["cnn"]["zero-hidden"]) == ("more", "unclear")
    yield f"BN gains {gain(judged(STUDY)['mlp', 'zero-hidden'])} halvings"
    assert found["mlp"]["constant:0.01"] == "none"
    plain, with_bn = (ends("constant:0.01", norm) for norm in ("none", "batch"))
    yield f"{plain[0]} and {with_bn[0]} % for the MLP"
    yield f"{plain[1]} and {with_bn[1]} % for the CNN"
    yield f"loses {abs(judged(STUDY)['mlp', 'constant:0.01']['gain']):.2f} halvings in every seed"
    assert judged(STUDY)["mlp", "constant:0.01"]["p_harms"] == 2.0**-RUNS


def zero_hidden() -> Iterator[str]:
    """Hidden weights of zero."""
    final_accuracy = finals(STUDY, model="cnn", norm="batch", init="zero-hidden")
    stuck = (final_accuracy < CHANCE).values
    assert final_accuracy.seed[stuck].values.tolist() == [3, 7]
    yield f"Two CNNs of ten stay at {float(final_accuracy.min()):.2f} %"
    moved = curves(STUDY).weight_norm.sel(model="cnn", norm="batch", init="zero-hidden").squeeze()[stuck]
    assert (moved.max("epoch") - moved.min("epoch") < 1e-6).all()  # "their weights never move at all"
    crossed = crossings(STUDY, model="cnn", init="zero-hidden")
    sooner = (crossed.sel(norm="none") - crossed.sel(norm="batch"))[~stuck]
    assert ((sooner > 0).sum(), (sooner == 0).sum(), sooner.size) == (5, 3, 8)  # "five sooner, none later"
    free = [epochs(STUDY, model="mlp", norm=norm, init="zero-hidden") for norm in ("batch", "none")]
    yield f"({free[0]:.1f} against at least {free[1]:.1f} epochs)"


def published() -> Iterator[str]:
    """What is set beside published results."""
    ended = [final(STUDY, model="mlp", norm="batch", init=init) for init in SMALL]
    assert max(ended) - min(ended) < 0.03
    yield "ends within 0.03 points for every scale from 0.001 to 0.1"
    slower = [epochs(STUDY, model="mlp", norm="batch", init=init) for init in (SMALL[2], HE)]
    yield f"{slower[0]:.1f} and {slower[1]:.1f} epochs at 0.1 and 1"
    cnn, mlp = ([epochs(STUDY, model=model, norm="none", init=init) for init in (HE, *reversed(SMALL), REFERENCE)]
                for model in ("cnn", "mlp"))  # fmt: skip
    yield f"the CNN needs {cnn[0]:.1f} epochs at He's scale, {cnn[1]:.1f}, {cnn[2]:.1f} and over {int(cnn[3])}"
    yield f"the MLP {mlp[0]:.1f}, {mlp[1]:.1f}, over {int(mlp[2])} and over {int(mlp[3])}"
    assert cnn[4] <= cnn[0]
    assert mlp[4] < mlp[0]
