"""Runs trained once more, each alone: right ones are as near as rounding lets them be, wrong ones are found."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from bnstudy.cli.app import main
from bnstudy.storage.consolidation import consolidate, curves_dataset
from bnstudy.storage.store import Store
from bnstudy.study import registry
from bnstudy.study.errors import InputError
from bnstudy.study.study import Study
from bnstudy.training import ensembles
from bnstudy.training.replicas import Folded, Reference
from bnstudy.training.running import retraining
from bnstudy.training.running.execution import run
from bnstudy.training.running.retraining import retrain

SMALL = {"dataset": "digits", "train_size": 120, "hidden": "12,8", "channels": "2,3", "batch_size": 30, "epochs": 3}


def make(folder, **settings):
    run(Study.make({**SMALL, "seeds": 2, "inits": "default,scaled-normal:10", **settings}), folder)
    return folder


@pytest.fixture(scope="module")
def right(tmp_path_factory):
    return make(tmp_path_factory.mktemp("retraining") / "right")


def verify(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["verify", *map(str, arguments)])
    return int(ended.value.code)


def test_right_runs_are_the_same_or_alike(right, rng):
    found = retrain(right, 99, rng)
    assert len({one.run for one in found}) == len(found) == 16
    assert {one.verdict for one in found} <= {"same", "alike"}
    for one in found:
        assert one.rounding is not None
        assert one.apart.shape == one.points.shape == one.rounding.shape == (3,)
        assert one.apart[0] <= max(retraining.ALLOWED * one.rounding[0], retraining.FLOOR)
    assert any(one.apart.max() > 0 for one in found)  # another order of sums leaves its trace


def test_the_runs_are_drawn_at_random(right):
    drawn = [tuple(one.run for one in retrain(right, 2, np.random.default_rng(seed))) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("wrong", ["a mixing form", "another rate", "the mean of two replicas' gradients"])
def test_wrong_runs_are_far_from_the_first_epoch_on(wrong, tmp_path, monkeypatch, rng):
    """Whatever made them wrong; the tampered code is gone when they are trained again."""
    with monkeypatch.context() as patched:
        if wrong == "a mixing form":
            plain = Folded.__call__
            patched.setattr(Folded, "__call__", lambda self, *args: 0.9 * (y := plain(self, *args)) + 0.1 * y.mean(0))
            patched.setattr("bnstudy.training.replicas.choice.shown_equal", lambda forms, networks, trial: Folded)
        else:
            plain_step = ensembles.optimizer_step

            def stepped(study, runs, replicas, device):
                step = plain_step(study, runs, replicas, device)
                leaves = replicas.parts[0].leaves

                def changed():
                    for leaf in (leaf for leaf in leaves if leaf.grad is not None):
                        mixed = leaf.grad.mean(0, keepdim=True).expand_as(leaf).contiguous()
                        leaf.grad = 1.1 * leaf.grad if wrong == "another rate" else mixed
                    step()

                return changed

            patched.setattr(ensembles, "optimizer_step", stepped)
        make(tmp_path / "wrong", models="mlp", norms="none", inits="default,scaled-normal:0.5")
    found = retrain(tmp_path / "wrong", 4, rng)
    assert [one.verdict for one in found] == ["wrong"] * 4
    assert all(one.apart[0] > retraining.ALLOWED * one.rounding[0] for one in found)


def test_the_command_tells_it_line_by_line_and_as_json(right, capsys):
    assert verify(right, "--retrain", 2) == 0
    out = capsys.readouterr().out
    assert "every file is as it was written" in out
    assert out.count("seed") == 2
    assert verify(right, "--retrain", 3, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["files"] == []
    keys = {"run", "outcome", "note", "stored_from_reference", "reference_from_double", "test_accuracy_points"}
    assert [set(one) for one in told["retrained"]] == [keys] * 3


def test_the_command_ends_with_2_where_a_run_is_wrong(tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patched:
        entry = registry.optimizers["sgd"]
        faster = replace(entry, function=lambda p, lr, m, w: entry.function(p, 1.2 * lr, m, w))
        patched.setitem(registry.optimizers._entries, "sgd", faster)
        make(tmp_path / "wrong", models="mlp", norms="none", inits="default", seeds=1)
    assert verify(tmp_path / "wrong", "--retrain", 1) == 2
    captured = capsys.readouterr()
    assert "NOT what plain training gives" in captured.out
    assert "1 of the 1 runs trained again are not what is stored" in captured.err


@pytest.mark.parametrize("count", ["0", "-1", "x", "1.5", ""])
def test_a_wrong_count_is_refused(right, count, capsys):
    assert verify(right, "--retrain", count) == 2
    assert capsys.readouterr().err.startswith("bnstudy: --retrain: must be")


@pytest.mark.parametrize(("name", "before"), [("data_sha256", "0" * 64), ("plugins", "mine 3fa9c1e2b07d")])
def test_other_data_and_plugins_are_refused(name, before, right, monkeypatch, rng):
    computed = Store.computed_by
    monkeypatch.setattr(Store, "computed_by", lambda store: [one | {name: before} for one in computed(store)])
    monkeypatch.setattr(retraining.required_plugins, "digests", lambda study: "mine 77ab0c11d2f4")
    with pytest.raises(InputError, match=f"with other data or plugins than there are now .*{name}: {before[:12]}"):
        retrain(right, 1, rng)


@pytest.mark.parametrize(("apart", "rounding", "verdict"), [
    ([0, 0], [0.2, 1], "same"), ([1e-5, 0.1], [0.2, 1], "alike"), ([1e-3, 0.1], [1e-4, 1], "alike"),
    ([1e-2, 0.1], [1e-4, 1], "wrong"), ([1e-2, 0.1], [0.2, 1], "no telling"), ([3, 3], [0.2, 1], "no telling"),
    ([np.inf, np.inf], [np.inf, np.inf], "no telling"), ([np.inf, np.inf], None, "wrong"),
    ([np.nan, np.nan], [np.nan, np.nan], "same"),
])  # fmt: skip
def test_the_verdict_goes_by_the_first_epoch(apart, rounding, verdict):
    found = retraining.Retrained(None, np.array(apart), None if rounding is None else np.array(rounding), np.zeros(2))
    assert found.verdict == verdict


def test_an_unfinished_study_has_nothing_to_train_again(tmp_path, rng):
    consolidate(Store.create(tmp_path / "s", Study.make(SMALL), "cpu"))
    with pytest.raises(InputError, match="no run is finished yet"):
        retrain(tmp_path / "s", 1, rng)


def test_the_form_is_recorded(right):
    store = Store.open(right)
    entries = store.manifest()
    forms = {entry["form"] for entry in entries.values()}
    assert forms <= {"lanes", "folded"}
    assert curves_dataset(store).attrs["forms"].startswith("mlp, none: folded; mlp, batch: folded; cnn, none: ")
    assert Reference.name not in forms
