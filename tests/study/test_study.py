"""Studies: what they accept, what they refuse and how they say so."""

from __future__ import annotations

import bnstudy
import pytest
from bnstudy.study import registry
from bnstudy.study.errors import InputError
from bnstudy.study.study import Study
from bnstudy.study.study_files import read_toml
from hypothesis import given, settings
from hypothesis import strategies as st

BAD = [
    ("models", "mpl", "did you mean 'mlp'"),
    ("norms", "bacth", "did you mean 'batch'"),
    ("inits", "zeroo", "did you mean 'zero'"),
    ("inits", "zero:3", "takes no value"),
    ("inits", "scaled-normal", "needs a value"),
    ("inits", "scaled-normal:0", "above 0"),
    ("inits", "normal:nan", "finite"),
    ("inits", "", "empty"),
    ("inits", [], "empty"),
    ("inits", "zero,,default", "between two commas"),
    ("optimizers", "sdg", "did you mean 'sgd'"),
    ("dataset", "mnits", "did you mean 'mnist'"),
    ("activation", "rleu", "did you mean 'relu'"),
    ("scales", "0", "above 0"),
    ("scales", "-1", "above 0"),
    ("scales", "inf", "above 0"),
    ("scales", "nan", "above 0"),
    ("scales", "", "above 0"),
    ("scales", "a", "above 0"),
    ("lr", "0", "greater than 0"),
    ("lr", "nan", "greater than 0"),
    ("lr", "x", "a number"),
    ("lr", True, "a list of values"),
    ("seeds", "0", "from 1"),
    ("seeds", "-3", "from 1"),
    ("seeds", "1,1", "twice"),
    ("seeds", "1,-1", "greater than or equal to 0"),
    ("seeds", "x", "whole numbers"),
    ("seeds", [], "empty"),
    ("scales", "0.01,", "one or more numbers"),
    ("inits", "zero,", "nothing after its last comma"),
    ("models", ",mlp", "nothing before its comma"),
    ("epochs", 0, "greater than or equal to 1"),
    ("epochs", "1.5", "a whole number"),
    ("epochs", True, "number"),
    ("epochs", 10**30, "100000"),
    ("batch_size", 1, "greater than or equal to 2"),
    ("batch_size", 100_000, "larger than the training set"),
    ("momentum", 1, "less than 1"),
    ("weight_decay", -0.1, "greater than or equal to 0"),
    ("train_size", 0, "greater than or equal to 1"),
    ("train_size", 60_001, "60000 training samples"),
    ("validation_size", 60_000, "must leave some"),
    ("target_accuracy", 0, "greater than 0"),
    ("target_accuracy", 1, "less than 1"),
    ("hidden", "0", "greater than or equal to 1"),
    ("channels", "2,2,2,2,2", "halved 4 times"),
    ("kernel_size", 4, "odd"),
    ("input_scaling", "x", "'standardize' or 'unit'"),
    ("init_scope", "x", "'all' or 'hidden'"),
    ("name", "../x", "letters"),
    ("roles", {"zero": "poor"}, "not a level"),
    ("roles", {"default": "good"}, "'well' or 'poor'"),
    ("reference", "zero", "not a level"),
    ("epocs", 3, "did you mean 'epochs'"),
]


@pytest.mark.parametrize(("key", "value", "message"), BAD)
def test_bad_values_name_their_key_in_one_line(key, value, message):
    with pytest.raises(InputError) as caught:
        Study.make({key: value})
    assert caught.value.key == key
    assert message in caught.value.problem
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_scales_follow_inits_and_are_written_as_percent_g():
    study = Study.make({"inits": "zero,default", "scales": "0.010,1,10,1e6"})
    scaled = ("scaled-normal:0.01", "scaled-normal:1", "scaled-normal:10", "scaled-normal:1e+06")
    assert study.inits == ("zero", "default", *scaled)
    assert Study.make({"scales": [1]}).inits == ("scaled-normal:1",)


@pytest.mark.parametrize(
    ("settings", "key", "levels"),
    [
        ({"inits": "default,zero,default"}, "inits", ("default", "zero")),
        ({"inits": "large-variance,large-variance:1"}, "inits", ("large-variance",)),
        ({"inits": "scaled-normal:1,zero", "scales": "0.1,1,0.10"}, "inits",
         ("scaled-normal:1", "zero", "scaled-normal:0.1")),
        ({"models": "mlp,mlp"}, "models", ("mlp",)),
        ({"lr": "0.1,1e-1,0.01"}, "lr", (0.1, 0.01)),
        ({"batch_size": [20, 20]}, "batch_size", (20,)),
    ],
)  # fmt: skip
def test_a_level_that_is_given_twice_is_there_once(settings, key, levels):
    assert getattr(Study.make(settings), key) == levels


def test_inits_over_a_file_are_all_there_are_and_scales_stand_for_its_scales(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(
        'inits = ["default", "zero"]\nscales = [0.01]\n'
        'predictions = [{ text = "so", expect = { condition = "scaled-normal:0.01", sign = "gain" } }]\n'
    )
    assert Study.load(path, inits="xavier").inits == ("xavier",)
    assert Study.load(path, inits="xavier").predictions == ()
    assert Study.load(path, scales="10").inits == ("default", "zero", "scaled-normal:10")
    assert Study.load(path, inits="xavier", scales="10").inits == ("xavier", "scaled-normal:10")


def test_canonical_spellings():
    assert Study.make({"inits": "large-variance:1,orthogonal:1.0,normal:0.10"}).inits == (
        "large-variance",
        "orthogonal",
        "normal:0.1",
    )


@pytest.mark.parametrize(
    ("given_seeds", "expected"), [(3, (0, 1, 2)), ("3", (0, 1, 2)), ("0,3,7", (0, 3, 7)), ("5,", (5,)), ([4], (4,))]
)
def test_seeds_are_a_count_or_a_list(given_seeds, expected):
    assert Study.make({"seeds": given_seeds}).seeds == expected


def test_roles_and_reference_are_spelled_out():
    study = Study.make({"inits": "zero,xavier", "scales": "0.1,1", "roles": {"scaled-normal:1": "poor"}})
    assert study.roles == {
        "zero": "poor",
        "xavier": "well",
        "scaled-normal:0.1": "poor",
        "scaled-normal:1": "poor",
    }
    assert study.reference == "xavier"
    assert Study.make({"inits": "zero"}).reference == ""


def test_toml_round_trip(tmp_path):
    study = Study.make({"inits": "zero,default", "scales": "0.01,10", "seeds": "3,1", "question": 'Why "so"?\n$x'})
    (tmp_path / "study.toml").write_text(study.to_toml())
    again = Study.load(tmp_path / "study.toml")
    assert again == study
    assert again.digest == study.digest


def test_overrides_lie_over_the_file(tmp_path):
    (tmp_path / "s.toml").write_text("epochs = 3\nseeds = 4")
    assert Study.load(tmp_path / "s.toml", seeds="2", models="mlp").n_runs == 4


CHANGES = {
    "name": "x", "title": "x", "question": "x", "predictions": ["x"], "models": "mlp", "norms": "none",
    "inits": "zero", "optimizers": "adam", "lr": 0.1, "seeds": 3, "dataset": "kmnist", "input_scaling": "unit",
    "train_size": 500, "validation_size": 5, "hidden": "3", "channels": "3", "kernel_size": 5, "activation": "tanh",
    "init_scope": "hidden", "norm_eps": 1e-3, "norm_momentum": 0.2, "diagnostics": True, "mechanism": True,
    "epochs": 3, "batch_size": 7, "momentum": 0.1, "weight_decay": 0.1,
    "target_accuracy": 0.5, "alpha": 0.01, "equivalence_epochs": 1.0, "equivalence_accuracy": 0.1,
    "roles": {"default": "poor"}, "reference": "default", "treatment": "model", "control": "batch", "condition": "lr",
    "mainly_times": 3, "margin": 0.2, "looks": "5,10",
}  # fmt: skip


def test_every_key_changes_the_digest():
    assert set(CHANGES) == set(Study.model_fields)
    beside = {  # what some of them take
        "reference": {"inits": "zero,xavier,default"}, "treatment": {"models": "mlp"},
    }  # fmt: skip
    for key, value in CHANGES.items():
        plain = Study.make({"inits": "zero,default", **beside.get(key, {})})
        changed = Study.make({"inits": "zero,default", **beside.get(key, {}), key: value})
        assert changed.digest != plain.digest, key
        assert key in plain.differences(changed)


def test_runs_count_and_order():
    study = Study.make({"inits": "zero,default", "lr": "0.1,0.01", "seeds": 3})
    runs = list(study.runs())
    assert len(runs) == len(set(runs)) == study.n_runs == study.n_cells * 3 == 2 * 2 * 2 * 2 * 3
    assert [run.seed for run in runs[:3]] == [0, 1, 2]


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"epochs = ", b"\xff\xfe", b"[" * 5000, b"epochs = [[["])
def test_unreadable_files(tmp_path, content):
    path = tmp_path / "s.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"s\.toml"):
        read_toml(path)


def test_a_missing_file_and_a_folder(tmp_path):
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(InputError, match=str(path)):
            read_toml(path)


def test_a_study_that_comes_with_it_is_loaded_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Study.load("norms", seeds=2).name == "norms"
    (tmp_path / "norms").write_text("name = 'mine'")
    assert Study.load("norms").name == "mine"


@pytest.mark.parametrize(("given", "told"), [
    ("studies/norms.toml", r"not a str; of a study file it is bnstudy.Study.load\('studies/norms.toml'\)"),
    ({"dataset": "digits"}, "takes a Study, not a dict; make one of these values with bnstudy.Study.make"),
    (None, "takes a Study, not a NoneType"),
])  # fmt: skip
def test_what_is_no_study_is_refused(given, told):
    for take in (bnstudy.run, bnstudy.make_plan):
        with pytest.raises(InputError, match=told):
            take(given)


def test_a_file_is_not_made_but_loaded():
    with pytest.raises(InputError, match=r"takes keys and values.* bnstudy.Study.load\('norms.toml'\)"):
        Study.make("norms.toml")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([*Study.model_fields, "scales"]) | st.text(max_size=8), VALUES, max_size=4))
def test_whatever_is_asked_the_answer_is_a_study_or_one_line(values):
    study = attempt(values)
    assert study is None or Study.make(study.model_dump(mode="json")) == study


def attempt(values) -> Study | None:
    """The study, or None if it was refused in one line; anything else is raised."""
    try:
        return Study.make(values)
    except InputError as error:
        if "\n" in error.problem.strip():
            raise
        return None


@pytest.mark.parametrize(("text", "widths"), [("64x3", (64,) * 3), ("256, 8x2", (256, 8, 8)), ([5, "4x2"], (5, 4, 4))])
def test_equal_widths_may_be_counted(text, widths):
    assert Study.make({"hidden": text}).hidden == widths


@pytest.mark.parametrize("wrong", ["64x", "x8", "0x4", "64x0", "8x9999999", "64y8"])
def test_widths_that_are_none(wrong):
    with pytest.raises(InputError, match="hidden: must be"):
        Study.make({"hidden": wrong})


@pytest.mark.parametrize(
    ("key", "wrong", "right"),
    [
        ("lr", "1e-50", "1e-20"),
        ("lr", "0.1,1e-21", "0.1,1e-10"),
        ("lr", "1e39", "1e38"),
        ("weight_decay", "1e-30", "0"),
        ("weight_decay", "1e39", "1e-20"),
        ("norm_eps", "1e-45", "1e-30"),
        ("norm_momentum", "1e-50", "1"),
        ("momentum", "1e-300", "0"),
        ("momentum", "0.9999999999", "0.999999"),
        ("target_accuracy", "0.9999999999", "0.999999"),
        ("inits", "scaled-normal:1e-50", "scaled-normal:1e-30"),
        ("inits", "constant:-1e-60", "constant:0"),
        ("inits", "constant:1e39", "constant:1e38"),
        ("scales", "1,1e-50", "1,1e-30"),
        ("scales", "1e300", "1e30"),
    ],
)
def test_what_single_precision_makes_nothing_or_infinite_is_refused(key, wrong, right):
    Study.make({"dataset": "digits", key: right})
    with pytest.raises(InputError) as caught:
        Study.make({"dataset": "digits", key: wrong})
    assert caught.value.key == key
    assert "in single precision" in str(caught.value)


@pytest.mark.parametrize("role", ["good", None, lambda value: "fine"])
def test_a_role_that_no_study_knows_is_refused(register, role):
    register(registry.initializers, "odd", role=role)(lambda layer, value: None)
    with pytest.raises(InputError, match="'odd' is registered with the role "):
        Study.make({"inits": "odd"})
