"""Every figure over many shapes of dataset: drawn without a warning, deterministic, and true to the data."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bnstudy.analysis import responses
from bnstudy.analysis.figures import gains, panels, rates, style, survival
from bnstudy.analysis.figures.gallery import draw_all, draw_studies
from bnstudy.analysis.results import Results
from bnstudy.analysis.tables.verdicts import plain
from bnstudy.study.errors import InputError
from bnstudy.study.registry import figures
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tests.pairs import pairs
from tests.synthetic import make_dataset

DEPTHS = {
    "models": [f"mlp:8x{depth}" for depth in (2, 5, 20, 60)],
    "norms": ["none", "batch", "layer"],
    "inits": [f"scaled-normal:{s}" for s in (0.25, 0.5, 1, 2)],
}
RATES = {"lrs": [0.1, 0.01], "optimizers": ["adam", "sgd"]}
# Parts of a dataset's shape. Every pair of two of them is drawn, and each with every figure.
PARTS = (
    [{"models": ["mlp"]}, {"models": DEPTHS["models"]}, {"models": ["$\\alpha", "<b>&"]}],
    [{"norms": ["batch"]}, {"norms": DEPTHS["norms"]}, {"norms": ["none", "$"]}],
    [
        *({"inits": inits} for inits in (["zero"], DEPTHS["inits"])),
        {"inits": ["default", "zero", "scaled-normal:0.01"]},
        {"inits": ["$x_1$", "<b>&", "x" * 300, "a\\b{"]},
    ],
    [{"seeds": 1, "epochs": 1}, {"seeds": 1}, {"seeds": 3}],
    [{"diverged": 4}, {"pending": 4}, {"diverged": 10_000}, {"pending": 10_000}],
    [{}, RATES, {"lrs": [0.001, 0.1, 0.01], "validation": True}],
)  # fmt: skip


# A few of them in every run.
BY_TURNS = [pytest.param(name, marks=[pytest.mark.slow] if i % 5 else []) for i, name in enumerate(figures)]


@pytest.fixture
def only_svg(monkeypatch):
    """PNG takes most of the time, and shows what SVG does."""
    monkeypatch.setattr(style, "METADATA", {"svg": style.METADATA["svg"]})


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        pytest.param(name, parts, marks=[pytest.mark.slow] if i % 9 else [])
        for i, (name, *parts) in enumerate(pairs(list(figures), *PARTS))
    ],
)
@pytest.mark.usefixtures("only_svg")
def test_every_figure_of_every_shape(tmp_path, name, parts):
    dataset = make_dataset(**{key: value for part in parts for key, value in part.items()})
    drawn = draw_all(Results(dataset), tmp_path, [name])
    assert bool(drawn) == figures[name].about["applies"](Results(dataset))
    for one in drawn:
        assert one.caption
        assert [path.suffix[1:] for path in one.paths] == list(style.METADATA)
        assert all(path.stat().st_size > 2000 for path in one.paths)


@pytest.mark.parametrize("name", BY_TURNS)
@pytest.mark.usefixtures("only_svg")
def test_of_more_than_a_figure_shows_it_shows_the_first(tmp_path, monkeypatch, name):
    for module, limits in (
        (panels, {"MOST": {"model": 2, "arm": 2, "condition": 3}, "MOST_PANELS": 3, "MOST_SEEDS": 2}),
        (gains, {"MOST_ROWS": 3, "MOST_COLUMNS": 2}), (rates, {"MOST_COLUMNS": 2, "MOST_LINES": 2}),
        (survival, {"MOST_BANDS": 1}),
    ):  # fmt: skip
        for limit, value in limits.items():
            monkeypatch.setattr(module, limit, value)
    dataset = make_dataset(
        **{**DEPTHS, "inits": [*DEPTHS["inits"], "default", "zero"]}, lrs=[0.001, 0.1, 0.01], validation=True, pending=7
    )
    (drawn,) = draw_all(Results(dataset), tmp_path, [name])
    assert drawn.paths[0].stat().st_size > 2000


@pytest.mark.parametrize("name", BY_TURNS)
def test_every_figure_takes_an_axes(name):
    """Drawn in the place of one of several axes, it leaves the others alone."""
    shapes = ({"seeds": 2}, DEPTHS, RATES)
    every = (Results(make_dataset(**shape)) for shape in shapes)
    results = next(one for one in every if figures[name].about["applies"](one))
    with style.house_style():
        own = figures[name].function(results)
        figure = Figure(figsize=(16, 12), layout="constrained")
        axes = figure.subplots(2, 2)
        assert figures[name].function(results, ax=axes[0, 1]) is figure
        bare = Figure(figsize=(8, 6))
        assert figures[name].function(results, ax=bare.add_axes((0.1, 0.1, 0.8, 0.8))) is bare
        for drawn in (figure, bare):
            drawn.savefig(io.BytesIO(), format="png", dpi=30)
    assert not axes[0, 0].has_data()
    assert not axes[1, 1].has_data()
    assert own.get_suptitle()
    assert not figure.get_suptitle()
    panels = [panel for panel in figure.axes if panel.has_data()]
    assert len(panels) == sum(panel.has_data() for panel in own.axes)
    place = axes[0, 1].get_subplotspec().get_position(figure)
    assert all(panel.get_position().x0 > 0.4 and panel.get_position().y0 > 0.4 for panel in panels), place


@pytest.mark.usefixtures("only_svg")
def test_a_dataset_of_accuracies_alone_is_drawn(tmp_path):
    """All that others' results must hold: test_accuracy and init_role."""
    dataset = make_dataset(models=["mlp"])
    bare = dataset[["test_accuracy"]].drop_vars(["init_family", "init_value"]).drop_attrs()
    names = {one.name for one in draw_all(Results(bare), tmp_path)}
    assert {"report-panels", "accuracy-curves", "accuracy-map", "gain-by-condition", "forest", "survival"} <= names


def digest(folder) -> str:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    content = b"".join(path.name.encode() + path.read_bytes() for path in paths)
    return hashlib.sha256(content).hexdigest()


SMALL = {"models": ["mlp"], "inits": ["default", "scaled-normal:0.01"], "lrs": [0.1, 0.01], "seeds": 2}


@pytest.mark.slow
def test_the_same_data_give_the_same_bytes_in_another_process(tmp_path):
    code = (
        "from pathlib import Path; import sys; from tests.analysis.figures.test_figures import SMALL;"
        "from tests.synthetic import make_dataset; from bnstudy.analysis.figures.gallery import draw_all;"
        "from bnstudy.analysis.results import Results;"
        "draw_all(Results(make_dataset(**SMALL)), Path(sys.argv[1]))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "there")], check=True, env=environment)
    drawn = draw_all(Results(make_dataset(**SMALL)), tmp_path / "here")
    assert len(drawn) > 8
    assert digest(tmp_path / "here") == digest(tmp_path / "there")


def test_no_torch_is_imported():
    code = "import sys, bnstudy.analysis.figures.gallery; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_lines_are_the_means_of_the_data():
    dataset = make_dataset()
    with style.house_style():
        figure = figures["accuracy-curves"].function(Results(dataset))
    panel = figure.axes[1]  # mlp, the second init
    for line, norm in zip(panel.lines, dataset.norm.values, strict=True):
        wanted = 100 * dataset.test_accuracy.sel(model="mlp", norm=norm, init=dataset.init[1]).mean("seed").squeeze()
        assert np.allclose(line.get_ydata(), wanted, rtol=1e-6)


def test_a_diverged_run_is_drawn_at_chance_and_named():
    dataset = make_dataset(diverged=3)  # all seeds of mlp, none, default
    with style.house_style():
        panel = figures["accuracy-curves"].function(Results(dataset)).axes[0]
    assert panel.lines[0].get_ydata()[-1] == pytest.approx(10)
    assert [text.get_text() for text in panel.texts] == ["without BN: 3/3 diverged"]


def test_the_heat_map_writes_its_numbers():
    dataset = make_dataset(diverged=1)
    with style.house_style():
        panel = figures["accuracy-map"].function(Results(dataset)).axes[0]
    final = responses.final(dataset, "test_accuracy").sel(model="mlp").squeeze().mean("seed")
    wanted = [f"{100 * float(final.sel(init=i, norm=n)):.1f}" for i in dataset.init.values for n in dataset.norm.values]
    found = [text.get_text() for text in panel.texts]
    assert found[0] == wanted[0] + " (1)"
    assert found[1:] == wanted[1:]


def test_scales_stand_at_their_values():
    dataset = make_dataset(inits=["scaled-normal:10", "scaled-normal:0.1", "zero"])
    with style.house_style():
        panel = figures["accuracy-by-condition"].function(Results(dataset)).axes[0]
    assert [label.get_text() for label in panel.get_xticklabels()] == ["0.1", "10", "zero"]


def test_levels_that_are_cut_stay_apart():
    inits = ["default", "signed-constant:0.01", "signed-constant:10", "a" * 30 + "1", "a" * 30 + "2"]
    results = Results(make_dataset(inits=inits))
    ticks = [tick.get_text() for tick in figures["gain-by-condition"].function(results).axes[0].get_xticklabels()]
    assert {"signed-con…:0.01", "signed-const…:10"} <= set(ticks)
    told = panels.conditions_told(results, inits, 16)
    assert len(set(ticks)) == len(ticks)
    assert len(set(told)) == len(inits)
    assert style.shorten_all(["b" * 20, "b" * 20], 4) == ["bbb…", "bbb…"]


def test_gains_are_drawn_where_they_are_with_their_intervals():
    scales = ["scaled-normal:1", "scaled-normal:0.01", "zero"]
    results = Results(make_dataset(models=["mlp"], inits=scales, seeds=8))
    with style.house_style():
        panel = figures["gain-by-condition"].function(results).axes[0]
    found = results.assessment.squeeze(["model", "setting", "arm"])
    drawn = {(round(float(x), 6), round(float(y), 6)) for line in panel.lines for x, y in line.get_xydata()}
    for place, init in ((-2.0, "scaled-normal:0.01"), (0.0, "scaled-normal:1")):
        assert (place, round(float(found.gain.sel(condition=init)), 6)) in drawn
    assert round(float(found.gain.sel(condition="zero")), 6) in {y for _, y in drawn}


def test_the_map_of_gains_writes_gains_and_words():
    results = Results(make_dataset(models=["mlp"], norms=["none", "batch", "layer"], seeds=8))
    with style.house_style():
        panel = figures["gain-map"].function(results).axes[0]
    found = results.assessment.squeeze(["model", "setting"]).transpose("condition", "arm", ...)
    wanted = [f"{plain(gain)}\n{word}".strip() for gain, word in
              zip(found.gain.values.ravel(), found.word.values.ravel(), strict=True)]  # fmt: skip
    assert [text.get_text() for text in panel.texts] == wanted


def test_a_long_title_stays_in_its_figure():
    dataset = make_dataset(models=["mlp"], inits=["default"], seeds=2).assign_attrs(
        title="A network in which Batch Normalization was made known on MNIST"
    )
    with style.house_style():
        figure = figures["paired-seeds"].function(Results(dataset))
        renderer = FigureCanvasAgg(figure).get_renderer()
        figure.draw(renderer)
    title = next(text for text in figure.texts if text.get_text().startswith("A network"))
    extent = title.get_window_extent(renderer)
    assert figure.bbox.x0 <= extent.x0 < extent.x1 <= figure.bbox.x1


def test_rates_stand_in_order_and_the_selected_ones_aside():
    dataset = make_dataset(models=["mlp"], inits=["default", "zero"], lrs=[0.1, 0.001, 0.01], validation=True)
    at = {"model": "mlp", "norm": "none", "init": "zero", "optimizer": "sgd"}
    dataset.validation_accuracy[:] = 0.5
    dataset.validation_accuracy.loc[{**at, "lr": 0.01}] = 0.6  # with BN all rates tie: the smallest
    dataset.test_accuracy.loc[{**at, "lr": 0.001}] = 0.5
    with style.house_style():
        results = Results(dataset)
        panel = figures["accuracy-by-rate"].function(results).axes[1]
        drawn = figures["gain-by-rate"].function(results).axes[-1]
    assert [label.get_text() for label in panel.get_xticklabels()] == ["0.001", "0.01", "0.1"]
    plain_arm = next(line for line in panel.lines if len(line.get_xdata()) == 3)
    assert plain_arm.get_ydata()[0] == pytest.approx(50)
    ring = next(line for line in panel.lines if line.get_markersize() == 11)
    assert ring.get_xdata().tolist() == [plain_arm.get_xdata()[1]]
    assert ring.get_ydata().tolist() == [plain_arm.get_ydata()[1]]
    assert [label.get_text() for label in drawn.get_xticklabels()] == ["0.001", "0.01", "0.1", "selected"]
    gain = float(results.at_selected_rates.assessment.gain.sel(condition="zero").squeeze())
    aside = [line.get_ydata() for line in drawn.lines if len(np.atleast_1d(line.get_xdata())) == 1]
    assert any(values[0] == pytest.approx(gain, abs=1e-6) for values in aside)


def test_an_unknown_figure_is_refused(tmp_path):
    with pytest.raises(InputError, match="did you mean 'report-panels'"):
        draw_all(Results(make_dataset()), tmp_path, ["report-panel"])


def test_the_gallery_of_two_studies_of_one_name(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        make_dataset(models=["mlp"], seeds=2).assign_attrs(study_name="../$x").to_netcdf(tmp_path / name / "curves.nc")
    out = tmp_path / "out"
    written = draw_studies([tmp_path / "a", tmp_path / "b"], out, ["accuracy-by-condition", "forest"])
    assert all(out in path.parents for path in written)
    index = (out / "README.md").read_text()
    assert "n = 2 seeds" in index
    assert "abababababab" in index
    assert all((out / link.split(")")[0]).exists() for link in index.split("](")[1:])


def test_one_study_never_draws_over_another(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine = make_dataset(models=["mlp"], seeds=2).assign_attrs(title="Mine", study_name="sweep")

    def draw(data, **attributes):
        data.assign_attrs(attributes).to_netcdf("given.nc")
        return draw_studies([Path("given.nc")], Path("figures"), ["forest"])

    draw(mine, title="A B", study_name="other-one")
    draw(mine)
    index, picture = Path("figures/README.md").read_text(), Path("figures/sweep/forest.svg").read_bytes()
    assert index.count("\n## ") == 2
    with pytest.raises(InputError, match=r"figures.sweep holds figures of another study \(Mine.* --out DIR"):
        draw(mine, dataset="mnist", study_hash="12" * 32, title="Not mine")
    assert (index, picture) == (Path("figures/README.md").read_text(), Path("figures/sweep/forest.svg").read_bytes())
    grown = json.dumps([{"at": "2030-01-01", "study_hash": mine.attrs["study_hash"], "changes": {}}])
    draw(mine, study_hash="12" * 32, amendments=grown)
    draw(mine, study_hash="12" * 32, amendments=grown)
    again = Path("figures/README.md").read_text()
    assert again == index.replace("abababababab", "121212121212").replace("121212121212", "abababababab", 1)
    shutil.rmtree("figures/sweep")
    draw(mine, study_hash="34" * 32, title="Anew")
    assert "Mine" not in Path("figures/README.md").read_text()


@pytest.mark.usefixtures("only_svg")
def test_some_figures_alone(tmp_path, capsys):
    from bnstudy.cli import main

    make_dataset(seeds=2).to_netcdf(tmp_path / "made-up.nc")
    for names, found in (("accuracy-by-condition, survival", 2), ("phase-diagram", 0), ("growth", 0)):
        with pytest.raises(SystemExit) as ended:
            main(["figures", str(tmp_path / "made-up.nc"), "--out", str(tmp_path / names[:8]), "--only", names])
        assert not ended.value.code
        assert len(capsys.readouterr().out.splitlines()) == found + 1
    for names, hint in (("survivel", "did you mean 'survival'"), ("", "figure"), (",", "figure")):
        with pytest.raises(SystemExit) as ended:
            main(["figures", str(tmp_path / "made-up.nc"), "--out", str(tmp_path / "no"), "--only", names])
        assert ended.value.code == 2
        assert hint in capsys.readouterr().err
        assert not (tmp_path / "no").exists()


def wrongly_formatted() -> Figure:
    ax = Figure().add_subplot()
    ax.xaxis.set_major_formatter(lambda x, position: 1 / 0)
    return ax.figure


@pytest.mark.parametrize(("applies", "function", "told"), [
    (lambda dataset: 1 / 0, Figure, "ZeroDivisionError: division by zero (line "),
    (lambda dataset: True, lambda dataset: sys.exit(7), "SystemExit: 7 (line "),
    (lambda dataset: True, lambda dataset: None, "it gives a NoneType, not a matplotlib Figure"),
    (lambda dataset: True, lambda dataset: wrongly_formatted(), "ZeroDivisionError: division by zero (line "),
])  # fmt: skip
def test_a_figure_that_fails_is_told(register, tmp_path, applies, function, told):
    register(figures, "wrong", caption="", applies=applies)(function)
    with pytest.raises(InputError, match="figure 'wrong' cannot be drawn: ") as caught:
        draw_all(Results(make_dataset()), tmp_path, ["wrong"])
    assert told in caught.value.problem
