"""The documentation: its sources fit the program, and it is built without a warning or a link that leads nowhere."""

from __future__ import annotations

import functools
import http.server
import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import jsonschema
import pytest
import typer
from bnstudy.cli.app import app
from bnstudy.study import registry
from bnstudy.study.errors import InputError
from bnstudy.study.registry import figures
from bnstudy.study.study import Study

from tests.conftest import ROOT

DOCS = ROOT / "docs"
MADE = ("reference/commands/", "reference/python/", "gallery/", "reference/levels.md", "reference/study-files.md",
        "reference/results.md")  # fmt: skip
PAGES = [
    path
    for path in sorted(DOCS.rglob("*.md"))
    if "_build" not in path.parts and not path.relative_to(DOCS).as_posix().startswith(MADE)
]
COMMANDS = typer.main.get_command(app).commands


@pytest.fixture
def generate(monkeypatch):
    """The modules that make pages, by their names."""
    monkeypatch.syspath_prepend(DOCS)
    yield lambda name: importlib.import_module(f"generate.{name}")
    for name in [name for name in sys.modules if name.partition(".")[0] == "generate"]:
        del sys.modules[name]


# ------------------------------------------------------------------ what is written by hand


def slugs(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub and MyST make them."""
    titles = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_its_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, heading = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        if target.startswith("http"):
            continue
        if os.path.relpath(found, DOCS).startswith(MADE):  # a checkout has none before they are made
            assert page == DOCS / "reference" / "index.md", f"{target}: link to reference/index.md, which says so"
            continue
        assert found.is_file(), target
        assert not heading or heading in slugs(found.read_text()), target


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.relative_to(ROOT).as_posix())
def test_its_commands_and_their_options_are_there(page):
    text = page.read_text()
    code = [line for block in re.findall(r"^```[^\n]*\n(.*?)^```", text, re.M | re.S) for line in block.splitlines()]
    code += re.findall(r"`(bnstudy [^`]+)`", " ".join(text.split()))
    for line in re.findall(r"(?:^|[ /!])(bnstudy [a-z][^#&|`\n]*)", "\n".join(code).replace("\\\n", " "), re.M):
        name, *rest = line.split()[1:]
        if name not in COMMANDS:
            assert name.endswith(","), line  # of the program's name in prose
            continue
        there = {option for one in COMMANDS[name].params for option in one.opts} | {
            "--help",
            "--plugin",
            "--version",
            "--traceback",
        }
        used = {word.partition("=")[0] for word in rest if re.match(r"--[a-z]", word)}
        assert used <= there, (line, used - there)


# ------------------------------------------------------------------ the schema of study files


def test_the_schema_is_as_the_study_says(generate):
    made = generate("study_schema")
    assert made.FILE.read_text() == made.text(), "run `make schema`"
    assert set(made.described()) == set(Study.model_fields) | {"scales"}
    assert all(made.described().values())


GOOD = (
    {"seeds": 3}, {"seeds": "1,2"}, {"lr": 0.1}, {"lr": "0.1,0.2"}, {"hidden": "64x8"}, {"hidden": ["64x8", 10]},
    {"scales": 1}, {"scales": [0.1, 1]}, {"looks": []}, {"looks": 10, "seeds": 10}, {"epochs": "5"},
    {"condition": "lr", "lr": [0.1, 1], "reference": 0.1}, {"predictions": ["x"]}, {"roles": {"default": "well"}},
)  # fmt: skip
BAD = (
    {"model": "mlp"}, {"epochs": 0}, {"seeds": 0}, {"roles": {"zero": "bad"}}, {"diagnostics": 1}, {"lr": []},
    {"lr": -1}, {"condition": "epoch"}, {"momentum": 1}, {"predictions": [{"expect": []}]}, {"scales": 0},
    {"hidden": [0]}, {"input_scaling": "none"}, {"train_size": 0},
)  # fmt: skip


def fits(values: object) -> bool:
    schema = json.loads((ROOT / "studies" / "study.schema.json").read_text())
    return jsonschema.Draft202012Validator(schema).is_valid(values)


@pytest.mark.parametrize("path", sorted(ROOT.glob("studies/*.toml")), ids=lambda path: path.stem)
def test_published_studies_fit_it(path):
    assert fits(tomllib.loads(path.read_text()))
    assert fits(Study.load(path).model_dump(mode="json"))


@pytest.mark.parametrize("values", GOOD, ids=str)
def test_what_a_study_takes_fits_it(values):
    assert Study.make(values)
    assert fits(values)


@pytest.mark.parametrize("values", BAD, ids=str)
def test_what_a_study_refuses_does_not(values):
    with pytest.raises(InputError):
        Study.make(values)
    assert not fits(values)


# ------------------------------------------------------------------ the site


def test_every_command_has_a_page_with_its_options(generate):
    pages = generate("commands").pages()
    for name, command in COMMANDS.items():
        page = pages[f"reference/commands/{name}.md"]
        assert all(f"`{one.opts[0]}" in page for one in command.params if one.param_type_name == "option")


def test_every_level_stands_in_the_reference_with_its_source(generate):
    page = generate("entries").pages()["reference/levels.md"]
    for entries in (registry.initializers, registry.norms, registry.models, registry.datasets):
        for entry in entries.values():
            if entry.origin is None:
                assert f"`{entry.name}" in page, entry.name
                assert entry.citation in page, entry.name


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, built from a copy of its sources."""
    root = tmp_path_factory.mktemp("site")
    for name in ("docs", "studies", "figures", "benchmarks", "CHANGELOG.md", "CONTRIBUTING.md", ".taplo.toml"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("_build"))
        else:
            shutil.copy(source, root / name)
    os.symlink(ROOT / "bnstudy", root / "bnstudy")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default"}
    command = "-m sphinx -q -W --keep-going -j auto -b html docs html"
    built = subprocess.run([sys.executable, *shlex.split(command)], cwd=root, env=environment, capture_output=True,
                           text=True, check=False)  # fmt: skip
    assert built.returncode == 0, built.stderr
    return root / "html"


@pytest.mark.slow
def test_it_is_built_and_no_link_within_it_leads_nowhere(site):
    command = [sys.executable, DOCS / "generate" / "check_links.py", site]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, "")
    for name in figures:
        assert (site / "gallery" / f"{name}.html").is_file()
    tutorial = (site / "tutorial" / "first-study.html").read_text()
    assert "matters mainly where weights are too small" in tutorial  # which no source says: it was executed
    assert "read 2 arms × 2 conditions, 32 runs" in tutorial
    for exercise in ("which-start", "how-many-seeds", "is-it-bn"):
        assert "Show the solution" in (site / "howto" / "teach" / f"{exercise}.html").read_text()


@pytest.mark.slow
def test_on_a_phone_nothing_is_wider_than_the_page(site):
    playwright = pytest.importorskip("playwright.sync_api")
    browser_path = shutil.which("chromium")
    if browser_path is None:
        pytest.skip("no chromium")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with playwright.sync_playwright() as started:
            browser = started.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 390, "height": 844})
            for path in sorted(site.rglob("*.html")):
                if "_static" in path.parts:
                    continue
                page.goto(f"http://127.0.0.1:{server.server_port}/{path.relative_to(site).as_posix()}")
                wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                assert wide <= 0, path.name
            browser.close()
    finally:
        server.shutdown()
        server.server_close()
