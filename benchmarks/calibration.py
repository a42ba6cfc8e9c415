"""How often the verdict's words are right: made-up studies with known truth, and studies drawn from the stored runs.

`make calibration` runs it (some minutes), and writes calibration.json, .svg and .png into docs/explanation.
What it found stands there in statistics.md. A number instead of all settings: that many studies each, printed alone.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.simulation import CONDITIONS, MARGIN, REFERENCE, SEEDS, SETTINGS, K, Setting, false_words
from bnstudy.analysis import verdict
from bnstudy.analysis.effects import effects, times_at_least
from bnstudy.analysis.figures import style
from bnstudy.analysis.results import Results
from numpy.typing import NDArray

Array = NDArray[np.float64]

ROOT = Path(__file__).resolve().parent.parent
STORED = ("init-sweep", "learning-rate", "norms", "sigmoid")
STUDIES, ALPHA, CLOSE = 4_000, 0.05, 0.045
SEED = 20261128
DIFFERENCE, SAMENESS = tuple(verdict.OF_DIFFERENCE), tuple(verdict.OF_SAMENESS)
GAINS = (0.3, 0.6, 1.0, 2.0)  # at the poor conditions, for power
NOISES = {"as stored": 0.12, "wide": 0.5}  # of a gain; stored cells that learn have 0.1 to 0.2 about
LOOKS = (10, 20, 30)


def words_of(scores: Array, alpha: float = ALPHA) -> NDArray[np.str_]:
    """The word of each poor condition: scores (studies, arm, condition, seed) to words (studies, condition)."""
    poor = np.arange(scores.shape[2]) != REFERENCE
    found = effects(scores[:, 0], scores[:, 1], REFERENCE, K, MARGIN)
    return verdict.words(verdict.adjusted(found, poor), poor, alpha)[:, 1:]


def false_share(words: NDArray[np.str_], wrong: dict[str, NDArray[np.bool_]], kinds: tuple[str, ...]) -> float:
    """Share of studies that hold a false word of these kinds, at any condition."""
    return float(np.any([(words == kind) & wrong[kind] for kind in kinds], 0).any(-1).mean())


def made_up(setting: Setting, seeds: int, conditions: int, studies: int) -> dict[str, Any]:
    """What is said of studies of one setting: shares of false words, of each word, and of intervals that hold."""
    rng = np.random.default_rng([SEED, list(SETTINGS).index(setting.name), seeds, conditions])
    truth, scores = setting.truth(conditions), setting.draw(rng, studies, seeds, conditions)
    words = words_of(scores)
    found = effects(scores[:, 0], scores[:, 1], REFERENCE, K, MARGIN)
    gain = _held(found.gain_low[:, 1:], found.gain_high[:, 1:], truth.gain)
    difference = _held(found.difference_low[:, 1:], found.difference_high[:, 1:], truth.difference)
    return {
        "setting": setting.name, "seeds": seeds, "conditions": conditions, "studies": studies,
        "false_difference": false_share(words, false_words(truth), DIFFERENCE),
        "false_sameness": false_share(words, false_words(truth), SAMENESS),
        "gain_covered": gain, "difference_covered": difference,
        **{word: float((words == word).mean()) for word in verdict.WORDS},
    }  # fmt: skip


def closely(setting: Setting, seeds: int, conditions: int, studies: int) -> dict[str, Any]:
    """The same; where chance alone could put a share on either side of 5 %, of ten times as many studies."""
    row = made_up(setting, seeds, conditions, studies)
    if max(row["false_difference"], row["false_sameness"]) <= CLOSE:
        return row
    return made_up(setting, seeds, conditions, 10 * studies)


def _held(low: Array, high: Array, truth: Array) -> float:
    """Share of intervals that hold the truth; NaN where there are none."""
    return float("nan") if np.isnan(low).all() else float(((low <= truth) & (truth <= high)).mean())


def bounds(studies: int) -> list[dict[str, Any]]:
    """How often "at least k times" is more than the true ratio, which is k = 2."""
    rows = []
    for name in ("edge-of-mainly", "edge-of-mainly-wide", "skewed-edge"):
        for seeds in SEEDS:
            rng = np.random.default_rng([SEED, 7, list(SETTINGS).index(name), seeds])
            scores = SETTINGS[name].draw(rng, studies, seeds, 1)
            bound = times_at_least(scores[:, 0], scores[:, 1], REFERENCE, ALPHA / 2)[:, 1]
            rows.append({"setting": name, "seeds": seeds, "beyond_the_truth": float((bound > K + 1e-9).mean())})
    return rows


# ------------------------------------------------------------------ studies drawn from the stored runs


def stored_families() -> Iterator[tuple[str, Array]]:
    """Every (study, model, setting, treated arm) that is stored, as its scores (arm, condition, seed)."""
    for name in STORED:
        results = Results.open(ROOT / "studies" / "data" / name)
        criteria, scores = results.criteria, results.scores.values
        order = [criteria.reference, *criteria.poor]
        for model in scores.model.values:
            for setting in scores.setting.values:
                for arm in scores.arm.values[scores.arm.values != criteria.control]:
                    of = scores.sel(model=model, setting=setting, arm=[criteria.control, arm], condition=order)
                    yield f"{name}, {model}, {setting or arm}", of.transpose("arm", "condition", "seed").values


def resampled(name: str, stored: Array, studies: int, swapped: bool) -> dict[str, Any]:
    """Studies of as many seeds drawn from stored ones; with `swapped` the arms of each pair by a fair coin."""
    rng = np.random.default_rng([SEED, 11, swapped, *map(ord, name)])
    seeds = stored.shape[-1]
    drawn = stored[:, :, rng.integers(seeds, size=(studies, seeds))].transpose(2, 0, 1, 3)
    if swapped:
        coin = rng.random((studies, drawn.shape[2], seeds)) < 0.5
        drawn = np.where(coin[:, None], drawn[:, ::-1], drawn)
    words = words_of(drawn)
    wrong = _false_of(stored, swapped)
    return {
        "family": name, "swapped": swapped, "seeds": seeds, "conditions": stored.shape[1] - 1,
        "false_difference": false_share(words, wrong, DIFFERENCE),
        "false_sameness": false_share(words, wrong, SAMENESS),
    }  # fmt: skip


def _false_of(stored: Array, swapped: bool) -> dict[str, NDArray[np.bool_]]:
    """Which words are false of the population that the stored seeds are: where no more than half of it is on the side.

    Of swapped arms a gain, and a difference from the reference's, is as likely above 0 as below.
    """
    gains = np.round(stored[0] - stored[1], 9)
    if swapped:
        gains = np.concatenate([gains, -gains], -1)
        # The reference's coin is another one: every sign of it with every sign of the condition's.
        poor = np.concatenate([gains[1:], gains[1:]], -1)
        n = stored.shape[-1]
        reference = np.concatenate([gains[:1, :n], gains[:1, :n], gains[:1, n:], gains[:1, n:]], -1)
    else:
        poor, reference = gains[1:], gains[:1]
    difference, excess = np.round(poor - reference, 9), np.round(poor - K * reference, 9)

    def most(values: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return np.asarray(values.mean(-1) > 0.5)

    helps, more, mainly = most(poor > 0), most(difference > 0), most(excess > 0)
    return {
        "mainly": ~(helps & more & mainly), "more": ~(helps & more), "harms": ~most(poor < 0),
        "less": ~most(difference < 0), "none": ~(most(poor < MARGIN) & most(poor > -MARGIN)),
        "alike": ~(most(difference < MARGIN) & most(difference > -MARGIN)),
    }  # fmt: skip


# ------------------------------------------------------------------ looks, and power


def looked(studies: int) -> list[dict[str, Any]]:
    """Seeds added after a look until a word of difference is found: undeclared, and with looks declared."""
    rows = []
    for conditions in CONDITIONS:
        for name in ("null-wide", "equal-wide", "reference-loses"):
            rng = np.random.default_rng([SEED, 13, conditions, list(SETTINGS).index(name)])
            setting = SETTINGS[name]
            scores = setting.draw(rng, studies, LOOKS[-1], conditions)
            wrong = false_words(setting.truth(conditions))
            row: dict[str, Any] = {"setting": name, "conditions": conditions}
            for kind, alpha in (("undeclared", ALPHA), ("declared", ALPHA / len(LOOKS))):
                ever = np.zeros(studies, bool)
                for look in LOOKS:
                    words = words_of(scores[..., :look], alpha)
                    ever |= np.any([(words == word) & wrong[word] for word in DIFFERENCE], 0).any(-1)
                row[kind] = float(ever.mean())
            rows.append(row)
    return rows


def powers(studies: int) -> list[dict[str, Any]]:
    """How often a poor condition with a gain, and none at the reference, is called *mainly*."""
    rows = []
    for label, noise in NOISES.items():
        for gain in GAINS:
            for seeds in SEEDS:
                rng = np.random.default_rng([SEED, 17, seeds, round(100 * gain), round(100 * noise)])
                gains = rng.normal(0, noise, (studies, 4, seeds))
                gains[:, 1:] += gain
                scores = np.stack([gains, np.zeros_like(gains)], 1)
                words = words_of(scores)
                rows.append({"noise": label, "gain": gain, "seeds": seeds, "conditions": 3,
                             "mainly": float((words == "mainly").mean())})  # fmt: skip
    return rows


# ------------------------------------------------------------------ all of it


def measure(studies: int = STUDIES) -> dict[str, Any]:
    """Everything that docs/explanation/statistics.md tells."""
    return {
        "studies": studies,
        "made_up": [closely(setting, seeds, conditions, studies) for setting in SETTINGS.values()
                    for conditions in CONDITIONS for seeds in SEEDS],
        "bounds": bounds(studies),
        "resampled": [resampled(name, stored, studies, swapped) for name, stored in stored_families()
                      for swapped in (False, True)],
        "looks": looked(studies),
        "power": powers(studies),
    }  # fmt: skip


def table(found: dict[str, Any]) -> list[str]:
    """The made-up settings as lines of docs/explanation/statistics.md: the worst of all seeds and conditions."""
    lines = []
    for name, setting in SETTINGS.items():
        rows = [row for row in found["made_up"] if row["setting"] == name]
        worst = (f"{100 * max(row[kind] for row in rows):.1f}" for kind in ("false_difference", "false_sameness"))
        covered = (f"{100 * _least(rows, kind):.1f}" for kind in ("gain_covered", "difference_covered"))
        lines.append(f"| `{name}` | {setting.about} | {' | '.join(worst)} | {' | '.join(covered)} |")
    return lines


def _least(rows: list[dict[str, Any]], kind: str) -> float:
    return min(row[kind] for row in rows if row[kind] is not None and row[kind] == row[kind])


def draw(found: dict[str, Any], path: Path) -> None:
    """False words by setting, and power, side by side."""
    with style.house_style():
        figure, axes = style.grid(1, 2, width=4.6, height=6.4)
        first, second = axes[0]
        names = list(SETTINGS)
        for position, (kind, label) in enumerate(
            (("false_difference", "of difference"), ("false_sameness", "of sameness"))
        ):
            look = {**style.arm_style(position), "linestyle": "none"}
            at = [names.index(row["setting"]) + 0.3 * (position - 0.5) for row in found["made_up"]]
            first.plot(
                [100 * row[kind] for row in found["made_up"]], at, label=f"a false word {label}", alpha=0.6, **look
            )
        first.axvline(5, color="black", linewidth=1)
        first.set_yticks(range(len(names)), names, fontsize=7)
        first.set_ylim(len(names) - 0.4, -0.6)
        first.set(title="studies that hold a false word", xlabel="% of studies", xlim=(-0.2, 8.5))
        first.legend(loc="upper right", fontsize=7.5)
        for position, gain in enumerate(GAINS):
            for label, line in (("as stored", "-"), ("wide", ":")):
                rows = [row for row in found["power"] if row["gain"] == gain and row["noise"] == label]
                told = f"gain {gain:g}" if label == "as stored" else None
                second.plot([row["seeds"] for row in rows], [100 * row["mainly"] for row in rows], label=told,
                            **{**style.arm_style(position), "linestyle": line})  # fmt: skip
        second.set(
            title="poor conditions rightly called mainly", xlabel="seeds", ylabel="% of conditions", ylim=(-3, 103)
        )
        second.set_xticks(SEEDS)
        second.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
        note = (f"{found['studies']} simulated studies a point; left: 1, 3 and 9 poor conditions with 7 to 30 seeds; "
                f"right: 3 poor conditions, gains of deviation {NOISES['as stored']:g} (lines) and {NOISES['wide']:g} "
                "(dotted)")  # fmt: skip
        style.finish(figure, None, "How often the verdict is right", note)
        style.save(figure, path)


def main() -> None:
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else STUDIES
    found = measure(studies)
    if studies == STUDIES:
        text = json.dumps(found, indent=None, separators=(",", ":")).replace("},{", "},\n{").replace("NaN", "null")
        (ROOT / "docs" / "explanation" / "calibration.json").write_text(text + "\n")
        draw(found, ROOT / "docs" / "explanation" / "calibration")
    print("\n".join(table(found)))
    for kind, rows in found.items():
        print(kind, rows if kind == "studies" else "")
        for row in rows if kind != "studies" else ():
            print(
                "  " + "  ".join(f"{value:.3f}" if isinstance(value, float) else f"{value}" for value in row.values())
            )


if __name__ == "__main__":
    main()
