"""The user's settings: which source wins, and what is wrong with one is told of the place that says it."""

from __future__ import annotations

import pytest
from bnstudy.study import preferences
from bnstudy.study.errors import InputError
from bnstudy.study.preferences import SETTINGS, setting
from bnstudy.study.study import Study
from bnstudy.training.datasets import data
from bnstudy.training.running.this_machine import resolve_device


@pytest.fixture
def file(tmp_path, monkeypatch):
    """The user's file, to be written."""
    path = tmp_path / "config.toml"
    monkeypatch.setenv("BNSTUDY_CONFIG", str(path))
    return path


def test_the_first_that_says_it_wins(file, monkeypatch, tmp_path):
    for key, written, in_variable, given in (
        ("jobs", "3", "4", "5"), ("device", '"cpu"', "cuda", "cuda:1"),
        ("data_dir", f'"{tmp_path}/a"', f"{tmp_path}/b", f"{tmp_path}/c"),
    ):  # fmt: skip
        variable = SETTINGS[key].variable
        assert (setting(key, None, "usual").value, setting(key).source) == ("usual", "default")
        file.write_text(f"# mine\n{key} = {written}\n")
        assert str(setting(key).value) == written.strip('"')
        assert setting(key).source == f"{file}, line 2"
        monkeypatch.setenv(variable, in_variable)
        assert (str(setting(key).value), setting(key).source) == (in_variable, variable)
        assert str(setting(key, given).value) == given
        monkeypatch.setenv(variable, "")  # as one that is not set
        assert setting(key).source == f"{file}, line 2"
        file.unlink()


@pytest.mark.parametrize(("key", "value", "told"), [
    ("jobs", "0", "must be from 1 to 1024, not 0"), ("jobs", "two", "must be a whole number, not 'two'"),
    ("jobs", "9" * 5000, "must be from 1 to 1024"), ("device", "tpu", "must be auto, cpu, cuda or cuda:N, not 'tpu'"),
    ("device", "cuda:", "must be auto"), ("device", "cuda:x", "must be auto"),
])  # fmt: skip
def test_what_cannot_be_is_told_of_its_source(file, monkeypatch, key, value, told):
    with pytest.raises(InputError, match=f"^{key}: {told}"):
        setting(key, value)
    monkeypatch.setenv(SETTINGS[key].variable, value)
    with pytest.raises(InputError, match=f"^{SETTINGS[key].variable}: {told}") as raised:
        setting(key)
    assert raised.value.topic == "settings"
    monkeypatch.delenv(SETTINGS[key].variable)
    file.write_text(f'\n\n"{key}" = "{value}"\n')
    with pytest.raises(InputError, match=f"config.toml, line 3: {key}: {told}"):
        setting(key)


@pytest.mark.parametrize(("key", "text", "told"), [
    ("jobs", "job = 3\n", r"line 1: there is no setting 'job'; did you mean 'jobs'\?"),
    ("jobs", "jobs = 1\n[colours]\nred = 1\n", "line 2: there is no setting 'colours'; there are: data_dir, jobs"),
    ("jobs", "jobs = \n", "not valid TOML.*line 1"), ("jobs", "jobs = 1.5\n", "must be a whole number, not '1.5'"),
    ("jobs", "jobs = true\n", "must be a whole number"), ("device", "device = 1\n", "must be auto"),
    ("jobs", "\xe9", "is not UTF-8 text"), ("data_dir", "data_dir = 3\n", "must be the path of a folder"),
    ("data_dir", 'data_dir = "here"\n', "line 1: data_dir: must be a whole path, from / or ~, not 'here'"),
])  # fmt: skip
def test_a_file_that_cannot_be_read_so_is_told_with_its_line(file, key, text, told):
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=told) as raised:
        setting(key)
    assert str(file) in str(raised.value)


def test_no_file_and_an_empty_one_say_nothing(file, tmp_path, monkeypatch):
    assert setting("jobs", None, 2).source == "default"
    file.write_text("")
    assert setting("jobs", None, 2).source == "default"
    monkeypatch.setenv("BNSTUDY_CONFIG", str(tmp_path))
    with pytest.raises(InputError, match="not a file; name a file of settings"):
        setting("jobs")
    monkeypatch.delenv("BNSTUDY_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    assert preferences.config_file() == tmp_path / "settings" / "bnstudy" / "config.toml"


def test_the_home_is_spelled_out(file, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    file.write_text('data_dir = "~/sets"\n')
    assert data.data_folder().value == tmp_path / "sets"


def test_a_wrong_data_folder_is_told_of_the_place_that_names_it(tmp_path, monkeypatch):
    (tmp_path / "no-folder").write_text("")
    monkeypatch.setenv("BNSTUDY_DATA_DIR", str(tmp_path / "no-folder"))
    for use in (lambda: data.check("digits"), lambda: data.load(Study.make({"dataset": "digits"}))):
        with pytest.raises(InputError, match=r"^BNSTUDY_DATA_DIR: .*is not a folder"):
            use()
    with pytest.raises(InputError, match=r"^data_dir: .*is not a folder"):
        data.check("digits", tmp_path / "no-folder")


def test_a_device_that_is_not_there_is_told_of_the_place_that_names_it(file, monkeypatch):
    monkeypatch.setattr("bnstudy.training.running.this_machine._cuda_is_available", lambda: False)
    file.write_text('device = "cuda"\n')
    with pytest.raises(InputError, match=r"config\.toml, line 1: device: this machine has no CUDA device"):
        resolve_device()
    assert resolve_device("cpu") == resolve_device("auto") == "cpu"
