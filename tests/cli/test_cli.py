"""The command line: what it prints, and how it refuses."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys

import pytest
from bnstudy.cli.app import app
from bnstudy.cli.options import DEFAULTS, STUDY_OPTIONS, option_name
from bnstudy.cli.plan import spoken
from bnstudy.storage.store import Store
from bnstudy.study import registry
from bnstudy.study.study import Study

from tests import commands
from tests.synthetic import make_dataset

TINY = ["--dataset", "digits", "--train-size", "200", "--hidden", "8", "--channels", "2", "--epochs", "2"]
TINY += ["--seeds", "2", "--jobs", "1"]


@pytest.fixture
def bnstudy(command):
    return command


def test_baseline_prints_the_reports_table(bnstudy, tmp_path):
    code, out, err = bnstudy("baseline", *TINY)
    assert code == 0
    for text in (
        "CNN with BN",
        "MLP without BN",
        "epochs to >98 %",
        "reported",
        "98.51",
        "n = 2",
        "digits",
        "parameters",
    ):
        assert text in out
    assert "never in 2" in out
    assert "8/8 runs" in err
    assert (tmp_path / "results" / "baseline" / "curves.nc").exists()
    code, _, err = bnstudy("baseline", *TINY)
    assert code == 0
    assert "all 8 runs are finished" in err


def test_init_sweep_then_figures_and_status(bnstudy, tmp_path):
    code, out, _ = bnstudy("init-sweep", "--scales", "0.01,1", "--inits", "zero", *TINY)
    assert code == 0
    every, _, verdicts = out.partition("\nVerdicts\n")
    levels = r"^ (?:mlp |cnn )? *(zero|scaled-normal:[\d.]+) "
    assert re.findall(levels, every, re.M) == ["zero", "scaled-normal:0.01", "scaled-normal:1"] * 2
    assert re.findall(levels, verdicts, re.M) == ["zero", "scaled-normal:0.01"] * 2  # the poor ones
    code, out, _ = bnstudy("figures", "--only", "accuracy-by-condition,forest")
    assert code == 0
    *listed, first = out.splitlines()
    assert "figures/init-sweep/accuracy-by-condition.svg" in listed
    assert first.startswith("Look first at figures/init-sweep/forest.png, ")
    assert (tmp_path / "figures" / "README.md").exists()
    code, out, _ = bnstudy("status", "results/init-sweep", "--json")
    assert json.loads(out)["done"] == 2 * 2 * 3 * 2
    code, out, _ = bnstudy("status", "results/init-sweep")
    assert "done       24" in out


def test_analyze_in_four_forms(bnstudy, tmp_path):
    make_dataset(seeds=8).to_netcdf(tmp_path / "made-up.nc")
    code, out, err = bnstudy("analyze", "made-up.nc")
    assert (code, err) == (0, "")
    assert "Verdicts" in out
    assert "mlp: Batch Normalization" in out
    code, out, err = bnstudy("analyze", "made-up.nc", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert len(told["verdicts"]) == 2 * 2
    assert set(told["sentences"]) == {"mlp", "cnn"}
    assert {"model", "setting", "treatment", "condition", "reference", "n", "gain", "gain_low", "gain_high",
            "difference", "ratio_at_least", "p", "verdict", "failures"} <= set(told["verdicts"][0])  # fmt: skip
    assert {"about", "claim", "estimate", "interval", "unit", "n", "answer"} == set(json.loads(out)["claims"][0])
    assert bnstudy("analyze", "made-up.nc", "--csv")[1].startswith("model,setting.optimizer,setting.lr,")
    assert bnstudy("analyze", "made-up.nc", "--latex")[1].startswith("\\begin{tabular}")
    for wrong in (("made-up.nc", "--json", "--csv"), ("nowhere",), ()):
        code, out, err = bnstudy("analyze", *wrong)
        assert (code, out, err.count("\n")) == (2, "", 1)
    make_dataset(norms=("none",)).to_netcdf(tmp_path / "one-arm.nc")
    assert "one-arm.nc: nothing to compare" in bnstudy("analyze", "one-arm.nc")[2]


def test_analyze_at_selected_learning_rates(bnstudy):
    small = ("--dataset", "digits", "--models", "mlp", "--inits", "default,zero", "--lr", "0.1,0.001", "--quiet",
             "--validation-size", "200", "--epochs", "2", "--seeds", "3", "--jobs", "1")  # fmt: skip
    assert bnstudy("baseline", *small)[0] == 0
    code, out, err = bnstudy("analyze", "results/baseline", "--select", "lr")
    assert (code, err) == (0, "")
    assert "Verdicts by learning rate" in out
    assert "At the selected rates, mlp: Batch Normalization" in out
    told = json.loads(bnstudy("analyze", "results/baseline", "--select", "lr", "--json")[1])
    (row,) = told["selected"]["verdicts"]
    assert {sum(counts.values()) for counts in row["selected_lr"].values()} == {3}
    assert len(told["verdicts"]) == 2
    assert (
        "selected_lr.control." in bnstudy("analyze", "results/baseline", "--select", "lr", "--csv")[1].splitlines()[0]
    )
    for wrong in ("norm", ""):
        code, out, err = bnstudy("analyze", "results/baseline", "--select", wrong)
        assert (code, out, err.count("\n")) == (2, "", 1)


def test_a_sweep_of_scales_has_three_other_inits_and_the_shipped_one_more(bnstudy):
    _, out, _ = bnstudy("init-sweep", "--scales", "0.01,1,10", "--dry-run", "--device", "cpu")
    assert (
        "default (well), zero (poor), large-variance (poor), scaled-normal:0.01 (poor), scaled-normal:1 (well)" in out
    )
    assert "240" in out
    assert "warning" not in out
    _, out, _ = bnstudy("init-sweep", "--scales", "1,10", "--inits", "zero", "--dry-run", "--device", "cpu")
    assert "zero (poor), scaled-normal:1 (well), scaled-normal:10 (poor)\n" in out
    _, out, _ = bnstudy("init-sweep", "--dry-run", "--device", "cpu")
    assert "440" in out
    assert all(init in out for init in ("zero-hidden (poor)", "constant:0.01 (poor)", "scaled-normal:100 (poor)"))
    assert "warning" not in out


@pytest.mark.parametrize("typed", ["run norms", "plan norms", "baseline", "init-sweep", "preregister norms"])
def test_wherever_a_study_is_made_it_takes_scales_and_inits_say_all_levels(bnstudy, typed):
    arguments = [*typed.split(), "--dataset", "digits"]
    dry = [] if typed.startswith(("plan", "pre")) else ["--dry-run"]
    if typed.startswith("pre"):
        for options in (("--inits", "xavier"), ("--scales", "7", "--out", "b")):
            assert bnstudy(*arguments, *options)[0] == 0
        assert Store.open("results/norms").study.inits == ("xavier",)
        assert Store.open("b").study.inits == ("default", "dead-biases", "scaled-normal:7")
        return
    inits = next(line for line in bnstudy(*arguments, *dry, "--inits", "xavier,xavier")[1].splitlines()
                 if line.startswith("inits"))  # fmt: skip
    assert inits.split(maxsplit=1)[1] == "xavier (well)"
    out = bnstudy(*arguments, *dry, "--inits", "scaled-normal:7,zero", "--scales", "7,0.1")[1]
    assert "scaled-normal:7 (poor), zero (poor), scaled-normal:0.1 (poor)\n" in out


def test_dry_run_and_plan_write_nothing_and_warn(bnstudy, tmp_path):
    for command in (["init-sweep", "--dry-run"], ["plan", "init-sweep"]):
        code, out, _ = bnstudy(*command, "--seeds", "3")
        assert code == 0
        assert "too few seeds to tell: with 3 and 9 poor levels of init" in out
        assert "it takes 9 seeds" in out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", [
    ["plan", "baseline"], ["plan", "baseline", "--json"], ["baseline", "--dry-run"], ["preregister", "baseline"],
])  # fmt: skip
def test_a_plan_refuses_what_a_run_refuses_without_its_data(bnstudy, register, monkeypatch, tmp_path, how):
    monkeypatch.setenv("BNSTUDY_DATA_DIR", str(tmp_path / "empty"))
    register(registry.initializers, "idle")(lambda layer, value=None: None)
    refused = bnstudy("baseline", *TINY, "--inits", "idle")
    assert refused[0] == 2
    assert bnstudy(*how, "--inits", "idle") == refused
    assert list(tmp_path.iterdir()) == []


def test_run_takes_a_study_file_with_options_over_it(bnstudy, tmp_path):
    (tmp_path / "s.toml").write_text('name = "mine"\nmodels = "mlp"\nepochs = 7\n')
    code, out, err = bnstudy("run", "s.toml", "--quiet", *TINY)
    assert (code, out, err) == (0, "", "")
    assert (tmp_path / "results" / "mine" / "curves.nc").exists()
    code, _, err = bnstudy("run", "s.toml", *TINY, "--epochs", "3")
    assert code == 2
    assert err.endswith("(epochs: 2 there, 3 asked); `bnstudy extend results/mine --epochs 3` adds what is new\n")


def test_commands_that_are_named_can_be_typed_where_a_folder_has_a_space(bnstudy, tmp_path):
    (tmp_path / "s.toml").write_text('models = "mlp"\nepochs = 7\n')
    said = bnstudy("run", "s.toml", *TINY, "--out", "layer norm")[1]
    for settings in ("--epochs", "1"), ("--epochs", "3"):
        said += bnstudy("run", "s.toml", *TINY, "--out", "layer norm", *settings)[2]
    (tmp_path / "my dir").mkdir()
    said += bnstudy("new", "my dir/one")[1]
    named = [shlex.split(line) for line in re.findall("`(bnstudy .*?)`", said)]
    assert {command[1] for command in named} >= {"report", "analyze", "extend", "plan", "run"}
    assert {command[2] for command in named} <= {"layer norm", "my dir/one.toml"}


def test_shards_then_merge(bnstudy, tmp_path):
    sweep = ("init-sweep", "--scales", "0.01,1", "--inits", "zero", *TINY)
    for index in (1, 2):
        code, out, err = bnstudy(*sweep, "--shard", f"{index}/2")
        assert code == 0
        assert "12 of 24 runs are left to other shards" in out
        assert "(12 runs are left to other shards)" in err
    shards = sorted(str(path) for path in (tmp_path / "results" / "init-sweep.shards").iterdir())
    assert [path[-6:] for path in shards] == ["1-of-2", "2-of-2"]
    code, out, _ = bnstudy("merge", *shards, "--out", "results/init-sweep")
    assert (code, out) == (0, "results/init-sweep: 24 of 24 runs\n")
    assert bnstudy("verify", "results/init-sweep")[0] == 0
    code, out, _ = bnstudy("merge", shards[0], "--out", "half")
    assert "12 runs are in none of the folders" in out
    code, out, err = bnstudy(*sweep, "--shard", "1/2")
    assert "all 12 runs of this shard are finished; 12 of others are not" in err


def test_extend_adds_and_says_so(bnstudy, tmp_path):
    assert bnstudy("init-sweep", "--scales", "1", "--inits", "zero", *TINY)[0] == 0
    code, out, err = bnstudy("extend", "results/init-sweep", "--scales", "10", "--seeds", "3", "--jobs", "1")
    assert code == 0
    assert "scaled-normal:10" in out
    assert "20 runs of 2 epochs" in err
    assert "warning: no looks were declared, so with more seeds the p-values will not hold" in err
    assert "looks" not in bnstudy("extend", "results/init-sweep", "--inits", "dead-biases", "--dry-run")[2]
    report = json.loads(bnstudy("status", "results/init-sweep", "--json")[1])
    assert report["done"] == report["runs"] == 2 * 2 * 3 * 3
    assert set(report["amendments"][0]["changes"]) == {"inits", "seeds", "roles"}
    assert "amended 20" in bnstudy("status", "results/init-sweep")[1]
    for wrong in (("--seeds", "3"), ("--out", "x"), ("--epochs", "1"), ("--momentum", "0.5"), ()):
        code, out, err = bnstudy("extend", "results/init-sweep", *wrong)
        assert (code, out, err.count("\n")) == (2, "", 1)


def test_plan_says_what_each_shard_costs(bnstudy):
    code, out, _ = bnstudy(
        "plan", "baseline", "--dataset", "digits", "--seeds", "20", "--shard", "1/2", "--device", "cpu"
    )
    assert code == 0
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.strip()}
    assert [rows[name][1] for name in ("1/2", "2/2", "all")] == ["40", "40", "80"]
    parts = [float(rows[name][3]) for name in ("1/2", "2/2", "all")]
    assert parts[0] + parts[1] == pytest.approx(parts[2], rel=0.01)
    assert " time" not in out.replace("`--time`", "")
    code, out, _ = bnstudy("plan", "baseline", *TINY[:-2], "--time", "--device", "cpu")
    assert re.search(r"TFLOP +time\n.* [\d.]+ s\n", out, re.S)


@pytest.mark.parametrize(("seconds", "text"), [
    (0.4, "0.4 s"), (84.24, "84 s"), (95, "1.6 min"), (5000, "83 min"), (6000, "1.7 h"), (200_000, "2.3 days"),
    (1e8, "1200 days"),
])  # fmt: skip
def test_a_time_is_told_as_one_would_say_it(seconds, text):
    assert spoken(seconds) == text


def test_that_nothing_will_be_compared_is_told_before_it_trains_and_how_to_mend_it(bnstudy):
    sweep = ("init-sweep", "--scales", "1", "--inits", "zero", *TINY[:-2], "--models", "mlp")
    for norms, mend in (
        ("layer", "add none: `--norms none,layer`"),
        ("none", "add batch: `--norms none,batch`"),
        ("layer,batch", "`--norms none,layer,batch`, or name the one that is: `--control layer`"),
    ):
        out = " ".join(bnstudy("plan", *sweep, "--norms", norms)[1].split())
        assert "warning: nothing to compare: it takes the norm none and another, and there" in out
        assert mend in out
        (warning,) = json.loads(bnstudy("plan", *sweep, "--norms", norms, "--json")[1])["warnings"]
        assert warning.endswith(mend)
    assert bnstudy(*sweep, "--norms", "layer", "--jobs", "1")[2].startswith("bnstudy: warning: nothing to compare")
    told = bnstudy("analyze", "results/init-sweep")[2]
    assert told.endswith("; `bnstudy extend DIR --norms none` adds it\n")
    assert bnstudy("extend", "results/init-sweep", "--norms", "none", "--quiet", "--jobs", "1")[0] == 0
    assert bnstudy("analyze", "results/init-sweep")[0] == 0


def test_a_wrong_key_is_named_with_its_file_and_a_wrong_option_as_the_option(bnstudy, tmp_path):
    (tmp_path / "s.toml").write_text("epochs = 0\n")
    assert bnstudy("run", "s.toml")[2] == "bnstudy: s.toml: epochs: must be greater than or equal to 1, not '0'\n"
    assert bnstudy("run", "s.toml", "--epochs", "0")[2].startswith("bnstudy: --epochs: must be")


BAD = {
    "models": "mpl", "norms": "bacth", "inits": "zero:3", "optimizers": "x", "lr": "0", "seeds": "0",
    "dataset": "mnits", "input_scaling": "x", "hidden": "0", "channels": "2,2,2,2,2", "kernel_size": "2",
    "activation": "x", "init_scope": "x", "norm_eps": "0", "norm_momentum": "1.5",
    "epochs": "0", "batch_size": "1000000", "momentum": "1",
    "weight_decay": "-1", "train_size": "0", "validation_size": "60000", "target_accuracy": "2", "scales": "0",
    "device": "tpu", "jobs": "0", "out": "/dev/null/x", "treatment": "nrom", "control": "layer", "condition": "norm",
    "reference": "layer", "looks": "20,10", "mainly_times": "0.5", "margin": "0", "alpha": "0.5",
}  # fmt: skip


def test_the_help_tells_the_defaults_of_studies(bnstudy):
    usual = Study.make({})
    for key, text in DEFAULTS.items():
        assert getattr(Study.make({key: text}), key) == getattr(usual, key)
    for name in ("baseline", "init-sweep"):
        shipped = Study.load(name)
        assert [key for key in DEFAULTS if getattr(shipped, key) != getattr(usual, key)] == []
        assert "Epochs; 50 by default." in bnstudy(name, "--help")[1]
    told = bnstudy("extend", "--help")[1]
    assert "Epochs." in told  # as many as there are


@pytest.mark.parametrize("key", [*STUDY_OPTIONS, "scales", "device", "jobs", "out"])
@pytest.mark.parametrize("how", ["wrong", "empty"])
def test_every_option_refuses_bad_values_in_one_line(bnstudy, key, how):
    value = BAD[key] if how == "wrong" else ""
    if (key, how) in (("out", "empty"),):
        return  # no folder named: the default
    rest = () if key == "dataset" or (how == "wrong" and key != "out") else ("--dataset", "digits")
    code, out, err = bnstudy("init-sweep", *rest, option_name(key), value)
    assert code == 2
    assert out == ""
    assert err.startswith(f"bnstudy: {option_name(key)}: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["basline"], "did you mean 'baseline'"),
        (["init-sweep", "--scale", "1"], "--scales"),
        (["run"], "STUDY"),
        (["run", "norm"], "did you mean 'norms'"),
        (["run", "nothing"], "those that come with bnstudy are baseline, bn-depth, gradient-growth, init-sweep"),
        (["run", "none.toml"], "no such study file"),
        (["baseline", "--epochs"], "--epochs"),
        (["status", "nowhere"], "no study there"),
        (["figures"], "run a study first"),
        (["figures", "nowhere"], "no results there"),
        (["list", "initz"], "did you mean 'inits'"),
        (["list", "study"], "did you mean 'studies'"),
        (["extend", "nowhere", "--name", "x"], "keeps its name"),
        (["plan", "nowhere"], "'nowhere' is no study file and no name of a study"),
        (["plan", "baseline", "--shard", "3/2"], "--shard: must be K/N"),
        (["baseline", "--dataset", "digits", "--shard", "2"], "--shard: must be K/N"),
        (["baseline", "--dataset", "digits", "--scheduler", ""], "--scheduler: must be"),
        (["merge", "nowhere", "--out", "x"], "no study there"),
        (["merge", "--out", "x"], "DIR"),
        (["merge", "nowhere"], "--out"),
        (["extend", "nowhere", "--seeds", "3"], "no study there"),
        (["baseline", "extra"], "extra"),
    ],
)
def test_other_mistakes(bnstudy, arguments, text):
    code, _, err = bnstudy(*arguments)
    assert code == 2
    assert err.startswith("bnstudy: ")
    assert err.count("\n") == 1
    assert text.lower() in err.lower()


@pytest.mark.parametrize("typed", [
    "report", "analyze", "figures", "open", "export", "verify", "status", "extend --seeds 3", "merge --out x"
])  # fmt: skip
def test_the_name_of_a_study_is_no_folder_of_results_and_what_makes_one_is_told(bnstudy, typed):
    code, out, err = bnstudy(*typed.split(), "baseline")
    assert (code, out) == (2, "")
    assert err.endswith("; `bnstudy run baseline` makes results/baseline\n")


def test_a_study_file_is_not_read_as_results(bnstudy, tmp_path):
    (tmp_path / "s.toml").write_text("epochs = 1\n")
    told = "s.toml: no results there (no curves.nc); `bnstudy run s.toml` makes its results"
    assert bnstudy("report", "s.toml") == (2, "", f"bnstudy: {told}\n")


@pytest.mark.parametrize(
    "kind", ["inits", "norms", "models", "datasets", "optimizers", "activations", "figures", "studies"]
)
def test_list(bnstudy, kind):
    code, out, _ = bnstudy("list", kind)
    assert code == 0
    assert len(out.splitlines()) > 1


def test_doctor_and_version(bnstudy):
    code, out, _ = bnstudy("doctor")
    assert code == 0
    for name in ("torch", "machine", "data", "device"):
        assert name in out
    code, out, _ = bnstudy("--version")
    assert code == 0
    assert out.startswith("bnstudy 0.")


def test_help_is_quick_and_free_of_torch():
    code = "import sys; from bnstudy.cli import main\ntry: main(['--help'])\nfinally: print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "False"


def test_bad_input_is_refused_without_torch():
    code = "import sys; from bnstudy import Study\ntry: Study.make({'inits': 'x'})\nexcept ValueError: pass\n"
    code += "sys.exit('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr or "torch is imported before input is refused: import it in functions"


@pytest.mark.slow
def test_no_colour_and_no_bar_off_a_terminal(tmp_path):
    found = commands.bnstudy(tmp_path, "baseline", *TINY, "--out", "s", environment={**os.environ, "NO_COLOR": "1"})
    assert found.returncode == 0
    assert "\x1b" not in found.stdout + found.stderr


def test_a_reader_that_goes_away_is_no_error():
    command = f"{shlex.quote(sys.executable)} -c 'from bnstudy.cli import main; main()' list datasets | head -1"
    found = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert found.stderr == ""


def test_every_command_has_a_help_line(bnstudy):
    for command in app.registered_commands:
        assert command.callback is not None
        assert (command.callback.__doc__ or "").strip().endswith(".")


def test_an_interrupt_while_torch_loads_ends_the_process_and_does_not_raise_into_its_code():
    code = "import sys, types; from bnstudy.cli import _interrupted; torch = types.ModuleType('torch');"
    code += (
        "torch.__spec__ = types.SimpleNamespace(_initializing={}); sys.modules['torch'] = torch; _interrupted(2, None)"
    )
    loading, loaded = (
        subprocess.run([sys.executable, "-c", code.format(now)], capture_output=True, text=True, check=False)
        for now in (True, False)
    )
    assert (loading.returncode, loading.stderr) == (130, "bnstudy: stopped\n")
    assert "KeyboardInterrupt" in loaded.stderr
