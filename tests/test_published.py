"""What the repository publishes: datasets as they were written, of the studies in studies/, and every number quoted."""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from bnstudy import data, machine, provenance
from bnstudy.analysis import responses
from bnstudy.plan import make_plan
from bnstudy.reading import has_diagnostics
from bnstudy.study import Study
from bnstudy.training import train_ensemble

from tests.conftest import ROOT
from tests.quotes import quotes
from tests.quotes.common import DATA, curves

NAMES = sorted(path.parent.name for path in DATA.glob("*/curves.nc"))
README = (ROOT / "README.md").read_text()
FINDINGS = (ROOT / "docs" / "findings.md").read_text()


def study_file(name: str) -> Path:
    return ROOT / "studies" / f"{name.replace('-', '_')}.toml"


def ends(study: Study) -> tuple[str, str]:
    """The first and the last of a study's models."""
    return study.models[0], study.models[-1]


def test_every_dataset_is_as_its_checksum_says():
    listed = dict(reversed(line.split()) for line in (DATA / "SHA256SUMS").read_text().splitlines())
    there = {path.relative_to(DATA).as_posix(): path for path in DATA.glob("*/*.nc")}
    assert len(NAMES) >= 3
    assert set(listed) == set(there)
    for name, path in there.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == listed[name], name
    assert sum(path.stat().st_size for path in there.values()) < 6e6


@pytest.mark.parametrize("name", NAMES)
def test_it_is_of_the_study_beside_it_and_complete(name):
    stored = Study.make(tomllib.loads(curves(name).attrs["study"]))
    assert stored == Study.load(study_file(name))
    assert stored.predictions
    assert not (~responses.observed(curves(name))).any()
    assert curves(name).attrs["machine"]
    assert "torch==" in curves(name).attrs["versions"]
    assert has_diagnostics(DATA / name) == stored.diagnostics


@pytest.mark.parametrize(
    ("name", "model"), [(name, model) for name in NAMES for model in dict.fromkeys(ends(Study.load(study_file(name))))]
)
def test_a_slice_trained_again_gives_the_same_curves(name, model, mnist_folder):
    """Two runs for one epoch; to the bit where the same machine, kernel and versions are here.

    Sums in another order grow apart: elsewhere a mean over some thousand images agrees to a twentieth.
    """
    stored = curves(name)
    study = Study.load(study_file(name), epochs=1)
    cores = int(stored.attrs["machine"].rpartition(",")[2].split()[0])
    of_model = [one for one in make_plan(study, "cpu", cores=cores) if one.runs[0].model == model]
    whole = of_model[0 if model == study.models[0] else -1]  # the first norm, and the last
    ensemble = replace(whole, runs=whole.runs[:: max(1, len(whole.runs) - 1)])
    loaded = data.load(study, mnist_folder)
    assert torch.get_num_threads() == 1
    found = train_ensemble(study, ensemble, loaded, "cpu")
    here, then = provenance.computed_by(machine.describe("cpu", compiled=True)), provenance.computed_by(stored.attrs)
    if model.startswith("mlp"):
        here["kernel"] = then["kernel"]  # which only convolutions use
    same = not provenance.differing(then, here)
    for i, run in enumerate(ensemble.runs):
        cell = {"model": run.model, "norm": run.norm, "init": run.init, "optimizer": run.optimizer, "lr": run.lr,
                "seed": run.seed, "epoch": 1}  # fmt: skip
        cell |= {dim: getattr(run, dim) for dim in ("batch_size", "weight_decay") if dim in stored.dims}
        for curve in ("train_loss", "test_accuracy", "weight_norm"):
            wanted, got = float(stored[curve].sel(cell)), float(found.values[curve][i, 0])
            if same:
                assert np.array_equal(got, wanted, equal_nan=True), (run, curve)
            else:
                assert got == pytest.approx(wanted, rel=0.05, abs=0.05, nan_ok=True), (run, curve)


# ------------------------------------------------------------------ numbers quoted in README.md and docs/findings.md


def flat(text: str) -> str:
    return " ".join(text.split())


PAGES = {"readme": README.partition("## Start\n")[0], "findings": FINDINGS}
# Learning rates, momentum, scales, targets and margins, eps and its root, accuracies that the report or a file name.
SETTINGS = {"0.001", "0.01", "0.1", "0.9", "0.71", "0.84", "0.2", "0.3", "0.003", "97.5", "98.2", "98.5", "3.11", "4.1"}


@pytest.mark.parametrize("page", PAGES)
def test_every_number_of_a_page_is_derived_again(page):
    """Each quote stands there, and no decimal stands anywhere else."""
    text = whole = flat(PAGES[page])
    for quote in sorted(map(flat, quotes(page)), key=len, reverse=True):
        assert quote in whole, quote
        text = text.replace(quote, " ")
    assert set(re.findall(r"(?<![\w.])\d+\.\d+", text)) - SETTINGS == set()
