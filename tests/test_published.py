"""What the repository publishes: datasets as they were written, of the studies in studies/, and every number quoted."""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from bnstudy import data, machine, provenance
from bnstudy.analysis import responses, theory
from bnstudy.analysis.table import report_table
from bnstudy.plan import make_plan
from bnstudy.reading import has_diagnostics, open_diagnostics, open_results
from bnstudy.study import Study
from bnstudy.training import train_ensemble

from tests import quotes
from tests.conftest import ROOT

DATA = ROOT / "studies" / "data"
NAMES = sorted(path.parent.name for path in DATA.glob("*/curves.nc"))
README = (ROOT / "README.md").read_text()
FINDINGS = (ROOT / "docs" / "findings.md").read_text()


@cache
def curves(name: str) -> xr.Dataset:
    return open_results(DATA / name)


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


def accuracies(name: str) -> xr.DataArray:
    """Mean final accuracy in percent, over model, norm and init."""
    return (100 * responses.final(curves(name), "test_accuracy")).mean("seed").isel(optimizer=0, lr=0)


def of_growth() -> set[str]:
    rows = theory.growths(open_diagnostics(DATA / "gradient-growth"))
    found = set()
    for what in ("signal", "gradient"):
        found.add(f"{100 * max(abs(one.deviation) for one in rows if one.what == what):.1f}")
    for batch in (16, 100):
        measured = [one.measured for one in rows if one.what == "gradient" and one.batch == batch]
        found |= {f"{min(measured):.3f}", f"{max(measured):.3f}", f"{theory.gradient_growth(batch):.3f}"}
    return found


def of_depth() -> set[str]:
    return {f"{value:.1f}" for value in accuracies("bn-depth").values.ravel()}


def of_phases() -> set[str]:
    plain, bn = (accuracies("phase-diagram").sel(norm=norm) for norm in ("none", "batch"))
    shallow = bn.sel(model=[model for model, depth in theory.depths(curves("phase-diagram")).items() if depth <= 20])
    spread = float((shallow.max("init") - shallow.min("init")).max())
    return {f"{value:.1f}" for value in plain.values.ravel()} | {f"{spread:.1f}"}


def flat(text: str) -> str:
    return " ".join(text.split())


def quoted(page: str) -> list[str]:
    """What a page has to say, in the words of tests/quotes.py."""
    if page == "README":
        found = [*quotes.summary(), *quotes.markdown(report_table(quotes.curves("baseline"))), *quotes.answers()]
        return [*found, *quotes.readme(), *quotes.both(), *list(quotes.tuned())[3:5]]
    found = [line for model in ("mlp", "cnn") for line in (*quotes.sweep(model), *quotes.rates(model))]
    found += [*quotes.selected(), *quotes.tuned(), *quotes.both(), *quotes.against_he()]
    return [*found, *quotes.findings(), *quotes.published()]


PAGES = {"README": README.partition("## Start\n")[0], "findings": FINDINGS}
# Learning rates, momentum, scales and margins, eps and its root, accuracies that the report or a file name.
SETTINGS = {"0.001", "0.01", "0.1", "0.9", "0.71", "0.84", "0.2", "0.3", "0.003", "98.5", "3.11", "4.1"}


@pytest.mark.parametrize("page", PAGES)
def test_every_number_of_a_page_is_derived_again(page):
    """Each quote stands there, and no decimal and no share stands anywhere else."""
    text = flat(PAGES[page])
    for quote in sorted(map(flat, quoted(page)), key=len, reverse=True):
        assert quote in flat(PAGES[page]), quote
        text = text.replace(quote, " ")
    derived = of_growth() | of_depth() | of_phases() if page == "findings" else set()
    left = set(re.findall(r"(?<![\w.])\d+\.\d+", text)) - SETTINGS - derived
    assert left == set()


def test_the_counts_of_the_findings():
    phases, whole = curves("phase-diagram"), accuracies("phase-diagram")
    right = {norm: theory.agreement(phases, norm) for norm in ("none", "batch")}
    assert right == {"none": (47, 54), "batch": (45, 54)}
    assert "right in 47 of 54 cells without BN" in FINDINGS.replace("\n", " ")
    assert "in 45 of 54 with it" in FINDINGS.replace("\n", " ")
    hits = [
        (whole.sel(norm="none", model=model, init=init) > 80) == (depth <= limit)
        if depth <= limit
        else whole.sel(norm="none", model=model, init=init) < 50
        for model, depth in theory.depths(phases).items()
        for init, scale in theory.scales_of(phases).items()
        if depth <= (limit := theory.trainable_depth(scale)) or depth > 2 * limit
    ]
    assert (sum(map(bool, hits)), len(hits)) == (44, 48)
    assert "Right in 44 of the 48 cells" in FINDINGS
    for depth, low, high in ((20, 72, 93), (40, 34, 47), (60, 12, 19)):
        there = whole.sel(norm="batch", model=f"mlp:100x{depth}")
        assert (round(float(there.min())), round(float(there.max()))) == (low, high)
    depths = theory.depths(curves("bn-depth"))
    table = accuracies("bn-depth").isel(init=0)
    for model, depth in depths.items():
        plain, bn = (float(table.sel(model=model, norm=norm)) for norm in ("none", "batch"))
        assert f"| {depth} | {plain:.1f} % | {bn:.1f} % |" in FINDINGS
    assert np.isclose(float(table.sel(model="mlp:100x80", norm="batch")), 10, atol=2)  # "chance at 80"
