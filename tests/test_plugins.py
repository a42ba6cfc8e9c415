"""Plugins: every example of docs/howto is run, workers load them, and what is wrong with one is told in a line."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from bnstudy.storage import checksummed_json
from bnstudy.storage.merging import merge
from bnstudy.storage.store import Store
from bnstudy.storage.verification import verify
from bnstudy.study import registry
from bnstudy.study.errors import InputError
from bnstudy.study.study import Study
from bnstudy.training.datasets import own_data
from bnstudy.training.networks import blocks
from bnstudy.training.replicas import Folded
from bnstudy.training.running import workers
from bnstudy.training.running.execution import run
from bnstudy.training.running.workers import Setup, UnfitError
from torch import nn

from tests import commands
from tests.conftest import ROOT
from tests.training.replicas.test_replicas import chosen

PAGES = {
    "two_point": "own-initializer", "my_resnet": "own-model", "my_norm": "own-treatment", "my_data": "own-data",
    "my_optimizer": "adding/optimizer", "my_figure": "adding/figure",
}  # fmt: skip
MODULES = {}
for name, page in PAGES.items():
    text = (ROOT / "docs" / "howto" / f"{page}.md").read_text()
    (MODULES[name],) = re.findall(r"```python\n(.*?)```", text, re.S)
SMALL = ("--seeds", "2", "--epochs", "1", "--quiet", "--batch-size", "30")


def bnstudy(folder, *arguments: str):
    for name, code in MODULES.items():
        (folder / f"{name}.py").write_text(code)
    return commands.bnstudy(folder, *arguments, environment=os.environ | {"PYTHONPATH": str(ROOT)})


def test_the_initializer_in_ten_lines(tmp_path):
    assert MODULES["two_point"].count("\n") <= 10
    arguments = ("baseline", "--dataset", "digits", "--models", "mlp", "--inits", "default,two-point:0.1", *SMALL)
    found = bnstudy(tmp_path, "--plugin", "two_point", *arguments, "--jobs", "1")
    assert (found.returncode, found.stderr) == (0, "")
    with xr.open_dataset(tmp_path / "results" / "baseline" / "curves.nc") as dataset:
        assert dataset.init.values.tolist() == ["default", "two-point:0.1"]
        assert dataset.init_role.values.tolist() == ["well", "poor"]
        weights = 64 * 256 + 256 * 128 + 128 * 10
        norms = dataset.weight_norm.sel(init="two-point:0.1", norm="none")
        assert float(norms.max()) == pytest.approx(0.1 * weights**0.5, rel=0.1)
    # The study is there for whoever has the plugin, and tells others what they lack.
    found = bnstudy(tmp_path, "status", "results/baseline")
    assert (found.returncode, found.stderr.count("\n")) == (2, 1)
    assert found.stderr.endswith("its study needs the plugin two_point; add --plugin two_point\n")
    assert bnstudy(tmp_path, "analyze", "results/baseline").returncode == 0


@pytest.mark.slow
def test_what_other_code_of_a_plugin_computed_is_not_mixed(tmp_path):
    arguments = ("--plugin", "edited", "baseline", "--dataset", "digits", "--models", "mlp", "--inits", "two-point:0.1",
                 *SMALL, "--jobs", "1")  # fmt: skip
    (tmp_path / "edited.py").write_text("import helper\n" + MODULES["two_point"])
    for shard, code in (("1/2", ""), ("2/2", "# edited\n")):
        (tmp_path / "helper.py").write_text(code)
        assert bnstudy(tmp_path, *arguments, "--shard", shard).returncode == 0
    one, other = (f"results/baseline.shards/{k}-of-2" for k in (1, 2))
    told = re.compile(r"\(plugins: edited \w{12} before, edited \w{12} now\)")
    found = bnstudy(tmp_path, "merge", one, other, "--out", "whole", "--plugin", "edited")
    assert (found.returncode, bool(told.search(found.stderr))) == (2, True)
    assert not (tmp_path / "whole").exists()


def test_a_finished_study_says_that_its_plugin_has_changed_since(tmp_path):
    arguments = ("--plugin", "edited", "baseline", "--dataset", "digits", "--models", "mlp", "--inits", "two-point:0.1",
                 *SMALL, "--jobs", "1")  # fmt: skip
    (tmp_path / "edited.py").write_text(MODULES["two_point"])
    for _ in range(2):
        found = bnstudy(tmp_path, *arguments)
        assert (found.returncode, found.stderr) == (0, "")
    (tmp_path / "edited.py").write_text(MODULES["two_point"] + "# edited\n")
    found = bnstudy(tmp_path, *arguments)
    assert (found.returncode, found.stderr.count("\n")) == (0, 1)
    assert re.search(r"has changed since \(plugins: edited \w{12} before, edited \w{12} now\).* --out ", found.stderr)


def test_what_was_sealed_is_the_code_too(tmp_path):
    arguments = ("--plugin", "edited", "--dataset", "digits", "--models", "mlp", "--inits", "default,two-point:0.1",
                 "--seeds", "2", "--epochs", "1", "--out", "sealed")  # fmt: skip
    (tmp_path / "edited.py").write_text(MODULES["two_point"])
    found = bnstudy(tmp_path, "preregister", "baseline", *arguments)
    assert found.returncode == 0, found.stderr
    assert re.search(r"sealed with it: edited \w{12}\n", found.stdout)
    (tmp_path / "edited.py").write_text(MODULES["two_point"] + "# edited\n")
    found = bnstudy(tmp_path, "baseline", *arguments, "--quiet", "--jobs", "1")
    told = r"not what was sealed on 20[^ ]*: edited \(\w{12} then, \w{12} now\)"
    assert (found.returncode, found.stderr.count("\n")) == (0, 1)
    assert re.search(told, found.stderr)
    found = bnstudy(tmp_path, "analyze", "sealed", "--json")
    (note,) = [note for note in json.loads(found.stdout)["warnings"] if "sealed" in note]
    assert re.fullmatch(told, note)


PRINTS = """print("loaded")
from bnstudy.plugins import models
from torch import nn
class Net(nn.Linear):
    def forward(self, x):
        print("forward")
        return super().forward(x.flatten(1))
@models.register("prints", label="prints")
def prints(inputs, classes, blocks):
    return nn.Sequential(blocks.swap_norms(nn.Sequential(nn.BatchNorm2d(1))), Net(64, classes))
"""


def test_what_a_plugin_prints_is_not_the_answer(tmp_path):
    (tmp_path / "p_prints.py").write_text(PRINTS)
    asked = ("baseline", "--dataset", "digits", "--models", "prints", "--seeds", "2", "--epochs", "1",
             "--plugin", "p_prints")  # fmt: skip
    found = bnstudy(tmp_path, "plan", *asked, "--json")
    assert json.loads(found.stdout)["runs"] == 4
    assert {"loaded", "forward"} <= set(found.stderr.splitlines())
    found = bnstudy(tmp_path, *asked, "--quiet", "--jobs", "2")
    assert (found.returncode, found.stdout) == (0, "")
    assert "forward" in found.stderr


def test_of_what_does_not_say_what_it_is_the_plugin_is_told(tmp_path):
    registered = "@models.register('terse', label='Terse')\ndef terse(inputs, classes, blocks): ...\n"
    (tmp_path / "terse_models.py").write_text(f"from bnstudy.plugins import models\n{registered}")
    found = bnstudy(tmp_path, "list", "models", "--plugin", "terse_models")
    assert "of terse_models, which does not say what it is" in " ".join(found.stdout.split())


def test_what_is_wrong_with_data_points_to_data(tmp_path):
    wrong = "from bnstudy.plugins import register_arrays\nregister_arrays('mine', [[0]], [0], [[0]], [0])\n"
    (tmp_path / "wrong_data.py").write_text(wrong)
    found = bnstudy(tmp_path, "list", "datasets", "--plugin", "wrong_data")
    assert found.stderr.endswith("(`bnstudy explain own-data` says more)\n")


RESNET = ("baseline", "--dataset", "tints", "--models", "resnet18", "--norms", "none,batch", "--plugin", "my_data",
          "--plugin", "my_resnet")  # fmt: skip


@pytest.mark.slow
def test_resnet_18_is_planned(tmp_path):
    found = bnstudy(tmp_path, *RESNET, "--dry-run")
    assert (found.returncode, found.stderr) == (0, "")
    assert "resnet18" in found.stdout


@pytest.mark.slow
def test_the_command_beside_resnet_18_takes_digits_of_one_channel(tmp_path):
    page = (ROOT / "docs" / "howto" / "own-model.md").read_text()
    command = re.findall(r"```bash\nbnstudy (.*?)\n```", page)[0]
    found = bnstudy(tmp_path, *command.split())
    assert (found.returncode, found.stderr) == (0, "")
    assert "resnet18" in found.stdout


@pytest.mark.slow
def test_resnet_18_on_pictures_of_cifars_shape(tmp_path):
    small = ("--seeds", "1", "--epochs", "1", "--batch-size", "30", "--train-size", "60", "--quiet", "--jobs", "1")
    found = bnstudy(tmp_path, *RESNET, *small)
    assert (found.returncode, found.stderr) == (0, "")
    with xr.open_dataset(tmp_path / "results" / "baseline" / "curves.nc") as dataset:
        assert dataset.sizes["norm"] == 2
        assert dataset.test_loss.notnull().all()
        counts = dataset.n_parameters.squeeze("model")
        assert int(counts.sel(norm="batch") - counts.sel(norm="none")) == 2 * 4800  # two for each normalized channel


def test_the_norm(tmp_path):
    arguments = ("baseline", "--dataset", "digits", "--models", "cnn", "--norms", "none,local-response", *SMALL)
    assert bnstudy(tmp_path, *arguments, "--jobs", "1", "--plugin", "my_norm").returncode == 0
    found = bnstudy(tmp_path, "list", "norms", "--plugin", "my_norm")
    assert "local-response" in found.stdout


def test_the_optimizer_and_the_figure(tmp_path):
    arguments = ("baseline", "--dataset", "digits", "--models", "mlp", "--optimizers", "sgd,halving-sgd", "--jobs", "1")
    found = bnstudy(tmp_path, *arguments, *SMALL, "--plugin", "my_optimizer")
    assert (found.returncode, found.stderr) == (0, "")
    with xr.open_dataset(tmp_path / "results" / "baseline" / "curves.nc") as dataset:
        halving, plain = (dataset.train_loss.sel(optimizer=name).values for name in ("halving-sgd", "sgd"))
        assert np.array_equal(halving, plain)  # of fewer than a thousand steps
    found = bnstudy(tmp_path, "figures", "results/baseline", "--only", "seconds", "--plugin", "my_figure")
    assert (found.returncode, found.stderr) == (0, "")
    assert (tmp_path / "figures" / "baseline" / "seconds.svg").stat().st_size > 2000


WRONG = {
    "no_such_module": ("", "there is no such module"),
    "broken": ("\nx = (", "SyntaxError: '(' was never closed (line 2 of "),
    "no_data": ("\nfrom bnstudy.plugins import register_npz\nregister_npz('x', 'no.npz')", "(line 3 of "),
    "raising": ("\n\nraise RuntimeError('no')", "RuntimeError: no (line 3 of "),
    "leaving": ("import sys; sys.exit(7)", "SystemExit: 7 (line 1 of "),
    "wanting": ("import not_there_either", "not_there_either"),
    "taking": (
        "from bnstudy.study.registry import norms\nnorms.register('batch', label='x')(print)",
        "already registered by",
    ),
    "json": ("x = 1", "'json' is another module ("),
    "a,b": ("", "names one module, not 'a,b'; repeat --plugin for each"),
    "mine.py": ("", "must be the name of a module, 'mine', not of its file"),
    "uncallable": (
        "from bnstudy.plugins import norms\nnorms.register('x', label='x')(5)",
        "which is no function (line 2",
    ),
    "no name": ("", "must be the name of a module"),
    "": ("", "must be the name of a module"),
    "../x": ("", "must be the name of a module"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_plugin_is_told_in_one_line(tmp_path, name):
    code, wanted = WRONG[name]
    if code:
        (tmp_path / f"{name}.py").write_text(code)
    found = bnstudy(tmp_path, "list", "norms", "--plugin", name)
    assert (found.returncode, found.stdout, found.stderr.count("\n")) == (2, "", 1)
    assert found.stderr.startswith("bnstudy: --plugin: ")
    assert wanted in found.stderr


def test_a_study_file_cannot_name_a_plugin(tmp_path):
    (tmp_path / "s.toml").write_text("plugins = ['two_point']\n")
    assert bnstudy(tmp_path, "plan", "s.toml").returncode == 2


# ------------------------------------------------------------------ norms swapped in a network


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(144, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 10))

    def forward(self, x):
        return self.head(self.body(x))


@pytest.mark.parametrize(("norm", "kinds"), [
    ("none", (nn.Identity, nn.Identity)), ("batch", (nn.BatchNorm2d, nn.BatchNorm1d)),
    ("layer", (nn.GroupNorm, nn.GroupNorm)),
])  # fmt: skip
def test_norms_take_the_batch_norms_places(norm, kinds, digits):
    network, other = (blocks.Blocks(norm, norm_eps=0.01).swap_norms(Net()) for _ in range(2))
    assert (type(network.body[1]), type(network.head[2])) == kinds
    if norm != "none":
        assert network.body[1].eps == network.head[2].eps == 0.01
    assert type(chosen([network, other], digits.train[0][:9])) is Folded


def test_what_cannot_be_swapped_is_refused():
    with pytest.raises(InputError, match="cannot take the place"):
        blocks.Blocks("batch-after").swap_norms(Net())
    with pytest.raises(InputError, match="no batch norm"):
        blocks.Blocks("none").swap_norms(nn.Linear(2, 2))


# ------------------------------------------------------------------ data


@pytest.fixture
def forget():
    """Names registered in a test are gone after it."""
    before = set(registry.datasets)
    yield
    for name in set(registry.datasets) - before:
        del registry.datasets._entries[name]


def pictures(count: int, channels: int | None = None) -> np.ndarray:
    shape = (count, 8, 6) if channels is None else (count, channels, 8, 6)
    return np.random.default_rng(count).integers(0, 256, shape, dtype=np.uint8)


def load(name: str):
    from bnstudy.training.datasets import data

    return data.load(Study.make({"dataset": name, "input_scaling": "unit", "models": "mlp", "batch_size": 4}))


@pytest.mark.usefixtures("forget")
def test_a_study_is_not_resumed_with_other_data(tmp_path):
    study = {"dataset": "own", "models": "mlp", "norms": "none", "inits": "default,zero", "batch_size": 4, "epochs": 1}
    labels = np.arange(12) % 3
    own_data.register_arrays("own", pictures(12), labels, pictures(5), labels[:5])
    stored = run(Study.make(study), tmp_path / "s")
    assert stored.attrs["data_sha256"] == load("own").digest
    store = Store.open(tmp_path / "s")
    assert store.computed_by()[0]["plugins"] == stored.attrs["plugins"] != ""
    store.path(store.plan[0]).unlink()
    del registry.datasets._entries["own"]
    own_data.register_arrays("own", pictures(12), labels[::-1].copy(), pictures(5), labels[:5])
    with pytest.raises(
        InputError, match=r"computed in part by something else \(data_sha256: \w{12} before, \w{12} now"
    ):
        run(Study.make(study), tmp_path / "s")


@pytest.mark.usefixtures("forget")
def test_a_worker_with_another_version_of_the_data_or_a_plugin_says_so():
    labels = np.arange(12) % 3
    own_data.register_arrays("own", pictures(12), labels, pictures(5), labels[:5])
    study = Study.make({"dataset": "own", "models": "mlp", "batch_size": 4})
    setup = Setup.of(study, None, "cpu", data_sha256=load("own").digest)
    assert setup.study() == study
    assert __name__ in setup.modules
    assert workers.load(setup).digest == setup.data_sha256
    for change, told in (
        ({"code": f"{__name__} 0"}, rf"loaded another version of plugin {__name__}; restart them"),
        ({"registered_data": "0"}, "loaded another version of the data set own; restart them"),
        ({"data_sha256": "0"}, "read other data than there were at the start"),
        ({"modules": ("not_there",)}, "workers cannot train this study: plugin: 'not_there' cannot be imported"),
    ):
        with pytest.raises(UnfitError, match=told):
            workers.load(replace(setup, **change))


@pytest.mark.parametrize("names", [["no such; thing"], ["a\nb"], [5], "ab", {"a": 1}, ["script ../x/y"]])
def test_a_plan_names_plugins_or_is_damaged(tmp_path, names):
    """It may come from anybody, and what it names is told as something to type."""
    Store.create(tmp_path / "s", Study.make({"dataset": "digits"}), "cpu")
    plan = checksummed_json.unseal((tmp_path / "s" / "plan.json").read_text())
    plan["study"]["inits"], plan["plugins"] = ["unheard-of"], names
    (tmp_path / "s" / "plan.json").write_text(checksummed_json.seal(plan))
    with pytest.raises(InputError, match=r"damaged") as told:
        Store.open(tmp_path / "s")
    assert "--plugin" not in str(told.value)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["a", "b.c"], r"its study needs the plugins a and b\.c; add --plugin a --plugin b\.c$"),
        (["script x.py"], "needs what the script x.py registered; open it from Python there"),
        (["notebook"], "needs what a notebook registered; open it from Python there"),
    ],
)
def test_a_study_folder_says_which_plugins_it_needs(tmp_path, names, told):
    Store.create(tmp_path / "s", Study.make({"dataset": "digits"}), "cpu")
    plan = checksummed_json.unseal((tmp_path / "s" / "plan.json").read_text())
    assert plan["plugins"] == []
    plan["study"]["inits"], plan["plugins"] = ["unheard-of"], names
    (tmp_path / "s" / "plan.json").write_text(checksummed_json.seal(plan))
    for command in (Store.open, verify, lambda folder: merge([folder], tmp_path / "t")):
        with pytest.raises(InputError, match=told):
            command(tmp_path / "s")
    assert not (tmp_path / "t").exists()


@pytest.mark.usefixtures("forget")
def test_arrays_become_data(tmp_path):
    train, test = pictures(12), pictures(5)
    own_data.register_arrays("own", train, np.arange(12) % 3, test, np.arange(5) % 3)
    loaded = load("own")
    np.testing.assert_allclose(loaded.train[0], train[:, None] / 255, rtol=1e-6)
    assert loaded.classes == 3
    np.savez(tmp_path / "a.npz", train_images=train, train_labels=np.arange(12) % 3, test_images=test,
             test_labels=np.arange(5) % 3)  # fmt: skip
    own_data.register_npz("own2", tmp_path / "a.npz")
    assert load("own2").digest == loaded.digest


@pytest.mark.usefixtures("forget")
def test_a_folder_of_images_becomes_data(tmp_path):
    from PIL import Image

    images = pictures(8, 3)
    for i, picture in enumerate(images):
        path = tmp_path / ("train" if i < 6 else "test") / ("cat" if i % 2 else "ape") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.transpose(1, 2, 0)).save(path)
    own_data.register_image_folder("animals", tmp_path, size=(8, 6))
    loaded = load("animals")
    np.testing.assert_allclose(loaded.train[0], images[[0, 2, 4, 1, 3, 5]] / 255, rtol=1e-6)
    assert loaded.train[1].tolist() == [0, 0, 0, 1, 1, 1]
    assert loaded.shape == (3, 8, 6)
    (tmp_path / "test" / "ape" / "x.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"x\.png: cannot be read as an image"):
        load("animals")


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"train_images": np.zeros((12, 8))}, "must be \\(n, height, width\\)"),
        ({"test_images": pictures(5, 3)}, "differ in shape"),
        ({"train_labels": np.zeros(11, int)}, "train_labels must be 12 whole numbers"),
        ({"train_labels": np.full(12, -1)}, "train_labels must be 12 whole numbers"),
        ({"test_labels": np.zeros(5)}, "test_labels must be 5 whole numbers"),
        ({"train_images": np.full((12, 8, 6), np.nan)}, "not finite"),
    ],
)
def test_wrong_arrays_are_refused(change, wanted):
    good = {"train_images": pictures(12), "train_labels": np.arange(12) % 3, "test_images": pictures(5),
            "test_labels": np.arange(5) % 3}  # fmt: skip
    with pytest.raises(InputError, match=wanted):
        own_data.register_arrays("own", **{**good, **change})


def test_wrong_files_are_refused(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"no")
    with pytest.raises(InputError, match=r"a\.npz: cannot be read"):
        own_data.register_npz("own", tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", train_images=np.zeros(3))
    with pytest.raises(InputError, match=r"b\.npz: holds no train_labels"):
        own_data.register_npz("own", tmp_path / "b.npz")
    with pytest.raises(InputError, match="no folder of images"):
        own_data.register_image_folder("own", tmp_path, size=(8, 8))
