"""Registries: lookup, levels, plugins, and a contract every entry keeps."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from bnstudy.study import registry
from bnstudy.study.errors import InputError
from bnstudy.study.registry import Parameter, Registry

from tests.conftest import ROOT

ALL = [
    *(registry.datasets, registry.models, registry.activations, registry.norms),
    *(registry.initializers, registry.optimizers, registry.figures),
]


def own() -> Registry:
    entries = Registry("fruit", "bnstudy.study.errors")

    @entries.register("apple", label="Apple")
    def apple():
        """A fruit."""

    @entries.register("pear", label="Pear", parameter=Parameter("p", default=2.0))
    def pear():
        """Another."""

    return entries


def test_unknown_names_suggest_the_nearest_or_list_all():
    with pytest.raises(InputError, match="did you mean 'apple'"):
        own()["aple"]
    with pytest.raises(InputError, match="there are: apple, pear"):
        own()["xyz"]


@pytest.mark.parametrize("name", ["", "a b", "a,b", "a:1", "a\n", 5, None])
def test_a_name_that_no_list_of_levels_can_hold_is_refused(name):
    with pytest.raises(ValueError, match="a name is text without blanks, commas and colons"):
        own().register(name, label="x")


def test_a_taken_name_is_refused():
    entries = own()
    with pytest.raises(ValueError, match="already registered by"):
        entries.register("apple", label="x")(lambda: None)


@pytest.mark.parametrize(
    ("text", "label", "value"), [("pear", "pear", 2.0), ("pear:2", "pear", 2.0), ("pear:3.50", "pear:3.5", 3.5)]
)
def test_levels_have_one_spelling(text, label, value):
    level = own().level(text)
    assert level.label == label
    assert own().value(level) == value


def test_the_value_is_what_the_label_says():
    assert registry.initializers.level("normal:0.123456789").value == 0.123457


def test_a_count_is_whole():
    assert registry.initializers.level("sparse:15").label == "sparse"
    with pytest.raises(InputError, match=r"k must be a whole number, not '1\.5'"):
        registry.initializers.level("sparse:1.5")


@pytest.mark.parametrize("text", ["apple:1", "pear:", "pear:x", "pear:-1", "pear:inf", "grape"])
def test_bad_levels(text):
    with pytest.raises(InputError):
        own().level(text)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.kind)
def test_every_entry_says_what_it_is(kind):
    assert len(kind) > 0
    for entry in kind.values():
        assert entry.label
        assert entry.summary
        assert ":" not in entry.name
        assert "," not in entry.name
        assert entry.origin or re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", entry.name), (
            f"{kind.kind} {entry.name!r}: names that come with bnstudy are lower case, with hyphens"
        )


def test_entry_points_are_found(tmp_path):
    (tmp_path / "my_inits.py").write_text(
        "from bnstudy.study.registry import initializers\n"
        "@initializers.register('ones', label='ones')\n"
        "def ones(layer, value=None):\n"
        "    'All ones.'\n"
        "    layer.weight.fill_(1)\n"
    )
    info = tmp_path / "my_inits-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-inits\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[bnstudy.plugins]\nmine = my_inits\n")
    code = "from bnstudy import Study; print(Study.make({'inits': 'ones'}).roles)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (tmp_path, ROOT)))}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "{'ones': 'poor'}"


@pytest.mark.parametrize(
    ("text", "label", "widths", "activation"),
    [
        ("mlp", "mlp", (), ""),
        (" mlp:64 ", "mlp:64", (64,), ""),
        ("mlp:256-128", "mlp:256-128", (256, 128), ""),
        ("mlp:9x5", "mlp:9x5", (9,) * 5, ""),
        ("mlp:9-9-9-9-8", "mlp:9x4-8", (9, 9, 9, 9, 8), ""),
        ("mlp:16-9x2:tanh", "mlp:16-9-9:tanh", (16, 9, 9), "tanh"),
        ("cnn:tanh", "cnn:tanh", (), "tanh"),
        ("mlp:gelu:8-8-8", "mlp:8-8-8:gelu", (8, 8, 8), "gelu"),
    ],
)
def test_a_model_may_say_its_widths_and_activation(text, label, widths, activation):
    level = registry.models.level(text)
    assert (level.family, level.label, level.widths, level.activation) == (
        label.split(":")[0],
        label,
        widths,
        activation,
    )
    assert registry.models.level(label) == level


WRONG = [
    "mlp:", "mlp:0", "mlp:8-", "mlp:-8", "mlp:8:8", "mlp:tanh:relu", "mlp:tahn", "mlp:١٢", "mlp:99999999", "mlp:8--8",
    "mlp:8x", "mlp:8x0", "mlp:x8", "mlp:8x2x2", "mlp:8x99999", "mlp:8x600-8x600", "xyz:8",
]  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_wrong_models(text):
    with pytest.raises(InputError):
        registry.models.level(text)


# ------------------------------------------------------------------ installed plugins, and first use

LOOK = """
import threading
from bnstudy.study import registry
wrong, start = [], threading.Barrier(8)
def look():
    start.wait()
    try:
        registry.datasets["digits"], registry.initializers["default"], registry.activations["relu"]
    except BaseException as error:
        wrong.append(error)
threads = [threading.Thread(target=look) for _ in range(8)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
print(wrong[:1])
"""
REGISTERS = """
from bnstudy.study.registry import initializers, norms
@initializers.register("ones", label="ones")
def ones(layer, value=None):
    "All ones."
"""
BROKEN = {
    "raises": ("mine", REGISTERS + "raise RuntimeError('no\\nway')", "RuntimeError: no (line 6 of "),
    "leaves": ("mine", REGISTERS + "raise SystemExit(7)", "SystemExit: 7"),
    "is not there": ("mine", None, "ModuleNotFoundError: No module named 'mine'"),
    "is no module": ("not a module!", None, "must be the name of a module"),
    "lacks what it names": ("mine:thing", REGISTERS, "has no attribute 'thing'"),
    "takes a name": ("mine", REGISTERS + "norms.register('batch', label='x')(ones)", "norm 'batch' is already"),
}


def script(code: str, *paths) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": os.pathsep.join(map(str, [*paths, ROOT]))}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


def install(folder, point: str, code: str | None) -> None:
    """A distribution of one plugin, as far as Python can tell."""
    info = folder / "my_inits-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-inits\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[bnstudy.plugins]\nmine = {point}\n")
    if code is not None:
        (folder / "mine.py").write_text(code)


def test_names_are_there_for_whichever_thread_asks_first():
    found = script(LOOK)
    assert (found.stdout, found.stderr) == ("[]\n", "")


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_installed_plugin_is_told_once_and_passed_over(tmp_path, kind):
    point, code, why = BROKEN[kind]
    install(tmp_path, point, code)
    found = script("from bnstudy.cli import main; main(['list', 'inits'])", tmp_path)
    assert found.returncode == 0
    module = point.partition(":")[0]
    start = f"bnstudy: warning: the plugin {module} of my-inits cannot be loaded and is passed over: "
    assert found.stderr.startswith(start)
    assert why in found.stderr
    assert found.stderr.count("\n") == 1
    assert "kaiming" in found.stdout
    assert "ones" not in found.stdout.split()


def test_a_study_that_needs_a_broken_plugin_says_so(tmp_path):
    install(tmp_path / "good", "mine", REGISTERS)
    install(tmp_path / "bad", "mine", "raise RuntimeError('no')")
    code = "from bnstudy.{} import {}; {}"
    made = "Store.create({!r}, Study.make({{'inits': 'ones'}}), 'cpu')".format(str(tmp_path / "s"))
    assert script(code.format("storage.store", "Store, Study", made), tmp_path / "good").returncode == 0
    found = script(code.format("cli", "main", f"main(['verify', {str(tmp_path / 's')!r}])"), tmp_path / "bad")
    assert found.returncode == 2
    wanted = "its study needs the plugin mine, which is installed and cannot be loaded (RuntimeError: no (line "
    assert wanted in found.stderr.splitlines()[-1]
    assert found.stderr.count("\n") == 2


def test_a_plugin_may_come_before_the_built_in_entries(tmp_path):
    """A name that is taken is then the plugin's mistake, not bnstudy's."""
    (tmp_path / "mine.py").write_text(REGISTERS + "norms.register('batch', label='x')(ones)")
    found = script("import mine", tmp_path)
    assert "ValueError: norm 'batch' is already registered by bnstudy.training.networks.norms.batch" in found.stderr


def test_what_an_entry_does_not_say_of_itself_is_told_as_it_is_registered():
    with pytest.raises(TypeError, match=r"figure 'mine' is registered without caption=, applies="):
        registry.figures.register("mine", label="Mine")
    with pytest.raises(TypeError, match=r"dataset 'mine' is registered without test_size="):
        registry.datasets.register("mine", label="Mine", shape=(1, 8, 8), classes=2, train_size=5)


def test_what_no_entry_can_say_of_itself_is_refused():
    with pytest.raises(TypeError, match=r"initializer 'mine' is registered with roles=.*did you mean 'role'"):
        registry.initializers.register("mine", label="Mine", roles="poor")
