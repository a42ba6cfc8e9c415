"""What the pages say of the study of norms."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from tests.quotes.common import (
    MODELS,
    crossings,
    curves,
    epochs,
    equivalent,
    final,
    finals,
    gain,
    judged,
    median,
    points,
    reached,
    results,
    row,
    saved,
    told,
    words,
)

STUDY, SMALL, LARGE, DEAD = "norms", "scaled-normal:0.01", "scaled-normal:10", "dead-biases"
OF_ACTIVATIONS = ("batch", "layer", "group", "rms")
CENTRED, NOT_CENTRED = ("batch", "batch-no-affine", "layer", "group"), ("none", "rms", "weight-standardization")
WS = "weight-standardization"


def treated() -> list[str]:
    return curves(STUDY).norm.values[1:].tolist()


def readme() -> Iterator[str]:
    """What the README says."""
    _words()
    yield from ()


def findings() -> Iterator[str]:
    """What docs/findings/index.md says."""
    yield from gains()
    mlp, cnn = _saved()
    yield f"at least {mlp} epochs for the MLP, where {reached(STUDY, model='mlp', norm='none', init=SMALL)} of 8"
    yield f"and {cnn} for the CNN."
    trained = [final(STUDY, model=m, norm=n, init=DEAD) for m in MODELS for n in CENTRED]
    yield f"the first end between {min(trained):.1f} and {max(trained):.1f} % on average"
    stuck = finals(STUDY, norm=list(NOT_CENTRED), init=DEAD)
    assert stuck.min() == stuck.max()
    yield f"the others stay at {float(stuck.max()):.2f} %"
    large = [final(STUDY, model=m, norm=n, init=LARGE) for m in MODELS for n in (*CENTRED, "rms")]
    plain = " and ".join(f"{final(STUDY, model=model, norm='none', init=LARGE):.1f}" for model in MODELS)
    yield f"they end between {min(large):.1f} and {max(large):.1f} % on average, the plain networks at {plain} %"
    assert not any(reached(STUDY, init=LARGE, model=m, norm=n) for m in MODELS for n in curves(STUDY).norm.values)
    yield from _affine()
    speeds = [epochs(STUDY, model="mlp", norm=norm, init=SMALL) for norm in OF_ACTIVATIONS]
    yield f"{speeds[0]:.1f} epochs to 98 %, with the others {min(speeds[1:]):.1f} to {max(speeds[1:]):.1f}"
    _words()
    yield from _over_others()
    yield from _surprise()


def gains() -> Iterator[str]:
    """A row a model and norm, a column an init: gain and word."""
    for model, arm in product(MODELS, treated()):
        found = [judged(STUDY, arm)[model, init] for init in curves(STUDY).init.values.tolist()]
        yield row(f"{model.upper()} `{arm}`", *(gain(c) + (f" *{c['word']}*" if c["word"] else "") for c in found))


def _saved() -> list[str]:
    """Epochs saved at small weights by each norm of activations, model by model."""
    found = []
    for model in MODELS:
        told_ = [saved(STUDY, norm, model=model, init=SMALL) for norm in OF_ACTIVATIONS]
        assert all(float(one.partition("[")[2].partition(",")[0]) > 0 for one in told_)
        means = [one.partition(" ")[0] for one in told_]
        found.append(f"{', '.join(means[:-1])} and {means[-1]}")
    return found


def _affine() -> Iterator[str]:
    """Batch norm without scale and shift against batch norm."""
    norms = ("batch", "batch-no-affine")
    same = {init: all(equivalent(STUDY, "mlp", init, norms)) for init in curves(STUDY).init.values.tolist()}
    assert [init for init in same if not same[init]] == [LARGE]
    apart, more_accurate = (points(curves(STUDY), norms[1], norms[0], model=model, init=LARGE) for model in MODELS)
    yield f"({apart} points) it was just not shown"
    more = []
    for init in ("default", DEAD, SMALL):
        crossed = crossings(STUDY, model="cnn", init=init)
        more.append(told((crossed.sel(norm=norms[1]) - crossed.sel(norm=norms[0])).values))
    yield f"it needs {more[0]} epochs more at the default, {more[1]} after dead biases and {more[2]} at {SMALL}"
    yield f"it ends {more_accurate} points higher without them"
    against = judged(STUDY, norms[1], control=norms[0])
    assert all(against["mlp", init]["p_none"] < 0.025 / 3 for init in same)
    yield f"within {results(STUDY).criteria.margin:g} halvings of BN at all four"
    lost = [median(against["cnn", init]).removeprefix("-") for init in ("default", DEAD, SMALL)]
    assert all(against["cnn", init]["gain_high"] < 0 for init in ("default", DEAD, SMALL))
    yield f"the CNN loses {lost[0]}, {lost[1]} and {lost[2]} halvings at these three"
    yield f"and gains {gain(against['cnn', LARGE])} at {LARGE}"


def _words() -> None:
    """All of them are mainly but for dead biases without a mean, and weight standardization of small weights."""
    for model, arm in product(MODELS, treated()):
        found = words(judged(STUDY, arm), model)
        assert found[DEAD] == ("none" if arm in NOT_CENTRED else "mainly")
        assert found[LARGE] == "mainly"
        assert found[SMALL] == ("harms" if (model, arm) == ("mlp", WS) else "mainly")


def _over_others() -> Iterator[str]:
    """What batch norm gains over the other norms of activations at small weights."""
    found = {(model, other): judged(STUDY, "batch", control=other)[model, SMALL] for model in MODELS
             for other in OF_ACTIVATIONS[1:]}  # fmt: skip
    mlp = [median(found["mlp", other]) for other in OF_ACTIVATIONS[1:]]
    assert all(found["mlp", other]["p_helps"] == 2.0**-8 for other in OF_ACTIVATIONS[1:])  # "in every seed"
    yield f"{mlp[0]} halvings over layer, {mlp[1]} over group and {mlp[2]} over RMS normalization, in every seed"
    yield f"over layer normalization {gain(found['cnn', 'layer'])}"
    shown = {other for other in OF_ACTIVATIONS[1:] if found["cnn", other]["gain_low"] > 0}
    assert shown == {"layer"}


def _surprise() -> Iterator[str]:
    """Weight standardization at small weights."""
    yield f"its gain is {gain(judged(STUDY, WS)['mlp', SMALL])}"
    found = [final(STUDY, model="mlp", norm=norm, init=SMALL) for norm in (WS, "none")]
    yield f"({found[0]:.2f} against {found[1]:.2f} %)"
    first = curves(STUDY).weight_norm.sel(model="mlp", init=SMALL, epoch=1).squeeze()
    large, with_bn = (first.sel(norm=norm) for norm in (WS, "batch"))
    yield f"is {float(large.min()):.0f} to {float(large.max()):.0f}, where with BN it is {float(with_bn.mean()):.0f}"
