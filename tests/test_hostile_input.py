"""Studies and results made to do harm: nothing outside is written, nothing is run, no secret is kept."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest
from bnstudy.cli.app import main
from bnstudy.storage.opening import open_results
from bnstudy.storage.store import Store
from bnstudy.storage.verification import verify
from bnstudy.study.errors import InputError
from bnstudy.study.study import Study
from bnstudy.training.running.execution import run

from tests import commands
from tests.conftest import ROOT
from tests.faults.studies import TINY
from tests.synthetic import make_dataset

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[a](javascript:alert(1))",
    "![a](file:///etc/passwd)",
    "[bold red]x[/]",
    "$\\frac{1}{0}$",
    "$unfinished",
    "%s%n{0}{x.__class__}",
    "'; DROP TABLE runs; --",
    "=cmd|'/C calc'!A0",
    "\\input{/etc/passwd}",
    "../../../outside",
    "/etc/outside",
    "..",
    "con",
    "x" * 200,
    "é😀漢",
]


def outside(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if not path.is_relative_to(folder / "inside")]


@pytest.mark.parametrize(
    "texts",
    [pytest.param(HOSTILE[i : i + 3], marks=[pytest.mark.slow] if i else []) for i in range(0, len(HOSTILE), 3)],
)
def test_hostile_text_in_results_is_shown_and_does_nothing(tmp_path, monkeypatch, capsys, texts):
    """Labels, title and names of a made-up file, through every command that reads one."""
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    dataset = make_dataset(inits=("default", *texts), models=(texts[0],), seeds=2)
    dataset.attrs |= dict(zip(("title", "study_name", "dataset", "study_hash"), texts[1:], strict=False))
    file = tmp_path / "inside" / "made-up.nc"
    dataset.to_netcdf(file)
    before = outside(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["figures", str(file), "--out", "figures"])
    printed = capsys.readouterr()
    assert ended.value.code == 0
    assert outside(tmp_path) == before
    page = (tmp_path / "inside" / "figures" / "README.md").read_text()
    for part in ("<script", "<img", "](javascript", "](file"):
        assert part not in page
        assert part not in printed.out
    for drawing in (tmp_path / "inside" / "figures").rglob("*.svg"):
        content = drawing.read_text()
        assert "<script" not in content
        assert "<img" not in content
        assert "<a " not in content


@pytest.mark.parametrize("label", ["x" * 10_000, "a\x1b[31mb", "a\nb", "\u202etxt", "a\0b"])
def test_labels_no_one_could_read_are_refused(tmp_path, label):
    make_dataset(inits=("default", label)).to_netcdf(tmp_path / "made-up.nc")
    if label == "a\0b":  # a netCDF text ends at its first zero
        assert open_results(tmp_path / "made-up.nc").init.values.tolist() == ["default", "a"]
        return
    with pytest.raises(InputError, match="unprintable or longer than 200") as caught:
        open_results(tmp_path / "made-up.nc")
    assert str(caught.value).isprintable()


# ------------------------------------------------------------------ links and pipes in a study folder


@pytest.fixture
def study(tmp_path):
    """A finished tiny study, and a file and a folder outside that must stay as they are."""
    folder, victim = tmp_path / "study", tmp_path / "victim"
    run(Study.make(TINY), folder)
    victim.mkdir()
    (victim / "file").write_text("kept\nkept")  # with no end of line, which the manifest would mend
    return folder, victim


@pytest.mark.parametrize("own", ["study.toml", "plan.json", "manifest.jsonl", "arms.json", "running.json", "curves.nc"])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_a_link_or_pipe_in_place_of_an_own_file_is_refused(study, own, kind):
    folder, victim = study
    (folder / own).unlink()
    if kind == "link":
        (folder / own).symlink_to(victim / "file")
    elif kind == "pipe":
        os.mkfifo(folder / own)
    else:
        (folder / own).mkdir()
    for action in (lambda: run(Study.make(TINY), folder), lambda: verify(folder), lambda: open_results(folder)):
        with pytest.raises(InputError) as caught:
            action()
        assert own in str(caught.value)
    assert (victim / "file").read_text() == "kept\nkept"


def test_a_lock_that_is_a_link_truncates_nothing(study):
    folder, victim = study
    (folder / "lock").unlink(missing_ok=True)
    (folder / "lock").symlink_to(victim / "file")
    with pytest.raises(InputError, match="link"):
        run(Study.make(TINY), folder)
    with pytest.raises(InputError, match="link"):
        Store.open(folder)
    assert (victim / "file").read_text() == "kept\nkept"


def test_ensembles_elsewhere_are_not_followed(study):
    folder, victim = study
    (folder / "ensembles").rename(victim / "ensembles")
    (folder / "ensembles").symlink_to(victim / "ensembles")
    with pytest.raises(InputError, match="ensembles is a link"):
        run(Study.make(TINY), folder)


@pytest.mark.parametrize("kind", ["link", "pipe", "dangling"])
def test_a_link_in_place_of_an_ensemble_is_named_then_replaced(study, kind):
    folder, victim = study
    path = sorted((folder / "ensembles").iterdir())[0]
    content = path.read_bytes()
    path.unlink()
    if kind == "link":
        (victim / "copy").write_bytes(content)
        path.symlink_to(victim / "copy")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(victim / "new")
    assert [(finding.path, finding.kind) for finding in verify(folder)] == [(path, "foreign")]
    run(Study.make(TINY), folder)
    assert verify(folder) == []
    assert not path.is_symlink()
    assert sorted(p.name for p in victim.iterdir()) == (["copy", "file"] if kind == "link" else ["file"])


@pytest.mark.parametrize(
    "name", ["../outside", "/tmp/outside", "a/b", "..", ".", "", "a\nb", "a\0b", "-", "x" * 10_000]
)
def test_a_studys_name_cannot_lead_elsewhere(name):
    with pytest.raises(InputError, match="names the study's folder"):
        Study.make({"name": name})


# ------------------------------------------------------------------ secrets

SECRETS = (
    "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GITHUB_TOKEN", "GH_TOKEN", "GITLAB_TOKEN", "OPENAI_API_KEY",
    "HF_TOKEN", "WANDB_API_KEY", "PIP_PASSWORD", "TWINE_PASSWORD", "DATABASE_URL", "PGPASSWORD", "SSH_AUTH_SOCK",
    "SLACK_WEBHOOK", "KAGGLE_KEY", "NETRC", "VAULT_TOKEN", "DASK_SECRET", "BNSTUDY_SECRET",
)  # fmt: skip


@pytest.mark.slow
def test_no_secret_of_the_environment_is_kept_or_shown(tmp_path):
    """Twenty canaries, one of them in the address of a proxy: in no file, in no line printed."""
    canaries = {name: f"canary-{i}-of-20" for i, name in enumerate(SECRETS)}
    canaries |= {"https_proxy": "http://user:canary-19-of-20@127.0.0.1:port", "http_proxy": "http://u:canary-20@:x"}
    assert len(canaries) > 20
    (tmp_path / "study.toml").write_text(Study.make({**TINY, "seeds": 2}).to_toml())
    printed = ""
    for arguments, code in (
        (["run", "study.toml", "--verbose", "--jobs", "2"], 0),
        (["status", "results/study"], 0),
        (["verify", "results/study"], 0),
        (["figures", "--only", "paired-seeds"], 0),
        (["doctor"], 0),
        (["run", "study.toml", "--epochs", "2"], 2),
        (["baseline", "--data-dir", "no-data"], 2),
        (["baseline", "--data-dir", "no-data", "--dataset", "fashion-mnist"], 2),
    ):
        found = commands.bnstudy(tmp_path, *arguments, environment={**os.environ, **canaries})
        assert found.returncode == code, found.stderr
        assert found.stderr.count("\n") == 1 or code == 0, found.stderr
        printed += found.stdout + found.stderr
    assert "canary" not in printed
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        assert b"canary" not in path.read_bytes(), path


# ------------------------------------------------------------------ nothing unpickles or evaluates

FORBIDDEN_IMPORTS = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "code", "runpy"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "torch.hub.load", "yaml.load"}
STRICT_CALLS = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False)}
# Where pickling cannot be avoided, and why it is safe.
PIPES = {
    "processes.py": "pipes to processes this one has started",
    "cluster.py": "Dask's own messages, from a cluster the user names",
}


def called(node: ast.Call) -> str:
    return ast.unparse(node.func)


def offences(tree: ast.AST) -> list[str]:
    """What of a module's code unpickles, evaluates text, or runs it in a shell."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names if name.name.split(".")[0] in FORBIDDEN_IMPORTS]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in FORBIDDEN_IMPORTS:
            found.append(str(node.module))
        elif isinstance(node, ast.Call):
            name = called(node)
            keywords = {keyword.arg: getattr(keyword.value, "value", None) for keyword in node.keywords}
            if name in FORBIDDEN_CALLS or keywords.get("shell") not in (None, False):
                found.append(name)
            if name in STRICT_CALLS and keywords.get(STRICT_CALLS[name][0]) is not STRICT_CALLS[name][1]:
                found.append(name)
    return found


def test_nothing_in_the_package_unpickles_or_evaluates():
    modules = sorted((ROOT / "bnstudy").rglob("*.py"))
    assert len(modules) > 40
    assert {str(path): found for path in modules if (found := offences(ast.parse(path.read_text())))} == {}


def test_only_pipes_and_dask_carry_objects():
    carriers = {
        path.name
        for path in (ROOT / "bnstudy").rglob("*.py")
        if {"multiprocessing", "distributed"} & {
            name.split(".")[0]
            for node in ast.walk(ast.parse(path.read_text()))
            for name in (
                [alias.name for alias in node.names] if isinstance(node, ast.Import)
                else [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            )
        }
    }  # fmt: skip
    assert carriers - {"shared_data.py", "main_guard.py", "cluster_workers.py"} == set(PIPES)


@pytest.mark.parametrize(
    "code",
    ["import pickle", "from marshal import loads", "eval('1')", "os.system('x')", "torch.load(f)", "np.load(f)",
     "subprocess.run('x', shell=True)", "torch.load(f, weights_only=False)", "np.load(f, allow_pickle=True)"],
)  # fmt: skip
def test_the_check_sees_what_it_looks_for(code):
    assert offences(ast.parse(code))
