"""Results damaged on disk, in a thousand ways: refused, mended or told, never read as something else."""

from __future__ import annotations

import shutil
import time
import warnings
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from bnstudy.storage.manifest import DATASET
from bnstudy.storage.opening import open_results
from bnstudy.storage.verification import verify
from bnstudy.study.errors import DataWarning, InputError
from bnstudy.study.study import Study
from bnstudy.training.running.execution import run

from tests.faults.studies import TIMES, TINY, damaged

SETTINGS = {**TINY, "inits": "default,zero", "norms": "none,batch", "seeds": 2, "epochs": 2}
LIMIT = 60.0  # seconds, on any machine


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A finished study of two ensembles, one of them stored after the other, and its dataset."""
    folder = tmp_path_factory.mktemp("good") / "study"
    run(Study.make(SETTINGS), folder, jobs=1)
    return folder, open_results(folder)


def other_content(path: Path, rng: np.random.Generator) -> str:
    content = path.read_bytes()
    kind, broken = damaged(content, rng)
    while broken == content:
        kind, broken = damaged(content, rng)
    path.write_bytes(broken)
    return kind


@pytest.mark.parametrize("count", [4, pytest.param(400, marks=pytest.mark.faults)])
def test_a_damaged_netcdf_file_alone_is_refused_or_told(good, tmp_path, rng, count):
    folder, wanted = good
    file = tmp_path / "results.nc"
    seen: Counter[str] = Counter()
    slowest = 0.0
    for _ in range(count):
        shutil.copy(folder / DATASET, file)
        kind = other_content(file, rng)
        started = time.monotonic()
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            try:
                found = open_results(file)
            except InputError as error:
                assert str(error).startswith(f"{file}: "), str(error)
                assert "\n" not in str(error)
                outcome = "refused"
            else:
                outcome = "the same" if found.identical(wanted) else "told" if told else f"silent ({kind})"
                assert all(warning.category is DataWarning for warning in told)
        slowest = max(slowest, time.monotonic() - started)
        seen[outcome] += 1
    print(f"\n{count} damaged netCDF files alone: {dict(seen)}, the slowest in {slowest:.1f} s")
    assert set(seen) <= {"refused", "told", "the same"}
    assert slowest < LIMIT


FILES = ("curves.nc", "ensembles", "manifest.jsonl", "plan.json", "study.toml", "arms.json", "running.json")


@pytest.mark.parametrize("count", [21, pytest.param(600, marks=pytest.mark.faults)])
def test_a_damaged_study_folder_is_refused_or_mended(good, tmp_path, rng, count):
    folder, wanted = good
    seen: Counter[str] = Counter()
    slowest = 0.0
    for i in range(count):
        copy = tmp_path / str(i)
        shutil.copytree(folder, copy)
        path = copy / FILES[i % len(FILES)]
        if path.is_dir():
            path = sorted(path.iterdir())[int(rng.integers(len(list(path.iterdir()))))]
        if rng.random() < 0.1:
            path.unlink()
            kind = "lost"
        else:
            kind = other_content(path, rng)
        about = f"{path.name}: {kind}"
        started = time.monotonic()
        with suppress(InputError):
            assert open_results(copy).identical(wanted), about
        slowest = max(slowest, time.monotonic() - started)
        try:
            named = bool(verify(copy))
        except InputError:
            named = True
        # What has no bearing on the results may be as it likes.
        assert named or path.name in ("running.json", "arms.json", "study.toml", "manifest.jsonl"), about
        try:
            found = run(Study.make(SETTINGS), copy, jobs=1, allow_mixed=True)
        except InputError as error:
            assert "\n" not in str(error)
            outcome = "refused"
        else:
            found = found.drop_vars(TIMES).assign_attrs(created=wanted.created)
            same = found.identical(wanted.drop_vars(TIMES))
            outcome = ("mended" if named else "harmless") if same else f"silent ({about})"
            assert verify(copy) == [], about
        seen[outcome] += 1
        shutil.rmtree(copy)
    print(f"\n{count} damaged files in study folders: {dict(seen)}, the slowest to open in {slowest:.1f} s")
    assert set(seen) <= {"refused", "mended", "harmless"}
    assert slowest < LIMIT
