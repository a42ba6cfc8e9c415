"""What README and docs quote from the published datasets: each number in the words it stands in, derived again.

``python -m tests.quotes`` prints them, for whoever writes the pages anew.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from itertools import product

import xarray as xr
from bnstudy.analysis import inference, responses
from bnstudy.analysis.assessment import RESPONSES, Response, assess
from bnstudy.analysis.claims import claims, claims_table
from bnstudy.analysis.comparisons import Cell, cells
from bnstudy.analysis.selection import select_lr
from bnstudy.analysis.table import Table, report_table, sweep_table
from bnstudy.errors import InputError
from bnstudy.reading import open_results

from tests.conftest import ROOT

DATA = ROOT / "studies" / "data"
EPOCHS, ACCURACY = RESPONSES[0], RESPONSES[1]
ORDER = ("default", *(f"scaled-normal:{scale}" for scale in ("0.001", "0.01", "0.1", "1", "10", "100")),
         "large-variance", "zero", "constant:0.01", "zero-hidden")  # fmt: skip


@cache
def curves(name: str) -> xr.Dataset:
    return open_results(DATA / name)


@cache
def judged(name: str) -> dict[tuple[str, ...], Cell]:
    """Every comparison of a study, by model, norm and init; by learning rate too where there are several."""
    result = assess(curves(name))
    several = result.sizes["lr"] > 1
    return {(*labels[:2], labels[4], *([labels[3]] if several else [])): c for labels, c in cells(result).items()}


def row(*texts: str) -> str:
    return f"| {' | '.join(texts)} |"


def markdown(table: Table) -> list[str]:
    return [row(*(text.strip() for text in line)) for line in table.rows]


def gain(cell: Cell, response: Response) -> str:
    """What the norm gains, such as ``+4.8 [4.0, 5.6]``; in epochs or points."""
    one = cell.responses[response.name]
    scale, digits = (1, 1) if response.unit == "epochs" else (100, 2)
    mean, low, high = (round(scale * end, digits) + 0.0 for end in (one.effect, one.effect_low, one.effect_high))
    return "–" if math.isnan(mean) else f"{mean:+.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def final(name: str, **labels: object) -> float:
    """Mean final test accuracy of a cell in percent."""
    chosen = responses.final(curves(name), "test_accuracy").sel(labels)
    return 100 * float(chosen.mean("seed").squeeze())


def epochs(name: str, **labels: object) -> float:
    """Mean epochs until the target is exceeded, the last where it is not."""
    return float(responses.epochs_to_target(curves(name)).epochs.sel(labels).mean("seed").squeeze())


def reached(name: str, **labels: object) -> int:
    return int(responses.epochs_to_target(curves(name)).reached.sel(labels).sum())


# ------------------------------------------------------------------ tables


def sweep(model: str) -> Iterator[str]:
    """A row an init of the study of initializations."""
    table = sweep_table(curves("init-sweep"))
    for line in table.rows:
        if line[0] == model:
            cell = judged("init-sweep")[model, "batch", line[1]]
            saved = "–" if cell.verdict == "both-fail" else gain(cell, EPOCHS)
            verdict = cell.verdict or "(well)"
            yield row(f"`{line[1]}`", line[5], line[6], saved, line[3], line[4], gain(cell, ACCURACY), verdict)


def norms(measure: str) -> Iterator[str]:
    """A row a model and norm, a column an init."""
    table = sweep_table(curves("norms"))
    column = 4 if measure == "accuracy" else 5
    inits = [str(init) for init in curves("norms").init.values]
    for model, norm in product(("mlp", "cnn"), curves("norms").norm.values.tolist()):
        found = {line[1]: line[column] for line in table.rows if (line[0], line[3]) == (model, norm)}
        yield row(f"{model.upper()} `{norm}`", *(found[init] for init in inits))


def rates(model: str) -> Iterator[str]:
    """A row an init and arm, a column a learning rate: final accuracy and epochs."""
    for line in sweep_table(curves("learning-rate")).rows:
        if line[0] == model:
            yield row(f"{model.upper()} `{line[1]}`", *line[3:])


def summary() -> Iterator[str]:
    """The README's table: a row a kind of initialization, both models in each cell as MLP · CNN."""

    def told(init: str, norm: str) -> str:
        found = []
        for model in ("mlp", "cnn"):
            labels = {"model": model, "norm": norm, "init": init}
            mean, there = epochs("init-sweep", **labels), reached("init-sweep", **labels)
            least = "≥ " if there < 10 else ""
            found.append(f"{least}{mean:.1f} epochs" if there else f"{final('init-sweep', **labels):.1f} %")
        return " · ".join(found)

    def so(init: str) -> str:
        found = []
        for model in ("mlp", "cnn"):
            cell = judged("init-sweep")[model, "batch", init]
            fails = all(share == 1 for share in cell.censored.values())
            response = ACCURACY if fails else EPOCHS
            one = cell.responses[response.name]
            low, high = one.effect_low, one.effect_high
            word = "saves" if response is EPOCHS else "gains"
            found.append("nothing" if low == high == 0 else word if low > 0 else "hurts" if high < 0 else "cannot tell")
        return found[0] if found[0] == found[1] else " · ".join(found)

    for init in ORDER:
        yield row(f"`{init}`", told(init, "none"), told(init, "batch"), so(init))


def answers() -> Iterator[str]:
    """The report's claims and what the baseline says of them."""
    found = {(one.about, one.text): one for one in claims(curves("baseline"))}

    def of(about: str, text: str, digits: int, sign: int = 1) -> str:
        one = found[about, text]
        scale = sign * (100 if one.unit == "1" else 1)
        low, high = sorted((scale * one.low, scale * one.high))
        return f"{scale * one.estimate:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"

    times = {text: found["run time", text].estimate for about, text in found if about == "run time"}
    columns = dict(zip(("cnn batch", "cnn", "mlp batch", "mlp"), zip(*(
        [text.strip() for text in line[1:]] for line in report_table(curves("baseline")).rows if line[0] == "s to >98 %"
    ), strict=True), strict=True))  # fmt: skip
    seconds = {name: column[0].partition(" ")[0] for name, column in columns.items()}
    sooner, faster = "the MLP gets there sooner than the CNN", "BN does not affect an epoch's time"
    yield row(
        "1. CNN and MLP take the same time an epoch; the MLP converges sooner; BN does not affect run time",
        f"**No.** The CNN's epoch takes {times['an epoch takes the same in both (without BN)']:.1f} times the MLP's. "
        f"In epochs the CNN exceeds 98 % sooner, by {of('convergence', f'{sooner} (without BN)', 1, -1)} without BN "
        f"and {of('convergence', f'{sooner} (with BN)', 1, -1)} with it; in seconds the MLP does "
        f"({seconds['mlp']} against {seconds['cnn']}, with BN {seconds['mlp batch']} against "
        f"{seconds['cnn batch']}). BN adds "
        f"{100 * times[f'{faster} (mlp)'] - 100:.0f} % to the MLP's time and "
        f"{100 * times[f'{faster} (cnn)'] - 100:.0f} % to the CNN's.",
    )
    counts = {one.text: f"{one.estimate:,.0f}" for one in found.values() if one.about == "parameters"}
    yield row(
        "2. The MLP has more parameters; BN does not affect their number",
        f"**Yes; no.** {counts['the MLP has more than the CNN']} more; BN adds "
        f"{counts['BN does not affect their number (mlp)']} and {counts['BN does not affect their number (cnn)']}.",
    )
    yield row(
        "3. The CNN is slightly more accurate; BN does not affect accuracy",
        f"**Yes; nearly.** By {of('accuracy', 'the CNN is better (without BN)', 2)} points without BN and "
        f"{of('accuracy', 'the CNN is better (with BN)', 2)} with it. BN adds "
        f"{of('accuracy', 'BN does not affect it (mlp)', 2)} and {of('accuracy', 'BN does not affect it (cnn)', 2)}: "
        "small, and not shown to be below the 0.2 points that count as none.",
    )
    more, same = "the MLP overfits more, at the last epoch (without BN)", "BN does not affect it, at the last epoch"
    yield row(
        "4. The MLP overfits, the CNN hardly; BN does not affect it",
        f"**Yes; nearly.** Training minus test accuracy is {of('overfitting', more, 2)} points larger in the MLP. BN "
        f"changes it by {of('overfitting', f'{same} (mlp)', 2)} there and {of('overfitting', f'{same} (cnn)', 2)} in "
        "the CNN.",
    )
    yield row("5. BN makes robust to bad initialization; little difference under a good one", "**Half:** see above.")


# ------------------------------------------------------------------ in words


def gained(model: str, init: str, response: Response = EPOCHS) -> str:
    return gain(judged("init-sweep")[model, "batch", init], response).removeprefix("+")


def ends(init: str, norm: str, digits: int = 1) -> list[str]:
    """Final accuracies of the MLP and the CNN."""
    return [f"{final('init-sweep', model=m, norm=norm, init=init):.{digits}f}" for m in ("mlp", "cnn")]


def readme() -> Iterator[str]:
    """What the README says in words."""
    small, large = "scaled-normal:0.001", "scaled-normal:10"
    yield f"saves the MLP {gained('mlp', 'default').replace(' [', ' epochs [')} on its way to 98 % test accuracy"
    yield f"and the CNN {gained('cnn', 'default')}."
    yield f"it saves {gained('mlp', small)} and {gained('cnn', small)}:"
    there = [reached("init-sweep", model=model, norm="none", init=small) for model in ("mlp", "cnn")]
    yield f"without BN {there[0]} of 10 MLPs and {there[1]} of 10 CNNs get there in 50 epochs"
    with_bn = responses.epochs_to_target(curves("init-sweep")).sel(norm="batch", init=small)
    assert int(with_bn.reached.sum()) == 20
    yield f"with it all 20 do, in {int(with_bn.epochs.max())} at most"
    for norm in ("none", "batch"):
        assert not any(reached("init-sweep", model=model, norm=norm, init=large) for model in ("mlp", "cnn"))
    with_bn, without = ends(large, "batch"), ends(large, "none")
    yield (f"those with BN end at {with_bn[0]} and {with_bn[1]} %, those without at {without[0]} and {without[1]} %")
    worth = max(100 * judged("init-sweep")[m, "batch", "constant:0.01"].responses[ACCURACY.name].effect
                for m in ("mlp", "cnn"))  # fmt: skip
    yield f"BN is worth {worth:.1f} points at most"
    yield f"it saves {gained('mlp', 'scaled-normal:1')} and {gained('cnn', 'scaled-normal:1')} epochs: hardly anything"
    points = [gained(model, "default", ACCURACY).partition(" ")[0] for model in ("mlp", "cnn")]
    yield f"BN gains {points[0]} points for the MLP and {points[1]} for the CNN"
    assert epochs("init-sweep", model="mlp", norm="batch", init="default") < 0.5 * epochs(
        "init-sweep", model="mlp", norm="none", init="default"
    )  # "it halves the MLP's epochs"
    yield f"The MLP with BN is {gained('mlp', 'zero-hidden').partition(' ')[0]} epochs *faster*"
    left = responses.final(curves("init-sweep"), "test_accuracy").sel(model="cnn", norm="batch", init="zero-hidden")
    assert int((left < 0.12).sum()) == 2  # "two of ten never leave chance"
    ten = {lr: [f"{final('learning-rate', model=m, init=large, lr=lr, norm='none'):.1f}" for m in ("mlp", "cnn")]
           for lr in (0.01, 0.001)}  # fmt: skip
    yield (
        f"plain networks that end at {ten[0.01][0]} and {ten[0.01][1]} % at rate 0.01 reach "
        f"{ten[0.001][0]} and {ten[0.001][1]} % at 0.001"
    )
    losses = responses.final(curves("baseline"), "test_loss").mean("seed").squeeze()
    yield f"ours are {float(losses.min()):.3f} to {float(losses.max()):.3f}"


def pair(init: str, response: Response = EPOCHS) -> list[str]:
    """The mean gains of the MLP and the CNN."""
    return [gained(model, init, response).partition(" ")[0] for model in ("mlp", "cnn")]


def same(model: str, init: str) -> bool:
    """Whether both responses are equivalent in both arms, by TOST at the study's margins."""
    dataset = curves("init-sweep").sel(model=model, init=init).squeeze()
    found = []
    for values, margin in (
        (responses.epochs_to_target(dataset).epochs, 2.0), (responses.final(dataset, "test_accuracy"), 0.002),
    ):  # fmt: skip
        difference = (values.sel(norm="batch") - values.sel(norm="none")).values.astype(float)
        found.append(bool(inference.equivalence(difference, margin) < 0.05))
    return all(found)


def findings() -> Iterator[str]:
    """What docs/findings.md says in words of initializations and of the baseline."""
    sweep_curves = curves("init-sweep")
    accuracy = (100 * responses.final(sweep_curves, "test_accuracy")).squeeze()
    verdicts = {labels: cell for labels, cell in judged("init-sweep").items() if cell.role == "poor"}
    assert {cell.verdict for cell in verdicts.values()} == {"both-fail", "helps-everywhere", "helps-more-when-poor"}
    large = [(m, init) for m in ("mlp", "cnn") for init in ("scaled-normal:10", "scaled-normal:100", "large-variance")]
    assert all(verdicts[m, "batch", init].verdict == "both-fail" for m, init in large)
    shown = [(m, init) for m, init in large if verdicts[m, "batch", init].responses[ACCURACY.name].effect_low > 0]
    assert shown == [large[0], large[1], large[2], large[3]]
    points = [100 * verdicts[m, "batch", init].responses[ACCURACY.name].effect for m, init in shown]
    yield f"in accuracy BN gains {min(points):.0f} to {max(points):.0f} points"
    zero = accuracy.sel(init="zero")
    assert zero.min() == zero.max()
    yield f"every accuracy is {float(zero.max()):.2f} % in both arms"
    yield f"the MLP gains {gained('mlp', 'default').replace(' [', ' epochs [')}"
    yield f"the gains are {gained('mlp', 'scaled-normal:1')} and {gained('cnn', 'scaled-normal:1')} epochs"
    assert [labels for labels in product(("mlp", "cnn"), ("default", "scaled-normal:1")) if same(*labels)] == [
        ("cnn", "scaled-normal:1")
    ]
    small, tenth = pair("scaled-normal:0.001"), pair("scaled-normal:0.1")
    yield f"{small[0]} and {tenth[0]} epochs (MLP), {small[1]} and {tenth[1]} (CNN)"
    dead = responses.diverged(sweep_curves).sel(init="scaled-normal:100", model="mlp").squeeze()
    assert dead.sum("seed").values.tolist() == [10, 0]  # "all ten MLPs without BN diverge"
    yield f"with BN they end at {ends('scaled-normal:100', 'batch')[0]} %"
    yield f"Wrong for the MLP ({pair('zero-hidden')[0]} epochs saved)"
    stuck = accuracy.sel(model="cnn", norm="batch", init="zero-hidden")
    assert int((stuck < 12).sum()) == 2
    yield f"Two CNNs of ten stay at {float(stuck.min()):.2f} %"
    moved = sweep_curves.weight_norm.sel(model="cnn", norm="batch", init="zero-hidden").squeeze()
    still = moved[stuck.values < 12]
    assert (still.max("epoch") - still.min("epoch") < 1e-6).all()  # "their weights never move at all"
    crossed = responses.epochs_to_target(sweep_curves).epochs.sel(model="cnn", init="zero-hidden").squeeze()
    saved = (crossed.sel(norm="none") - crossed.sel(norm="batch"))[stuck.values > 12]
    assert ((saved > 0).sum(), (saved == 0).sum(), saved.size) == (5, 3, 8)  # "five are sooner with it and none later"
    constant = [ends("constant:0.01", norm) for norm in ("none", "batch")]
    yield f"{constant[0][0]} and {constant[1][0]} % for the MLP"
    yield f"{constant[0][1]} and {constant[1][1]} % for the CNN"
    plain = accuracy.sel(model="mlp", norm="none", init="default")
    yield f"98 % is near where the MLP ends ({float(plain.mean()):.2f} % without BN)"
    never = accuracy.sel(model="mlp", norm="none", init="scaled-normal:0.01").min()
    yield f"one seed of ten at scaled-normal:0.01, which ends at {float(never):.2f} %, counts as never"
    free = [epochs("init-sweep", model="mlp", norm=norm, init="zero-hidden") for norm in ("batch", "none")]
    yield f"({free[0]:.1f} against {free[1]:.1f} epochs)"
    assert responses.epochs_to_target(curves("baseline")).reached.all()
    final_accuracy = responses.final(curves("baseline"), "test_accuracy").astype(float).round(7).squeeze()
    gains = 100 * (final_accuracy.sel(norm="batch") - final_accuracy.sel(norm="none")).mean("seed")
    yield f"by {float(gains[0]):.2f} (MLP) and {float(gains[1]):.2f} (CNN) points, less than 0.3"


# ------------------------------------------------------------------ learning rates


@cache
def at_selected() -> dict[tuple[str, str], Cell]:
    """The comparisons of the learning rates' study, each arm at the rate that validation selects; by model and init."""
    found, _ = select_lr(curves("learning-rate"))
    return {(labels[0], labels[4]): cell for labels, cell in cells(assess(found)).items()}


def selected() -> Iterator[str]:
    """A row a (model, init): what BN gains at each rate, and at the selected ones."""
    _, chosen = select_lr(curves("learning-rate"))
    for model, init in product(("mlp", "cnn"), curves("learning-rate").init.values.tolist()):
        fixed = [judged("learning-rate")[model, "batch", init, lr] for lr in (0.001, 0.01, 0.1)]
        there = at_selected()[model, init]
        both = "/".join(f"{float(chosen.sel(model=model, init=init, norm=n).squeeze()):g}" for n in ("none", "batch"))
        told = [gain(cell, ACCURACY) for cell in (*fixed, there)]
        saved = "–" if all(share == 1 for share in there.censored.values()) else gain(there, EPOCHS)
        yield row(f"{model.upper()} `{init}`", *told, saved, both)


def tuned() -> Iterator[str]:
    """What docs/findings.md says in words of learning rates."""

    def points(model: str, init: str, lr: float) -> str:
        return gain(judged("learning-rate")[model, "batch", init, lr], ACCURACY).removeprefix("+")

    def ending(model: str, init: str, lr: float, norm: str = "batch") -> str:
        return f"{final('learning-rate', model=model, init=init, lr=lr, norm=norm):.1f}"

    ten, hundredth = "scaled-normal:10", "scaled-normal:0.01"
    yield f"BN ends {points('mlp', 'default', 0.001)} (MLP) and {points('cnn', 'default', 0.001)} (CNN) points higher"
    yield f"{points('mlp', 'scaled-normal:1', 0.001)} and {points('cnn', 'scaled-normal:1', 0.001)}"
    steps = [f"{ending(model, ten, 0.01)} to {ending(model, ten, 0.1)} %" for model in ("mlp", "cnn")]
    yield f"the MLP gets from {steps[0]}, the CNN from {steps[1]}, one seed of eight at chance"
    there = responses.final(curves("learning-rate"), "test_accuracy").sel(model="cnn", norm="batch", init=ten, lr=0.1)
    assert int((there < 0.12).sum()) == 1
    yield f"ends at {ending('mlp', ten, 0.1)} %"
    yield f"at {ending('mlp', 'scaled-normal:1', 0.001)} %"
    best = [max(float(ending(model, ten, lr, "none")) for lr in (0.001, 0.01, 0.1)) for model in ("mlp", "cnn")]
    assert best == [float(ending(model, ten, 0.001, "none")) for model in ("mlp", "cnn")]
    yield f"the best end at {best[0]} (MLP) and {best[1]} % (CNN), at 0.001"
    for model in ("mlp", "cnn"):
        at, fixed = at_selected()[model, hundredth], judged("learning-rate")[model, "batch", hundredth, 0.01]
        yield f"{gain(at, EPOCHS).removeprefix('+')} against {gain(fixed, EPOCHS).removeprefix('+')} at 0.01"
    gains = [gain(at_selected()[model, "default"], ACCURACY).removeprefix("+") for model in ("mlp", "cnn")]
    yield f"BN ends {gains[0]} (MLP) and {gains[1]} (CNN) points higher at the selected rates"


def against_he() -> Iterator[str]:
    """What docs/findings.md says of another reference: verdicts nobody declared beforehand."""
    he, small = "scaled-normal:1", [f"scaled-normal:{scale}" for scale in ("0.001", "0.01", "0.1")]
    found = cells(assess(curves("init-sweep").assign_attrs(reference=he)))
    verdicts = {(labels[0], labels[4]): cell.verdict for labels, cell in found.items()}
    assert {verdicts["cnn", init] for init in small} == {"supported"}
    assert {verdicts["mlp", init] for init in small} == {"inconclusive"}
    yield f"{gained('mlp', he)} epochs is neither shown nor shown to be none"
    slow, fast = ([final("learning-rate", model=model, norm="none", init=he, lr=lr) for model in ("mlp", "cnn")]
                  for lr in (0.01, 0.1))  # fmt: skip
    lower = [one - other for one, other in zip(slow, fast, strict=True)]
    yield f"the plain MLP and CNN end {lower[0]:.1f} and {lower[1]:.1f} points lower"
    faster = epochs("learning-rate", model="cnn", norm="none", init=he, lr=0.1)
    assert faster < epochs("learning-rate", model="cnn", norm="none", init=he, lr=0.01)
    yield f"at rate 0.1 the plain CNN needs {faster:.1f} epochs"
    chosen, rates = select_lr(curves("learning-rate").assign_attrs(reference=he))
    assert (rates.sel(norm="batch", init=he) == 0.1).all()
    assert (rates.sel(norm="none", init=he) == 0.01).all()  # "ten times the rate"
    cell = {labels[0]: c for labels, c in cells(assess(chosen)).items() if labels[4] == "scaled-normal:0.01"}
    assert {one.verdict for one in cell.values()} == {"helps-more-when-poor"}
    left = [cell[model].responses[EPOCHS.name] for model in ("mlp", "cnn")]
    words = [f"{one.did:.1f} [{one.did_low:.1f}, {one.did_high:.1f}]" for one in left]
    yield f"{words[0]} and {words[1]} epochs"


def both() -> Iterator[str]:
    """What README and findings say of learning rates in the same words."""
    saved = {(m, i): gain(at_selected()[m, i], EPOCHS).removeprefix("+") for m in ("mlp", "cnn")
             for i in ("default", "scaled-normal:0.01", "scaled-normal:1")}  # fmt: skip
    for model in ("mlp", "cnn"):
        yield (f"the {model.upper()} {saved[model, 'scaled-normal:0.01']} epochs at scaled-normal:0.01 and "
               f"{saved[model, 'default']} at the default")  # fmt: skip
    yield f"it now saves {saved['mlp', 'scaled-normal:1']} and {saved['cnn', 'scaled-normal:1']} epochs"


def published() -> Iterator[str]:
    """What docs/findings.md sets beside published results."""
    ended = [
        final("init-sweep", model="mlp", norm="batch", init=f"scaled-normal:{s}") for s in ("0.001", "0.01", "0.1")
    ]
    assert max(ended) - min(ended) < 0.03
    yield "ends within 0.03 points for every scale from 0.001 to 0.1"
    slower = [epochs("init-sweep", model="mlp", norm="batch", init=f"scaled-normal:{s}") for s in ("0.1", "1")]
    yield f"{slower[0]:.1f} and {slower[1]:.1f} epochs at 0.1 and 1"
    plain = [epochs("init-sweep", model="cnn", norm="none", init=f"scaled-normal:{s}") for s in ("1", "0.1", "0.01")]
    longest = int(epochs("init-sweep", model="cnn", norm="none", init="scaled-normal:0.001"))
    yield f"{plain[0]:.1f} epochs at He's scale, {plain[1]:.1f}, {plain[2]:.1f} and over {longest}"


def sigmoid() -> Iterator[str]:
    """The network of Ioffe & Szegedy: a row an init."""
    for line in sweep_table(curves("sigmoid")).rows:
        cell = judged("sigmoid")[line[0], "batch", line[1]]
        yield row(f"`{line[1]}`", *line[5:7], *line[3:5], gain(cell, ACCURACY))


def main() -> None:
    for name, found in (
        ("summary", summary),
        ("answers", answers),
        ("README", readme),
        ("findings", findings),
        ("selected", selected),
        ("tuned", tuned),
        ("both", both),
        ("against He's", against_he),
        ("published", published),
        ("sigmoid", sigmoid),
        ("Table 2", lambda: markdown(report_table(curves("baseline")))),
        ("claims", lambda: markdown(claims_table(claims(curves("baseline")), curves("baseline")))),
        *((f"sweep {model}", lambda m=model: sweep(m)) for model in ("mlp", "cnn")),
        *((f"rates {model}", lambda m=model: rates(m)) for model in ("mlp", "cnn")),
        *((f"norms {what}", lambda w=what: norms(w)) for what in ("accuracy", "epochs")),
    ):  # fmt: skip
        try:
            print(name, *found(), sep="\n", end="\n\n")  # noqa: T201
        except InputError as error:
            print(name, error, sep="\n", end="\n\n")  # noqa: T201


if __name__ == "__main__":
    main()
