"""Malformed studies, options, folders and data files: exit 2, one line that names what to mend, nothing written."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import tomli_w
from bnstudy.cli.app import main
from bnstudy.study.errors import LONGEST, InputError
from bnstudy.study.study import Study
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# Study files: what they hold, and what the message names.
STUDIES: list[tuple[str | bytes, str]] = [
    ("", "empty"),
    ("# nothing\n", "empty"),
    ("x", "not valid TOML"),
    ("[", "not valid TOML"),
    ("epochs", "not valid TOML"),
    ("epochs = ", "not valid TOML"),
    ("epochs = 1\nepochs = 2", "not valid TOML"),
    ("= 3", "not valid TOML"),
    ("epochs = 1 2", "not valid TOML"),
    ('name = "a', "not valid TOML"),
    ("epochs = " + "9" * 5000, "not valid TOML"),
    ("a = " + "[" * 100_000, "not valid TOML"),
    ("a = " + "{a=" * 50_000, "not valid TOML"),
    ("\0", "not valid TOML"),
    (b"\xff\xfe\x00e", "UTF-8"),
    (b"PK\x03\x04" + bytes(100), "not valid TOML"),
    ("<html><b>404</b></html>", "not valid TOML"),
    ('{"epochs": 3}', "not valid TOML"),
    ("epochs: 3", "not valid TOML"),
    ("#" * 2_000_000, "too large"),
    ("epocs = 3", "did you mean 'epochs'"),
    ("[study]\nepochs = 3", "study"),
    ("[[models]]\nname = 'mlp'", "models"),
    ("[models]\na = 1", "models"),
    ("models = {}", "models"),
    ("models = []", "models"),
    ("models = [[]]", "models"),
    ("models = [1]", "models"),
    ("models = true", "models"),
    ("models = ''", "models"),
    ("models = 'mlp,,cnn'", "models"),
    ("seeds = '3,3'", "seeds"),
    ("models = '" + "m" * 10_000 + "'", "models"),
    ("norms = [{}]", "norms"),
    ("inits = 'zero:1'", "inits"),
    ("inits = 'scaled-normal:1e999'", "inits"),
    ("inits = 'scaled-normal:" + "1" * 5000 + "'", "inits"),
    ("inits = 'normal:-0.1'", "inits"),
    ('inits = "\\u001b[31mred"', "inits"),
    ('inits = "a\\nb"', "inits"),
    ("inits = 5", "inits"),
    ("optimizers = 'SGD '", "optimizers"),
    ("lr = []", "lr"),
    ("lr = ''", "lr"),
    ("lr = [[0.1]]", "lr"),
    ("lr = nan", "lr"),
    ("lr = inf", "lr"),
    ("lr = -1", "lr"),
    ("lr = 1979-05-27", "lr"),
    ("seeds = {}", "seeds"),
    ("seeds = 1.5", "seeds"),
    ("seeds = [1.5]", "seeds"),
    ("seeds = []", "seeds"),
    ("seeds = [true]", "seeds"),
    ("seeds = 99999999999", "seeds"),
    ("seeds = [9223372036854775808]", "seeds"),
    ("seeds = '1,2,2'", "seeds"),
    ("epochs = 1979-05-27", "epochs"),
    ("epochs = 07:32:00", "epochs"),
    ("epochs = [3]", "epochs"),
    ("epochs = '3 4'", "epochs"),
    ("epochs = 1e400", "epochs"),
    ("epochs = true", "epochs"),
    ("epochs = -1", "epochs"),
    ("batch_size = 1", "batch_size"),
    ("batch_size = 60001", "batch_size"),
    ("dataset = 5", "dataset"),
    ("dataset = '../mnist'", "dataset"),
    ("dataset = ['mnist']", "dataset"),
    ("train_size = 1e9", "train_size"),
    ("validation_size = 60000", "validation_size"),
    ("hidden = [0]", "hidden"),
    ("hidden = [256, [1]]", "hidden"),
    ("hidden = 'a'", "hidden"),
    ("channels = [100000000]", "channels"),
    ("channels = [2, 2, 2, 2, 2]", "channels"),
    ("kernel_size = 0", "kernel_size"),
    ("momentum = 1", "momentum"),
    ("momentum = 'high'", "momentum"),
    ("weight_decay = inf", "weight_decay"),
    ("target_accuracy = 98", "target_accuracy"),
    ("alpha = 0.5", "alpha"),
    ("equivalence_epochs = 0", "equivalence_epochs"),
    ("name = '..'", "name"),
    ("name = 'a/b'", "name"),
    ("name = '/etc'", "name"),
    ("name = ''", "name"),
    ("name = '" + "n" * 10_000 + "'", "name"),
    ("title = 5", "title"),
    ("predictions = 'x'", "predictions"),
    ("roles = 1", "roles"),
    ("roles = {default = 1}", "roles"),
    ("roles = {none = 'well'}", "roles"),
    ("reference = 'zero'", "reference"),
    ("scales = true", "scales"),
    ("scales = {}", "scales"),
    ("scales = '0.01,x'", "scales"),
    ("scales = [1, -1]", "scales"),
]

# Options, after a command that would otherwise run.
OPTIONS = [
    ("baseline", "--device", "gpu"),
    ("baseline", "--device", "cuda:"),
    ("baseline", "--device", "cuda:-1"),
    ("baseline", "--device", "cuda:" + "9" * 5000),
    ("baseline", "--device", "cpu\n"),
    ("baseline", "--jobs", "-1"),
    ("baseline", "--jobs", "9" * 5000),
    ("baseline", "--jobs", "two"),
    ("baseline", "--jobs", "1.5"),
    ("baseline", "--shard", "0/2"),
    ("baseline", "--shard", "1/2/3"),
    ("baseline", "--shard", "1/" + "9" * 5000),
    ("baseline", "--scheduler", "nonsense"),
    ("baseline", "--scheduler", "tcp://127.0.0.1:1"),
    ("baseline", "--scheduler", "tcp://:x"),
    ("baseline", "--epochs", "\x1b[31m5"),
    ("baseline", "--seeds", "1;rm"),
    ("baseline", "--hidden", "١٢,x"),
    ("baseline", "--train-size", "1e3.5"),
    ("baseline", "--dataset", "digits", "--batch-size", "1438"),
    ("baseline", "--out", "x" * 5000),
    ("baseline", "--out", "loop"),
    ("baseline", "--out", "file"),
    ("baseline", "--out", "strange"),
    ("baseline", "--out", "fifo"),
    ("baseline", "--out", "file/below"),
    ("baseline", "--data-dir", "file"),
    ("baseline", "--data-dir", "fifo"),
    ("baseline", "--data-dir", "loop"),
    ("baseline", "--data-dir", "damaged"),
    ("baseline", "--data-dir", "cut"),
    ("baseline", "--data-dir", "pipes"),
    ("baseline", "--data-dir", "folders"),
    ("baseline", "--data-dir", "cut", "--dataset", "fashion-mnist"),
    ("baseline", "--data-dir", "pipes", "--dataset", "fashion-mnist"),
    ("baseline", "--data-dir", "x" * 5000),
    ("init-sweep", "--scales", "1e-400"),
    ("init-sweep", "--scales", "0.01,,1"),
    ("plan", "baseline", "--shard", "x"),
    ("plan", "baseline", "--device", "x"),
    ("run", "strange"),
    ("run", "fifo"),
    ("run", "loop"),
    ("run", "x" * 5000),
    ("run", "/dev/zero"),
    ("run", "a\x1b[31m.toml"),
    ("run", "\udcff.toml"),
    ("run", ""),
    ("list", "\x1b[31m"),
    *(
        (command, place)
        for command in ("analyze", "report", "export")
        for place in ("file", "fifo", "loop", "strange", "short.nc", "/dev/null", "x" * 5000, "")
    ),
    ("analyze", "short.nc", "--json", "--csv"),
    ("export", "short.nc", "--format", "xlsx"),
    ("probe", "nowhere.toml"),
    ("probe", "baseline", "--figure", "x.pdf"),
    ("probe", "baseline", "--data-dir", "damaged"),
    ("list", "norms", "--plugin", "../x"),
    ("list", "norms", "--plugin", "no_such_module"),
    ("list", "norms", "--plugin"),
    ("export", "short.nc", "--format", ""),
    ("export", "file", "--out", "file/below"),
    ("figures", "file"),
    ("figures", "fifo"),
    ("figures", "loop"),
    ("figures", "strange"),
    ("figures", "short.nc"),
    ("figures", "/dev/null"),
    *((command, place) for command in ("status", "verify", "extend") for place in ("file", "fifo", "loop", "strange")),
    *((command, place) for command in ("status", "verify") for place in ("no-plan", "half-plan", "piped-plan", "")),
    ("merge", "strange", "half-plan", "--out", "merged"),
    ("merge", "", "--out", "merged"),
]


def surroundings(folder: Path) -> None:
    """Everything that the options above name."""
    (folder / "file").write_text("x")
    (folder / "loop").symlink_to("loop")
    (folder / "short.nc").write_bytes(b"\x89HDF\r\n\x1a\n")
    os.mkfifo(folder / "fifo")
    for name, content in (("strange", None), ("no-plan", None), ("half-plan", '{"ensembles": [')):
        (folder / name).mkdir()
        (folder / name / ("plan.json" if content else "other")).write_text(content or "x")
    (folder / "piped-plan").mkdir()
    os.mkfifo(folder / "piped-plan" / "plan.json")
    for name in ("damaged", "cut", "pipes", "folders"):
        for dataset in ("MNIST", "FashionMNIST"):
            raw = folder / name / dataset / "raw"
            raw.mkdir(parents=True)
            for part in ("train", "t10k"):
                for file, header in (
                    (f"{part}-images-idx3-ubyte", struct.pack(">4i", 2051, 60_000, 28, 28)),
                    (f"{part}-labels-idx1-ubyte", struct.pack(">2i", 2049, 60_000)),
                ):
                    if name == "pipes":
                        os.mkfifo(raw / file)
                    elif name == "folders":
                        (raw / file).mkdir()
                    else:
                        (raw / file).write_bytes(b"noise" if name == "damaged" else header)


def cases(folder: Path) -> list[tuple[tuple[str, ...], str]]:
    """Every command line, with a word that its message must hold."""
    surroundings(folder)
    for i, (content, _) in enumerate(STUDIES):
        (folder / f"{i}.toml").write_bytes(content if isinstance(content, bytes) else content.encode())
    studies = [(("run", f"{i}.toml"), name) for i, (_, name) in enumerate(STUDIES)]
    return [*studies, *((arguments, "") for arguments in OPTIONS)]


def listing(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.lstat().st_mtime_ns) for path in folder.rglob("*") if not path.is_dir())


def check(arguments: tuple[str, ...], word: str, code: int, out: str, err: str) -> None:
    about = f"{[a[:40] for a in arguments]}: {code} {out[:200]!r} {err[:400]!r}"
    assert code == 2, about
    assert out == "", about
    assert err.startswith("bnstudy: "), about
    assert err.count("\n") == 1, about
    assert err[:-1].isprintable(), about
    assert len(err) < LONGEST + 50, about
    assert word in err, about


def refuse_all(folder: Path, call: Callable[..., tuple[int, str, str]]) -> list[tuple[float, tuple[str, ...]]]:
    """Check every case; returns the seconds each took and its arguments."""
    listed, took = cases(folder), []
    before = listing(folder)
    for arguments, word in listed:
        started = time.monotonic()
        check(arguments, word, *call(*arguments))
        took.append((time.monotonic() - started, tuple(arguments)))
        assert listing(folder) == before, arguments
    return took


def test_bad_input_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        return int(ended.value.code or 0), *capsys.readouterr()

    assert len(refuse_all(tmp_path, call)) > 100


@pytest.mark.faults
def test_bad_input_in_a_process_of_its_own_ends_at_once(tmp_path):
    start = "from bnstudy.cli import main; main()"

    def call(*arguments: str) -> tuple[int, str, str]:
        found = subprocess.run(
            [sys.executable, "-c", start, *arguments], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        return found.returncode, found.stdout, found.stderr

    took = sorted(refuse_all(tmp_path, call), reverse=True)
    print(f"\n{len(took)} malformed studies, options, folders and data files: exit 2, one line each, "  # noqa: T201
          f"the slowest in {took[0][0]:.1f} s; the slowest three:")  # fmt: skip
    for seconds, arguments in took[:3]:
        print(f"  {seconds:.1f} s: bnstudy {' '.join(arguments)[:100]}")  # noqa: T201


# ------------------------------------------------------------------ any study file at all

VALUES = st.recursive(
    st.one_of(
        st.integers(), st.floats(), st.booleans(), st.text(max_size=20), st.datetimes(),
        st.sampled_from(["mlp", "cnn", "none,batch", "zero", "default", "normal:1", "0.01,1", "5", "digits", ""]),
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
KEYS = st.sampled_from([*Study.model_fields, "scales"]) | st.text(min_size=1, max_size=12)


def loads_or_says_why(path: Path) -> None:
    try:
        study = Study.load(path)
    except InputError as error:
        text = str(error)
        assert text
        assert text.isprintable()
        assert len(text) < LONGEST + 50
    else:
        path.write_text(study.to_toml(), encoding="utf-8")
        assert Study.load(path) == study


@given(st.dictionaries(KEYS, VALUES, max_size=5))
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_any_study_of_any_values_loads_or_says_why(tmp_path_factory, values):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    try:
        path.write_bytes(tomli_w.dumps(values).encode())
    except (UnicodeEncodeError, ValueError):
        return  # a text that TOML cannot hold
    loads_or_says_why(path)


@given(st.binary(max_size=200) | st.text(alphabet="[]{}=,.\"'\n #abelmnoprs0123_-", max_size=80).map(str.encode))
@settings(deadline=None, max_examples=300)
def test_any_bytes_load_or_say_why(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "bytes.toml"
    path.write_bytes(content)
    loads_or_says_why(path)
