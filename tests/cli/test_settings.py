"""The user's settings reach commands and Python, and what is wrong with one ends a command in its one line."""

from __future__ import annotations

import bnstudy
import pytest
from bnstudy.training.running import execution
from bnstudy.training.running.this_machine import usable_cores

SMALL = {"dataset": "digits", "models": "mlp", "hidden": "8", "seeds": 2, "epochs": 1}


@pytest.fixture
def asked(monkeypatch):
    """What a machine is asked for, in place of training."""
    seen: list[tuple[str, int]] = []

    def machine(device: str, data_dir: object, jobs: int, *_: object) -> None:
        seen.append((device, jobs))
        raise bnstudy.InputError("not today")

    monkeypatch.setattr(execution, "Machine", machine)
    return seen


def test_commands_and_python_take_them_where_nothing_is_said(command, asked, monkeypatch):
    def both() -> None:
        assert command("baseline", "--dataset", "digits")[0] == 2
        with pytest.raises(bnstudy.InputError):
            bnstudy.run(bnstudy.Study.make(SMALL))

    monkeypatch.setenv("BNSTUDY_DEVICE", "cpu")
    both()
    monkeypatch.setenv("BNSTUDY_JOBS", "7")
    both()
    assert command("baseline", "--dataset", "digits", "--jobs", "3")[0] == 2
    assert asked == [("cpu", usable_cores()), ("cpu", 1), ("cpu", 7), ("cpu", 7), ("cpu", 3)]


@pytest.mark.parametrize("name", ["BNSTUDY_JOBS", "BNSTUDY_DEVICE", "BNSTUDY_DATA_DIR", "file"])
def test_a_wrong_one_is_told_and_nothing_is_written(command, tmp_path, monkeypatch, name):
    file = tmp_path.parent / f"{tmp_path.name}.toml"
    if name == "file":
        file.write_text('device = "cpu"\njob = 2\n')
        monkeypatch.setenv("BNSTUDY_CONFIG", str(file))
    else:
        monkeypatch.setenv(name, "/dev/null")
    code, out, err = command("baseline", "--dataset", "digits")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(
        f"bnstudy: {file}, line 2: there is no setting 'job'" if name == "file" else f"bnstudy: {name}: "
    )
    assert err.endswith("(`bnstudy explain settings` says more)\n")
    assert list(tmp_path.iterdir()) == []


def test_doctor_says_what_holds_and_why(command, tmp_path, monkeypatch):
    file = tmp_path / "mine.toml"
    file.write_text('# mine\ndevice = "cpu"\n')
    monkeypatch.setenv("BNSTUDY_CONFIG", str(file))
    monkeypatch.setenv("BNSTUDY_JOBS", "3")
    code, out, _ = command("doctor", "--data-dir", "sets")
    assert code == 0
    told = {line[:12].strip(): line[13:] for line in out.splitlines()}
    assert told["settings"] == str(file)
    assert told["jobs"] == "3 (BNSTUDY_JOBS)"
    assert told["device"] == f"cpu ({file}, line 2)"
    assert told["data"].startswith("sets (--data-dir): no data sets yet")
    file.write_text("device = ")
    code, out, _ = command("doctor")
    assert code == 0
    assert out.count("problem") == 1
    assert "not valid TOML" in out
