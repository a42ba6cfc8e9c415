"""What the pages say of the study of norms."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from bnstudy.analysis import inference
from bnstudy.analysis.tables.summary import sweep_table

from tests.quotes.common import (
    ACCURACY,
    MODELS,
    crossings,
    curves,
    epochs,
    equivalent,
    final,
    finals,
    gained,
    judged,
    reached,
    results,
    row,
    told,
)

STUDY, SMALL, LARGE, DEAD = "norms", "scaled-normal:0.01", "scaled-normal:10", "dead-biases"
OF_ACTIVATIONS = ("batch", "layer", "group", "rms")
CENTRED, NOT_CENTRED = ("batch", "batch-no-affine", "layer", "group"), ("none", "rms", "weight-standardization")


def readme() -> Iterator[str]:
    """What the README says."""
    mlp, cnn = _saved()
    yield f"save the MLP at least {mlp} epochs, and the CNN {cnn}."
    lowest = min(final(STUDY, model=m, norm=n, init=LARGE) for m in MODELS for n in OF_ACTIVATIONS)
    yield f"they end at {lowest:.1f} % or more, the plain networks at {_plain()} %"


def findings() -> Iterator[str]:
    """What docs/findings.md says."""
    yield from table("epochs")
    yield from table("accuracy")
    mlp, cnn = _saved()
    yield f"at least {mlp} epochs for the MLP, where {reached(STUDY, model='mlp', norm='none', init=SMALL)} of 8"
    yield f"and {cnn} for the CNN."
    trained = [final(STUDY, model=m, norm=n, init=DEAD) for m in MODELS for n in CENTRED]
    yield f"the first end between {min(trained):.1f} and {max(trained):.1f} % on average"
    stuck = finals(STUDY, norm=list(NOT_CENTRED), init=DEAD)
    assert stuck.min() == stuck.max()
    yield f"the others stay at {float(stuck.max()):.2f} %"
    large = [final(STUDY, model=m, norm=n, init=LARGE) for m in MODELS for n in (*CENTRED, "rms")]
    yield f"they end between {min(large):.1f} and {max(large):.1f} % on average, the plain networks at {_plain()} %"
    assert all(judged(STUDY)[m, n, LARGE].responses[ACCURACY.name].effect_low > 0
               for m in MODELS for n in curves(STUDY).norm.values[1:].tolist())  # fmt: skip
    assert not any(reached(STUDY, init=LARGE, model=m, norm=n) for m in MODELS for n in curves(STUDY).norm.values)
    yield from _affine()
    speeds = [epochs(STUDY, model="mlp", norm=norm, init=SMALL) for norm in OF_ACTIVATIONS]
    yield f"it needs {speeds[0]:.1f} epochs, with the others {min(speeds[1:]):.1f} to {max(speeds[1:]):.1f}"
    _verdicts()
    yield from _surprise()


def table(measure: str) -> Iterator[str]:
    """A row a model and norm, a column an init: final accuracies or epochs."""
    lines = sweep_table(results(STUDY)).rows
    for model, norm in product(MODELS, curves(STUDY).norm.values.tolist()):
        found = {
            line[1]: line[4 if measure == "accuracy" else 5] for line in lines if (line[0], line[3]) == (model, norm)
        }
        yield row(f"{model.upper()} `{norm}`", *(found[init] for init in curves(STUDY).init.values.tolist()))


def _saved() -> list[str]:
    """Epochs saved at small weights by each norm of activations, model by model."""
    found = []
    for model in MODELS:
        assert all(judged(STUDY)[model, norm, SMALL].primary.effect_low > 0 for norm in OF_ACTIVATIONS)
        saved = [gained(STUDY, model, SMALL, norm=norm).partition(" ")[0] for norm in OF_ACTIVATIONS]
        found.append(f"{', '.join(saved[:-1])} and {saved[-1]}")
    return found


def _plain() -> str:
    return " and ".join(f"{final(STUDY, model=model, norm='none', init=LARGE):.1f}" for model in MODELS)


def _affine() -> Iterator[str]:
    """Batch norm without scale and shift against batch norm."""
    norms = ("batch", "batch-no-affine")
    same = {init: all(equivalent(STUDY, "mlp", init, norms)) for init in curves(STUDY).init.values.tolist()}
    assert [init for init in same if not same[init]] == [LARGE]
    apart = finals(STUDY, model="mlp", init=LARGE)
    yield f"({told((apart.sel(norm=norms[1]) - apart.sel(norm=norms[0])).values, 2)} points) it is just not shown"
    more = []
    for init in ("default", DEAD, SMALL):
        crossed = crossings(STUDY, model="cnn", init=init)
        more.append(told((crossed.sel(norm=norms[1]) - crossed.sel(norm=norms[0])).values))
    apart = finals(STUDY, model="cnn", init=LARGE)
    higher = told((apart.sel(norm=norms[1]) - apart.sel(norm=norms[0])).values, 2)
    yield f"at scaled-normal:10 it ends {higher} points higher without them"
    yield f"it needs {more[0]} epochs more at the default, {more[1]} after dead biases and {more[2]} at {SMALL}"


def _verdicts() -> None:
    """The verdicts at small weights, and where batch norm is not the fastest."""
    found = {(m, n): judged(STUDY)[m, n, SMALL].verdict for m in MODELS for n in curves(STUDY).norm.values[1:].tolist()}
    more, everywhere = "helps-more-when-poor", "helps-everywhere"
    assert {n: v for (m, n), v in found.items() if m == "mlp"} == {
        "batch": more, "rms": more, "layer": everywhere, "group": everywhere, "batch-no-affine": everywhere,
        "weight-standardization": "contradicted",
    }  # fmt: skip
    assert {n for (m, n), v in found.items() if (m, v) == ("cnn", more)} == {"batch"}
    assert {n for (m, n), v in found.items() if (m, v) == ("cnn", "supported")} == {n for _, n in found} - {"batch"}
    assert {judged(STUDY)["mlp", n, SMALL].decided_by for _, n in found} == {ACCURACY.name}
    crossed = crossings(STUDY, model="cnn", init=SMALL)
    later = {n: crossed.sel(norm=n) - crossed.sel(norm="batch") for n in ("group", "rms")}
    assert all(inference.interval(values.values.astype(float))[0] <= 0 for values in later.values())
    others = [float(crossed.sel(norm=n).mean()) for n in OF_ACTIVATIONS[1:]]
    assert float(crossed.sel(norm="batch-no-affine").mean()) >= max(others)  # "no faster than any"


def _surprise() -> Iterator[str]:
    """Weight standardization at small weights."""
    found = [final(STUDY, model="mlp", norm=norm, init=SMALL) for norm in ("weight-standardization", "none")]
    yield f"({found[0]:.2f} against {found[1]:.2f} %)"
    first = curves(STUDY).weight_norm.sel(model="mlp", init=SMALL, epoch=1).squeeze()
    large, with_bn = (first.sel(norm=norm) for norm in ("weight-standardization", "batch"))
    yield f"is {float(large.min()):.0f} to {float(large.max()):.0f}, where with BN it is {float(with_bn.mean()):.0f}"
