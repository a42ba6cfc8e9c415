"""Verification: what is damaged, missing or foreign is named; nothing else is."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import pytest
from bnstudy.cli import main
from bnstudy.storage.atomic import sha256
from bnstudy.storage.store import Store
from bnstudy.storage.verification import verify
from bnstudy.study.errors import InputError
from bnstudy.study.study import Study
from bnstudy.training.running import execution

STUDY = {"dataset": "digits", "models": "mlp", "inits": "default,zero", "seeds": 2, "epochs": 1, "hidden": "4"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("verify") / "study"
    execution.run(Study.make(STUDY), folder)
    return folder


@pytest.fixture
def folder(finished, tmp_path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "study"))


def bnstudy(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    return stopped.value.code


def kinds(folder: Path) -> dict[str, str]:
    return {str(finding.path.relative_to(folder)): finding.kind for finding in verify(folder)}


def test_a_finished_study_is_as_it_was_written(folder, capsys):
    assert verify(folder) == []
    assert bnstudy("verify", str(folder)) == 0
    assert "as it was written" in capsys.readouterr().out


@pytest.mark.parametrize("file", ["ensembles/ensemble-00000.nc", "ensembles/ensemble-00001.nc", "curves.nc"])
@pytest.mark.parametrize("change", ["flip", "cut", "empty", "longer"])
def test_a_changed_file_is_damaged(folder, file, change):
    path = folder / file
    content = path.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    path.write_bytes({"flip": flipped, "cut": content[:-1], "empty": b"", "longer": content + b"x"}[change])
    assert kinds(folder) == {file: "damaged"}


@pytest.mark.parametrize("file", ["ensembles/ensemble-00001.nc", "curves.nc"])
def test_a_file_that_the_disk_does_not_give_back_is_damaged(folder, file, monkeypatch):
    def failing(path):
        if path == folder / file:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return sha256(path)

    monkeypatch.setattr("bnstudy.storage.atomic.sha256", failing)
    (finding,) = verify(folder)
    assert (finding.path, finding.kind) == (folder / file, "damaged")
    assert "input/output error" in finding.advice


@pytest.mark.parametrize("file", ["manifest.jsonl", "arms.json"])
def test_what_the_disk_does_not_give_back_of_a_studys_own_is_bad_input(folder, file, monkeypatch):
    read = Path.read_bytes

    def failing(path):
        if path == folder / file:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", failing)
    store = Store.open(folder)
    with pytest.raises(InputError, match=f"{file}: cannot be read: input/output error"):
        store.counts(), store.arms()


@pytest.mark.parametrize("file", ["ensembles/ensemble-00001.nc", "curves.nc"])
def test_a_file_that_is_gone_is_missing_until_the_study_is_run_again(folder, file):
    (folder / file).unlink()
    assert kinds(folder) == {file: "missing"}
    execution.run(Study.make(STUDY), folder)
    assert verify(folder) == []


def test_what_no_study_writes_is_foreign(folder):
    (folder / "notes.txt").write_text("mine")
    (folder / "ensembles" / "ensemble-99999.nc").write_bytes(b"from elsewhere")
    (folder / "ensembles" / "link.nc").symlink_to("/dev/null")
    found = {"notes.txt", "ensembles/ensemble-99999.nc", "ensembles/link.nc"}
    assert kinds(folder) == dict.fromkeys(found, "foreign")


def test_an_ensemble_that_the_manifest_does_not_know_is_foreign(folder):
    manifest = folder / "manifest.jsonl"
    lines = [line for line in manifest.read_text().splitlines() if "ensemble-00001" not in line]
    manifest.write_text("\n".join(lines) + "\n")
    assert kinds(folder) == {"ensembles/ensemble-00001.nc": "foreign"}


def test_a_half_written_file_is_nobodys_finding(folder):
    (folder / "ensembles" / ".ensemble-00001.nc.123.tmp").write_bytes(b"half")
    assert verify(folder) == []


def test_the_command_names_each_and_exits_2(folder, capsys):
    (folder / "curves.nc").write_bytes(b"")
    (folder / "notes.txt").write_text("mine")
    assert bnstudy("verify", str(folder)) == 2
    printed = capsys.readouterr()
    assert f"{folder / 'curves.nc'}: damaged; run the study again" in printed.out
    assert f"{folder / 'notes.txt'}: foreign" in printed.out
    assert printed.err.count("\n") == 1
    assert "2 of its files" in printed.err
    assert bnstudy("verify", str(folder), "--json") == 2
    assert [finding["kind"] for finding in json.loads(capsys.readouterr().out)["files"]] == ["damaged", "foreign"]


def test_a_folder_without_a_study_is_bad_input(tmp_path, capsys):
    assert bnstudy("verify", str(tmp_path)) == 2
    assert "no study there" in capsys.readouterr().err


def test_the_page_of_the_report_may_lie_in_the_folder(folder):
    assert bnstudy("report", str(folder)) == 0
    assert (folder / "report.html").is_file()
    assert verify(folder) == []
    assert execution.run(Study.make(STUDY), folder).sizes["seed"] == 2
