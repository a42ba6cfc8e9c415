"""The gallery: a page for every registered figure, drawn from the published studies by the line that it shows."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from bnstudy.analysis.figures import gallery, style
from bnstudy.analysis.results import Results
from bnstudy.cli.app import main
from bnstudy.plugins import figures

from generate import DOCS, ROOT, toctree
from generate.commands import plain

FOLDER = "gallery"
DATA = "studies/data"
STUDIES = ("init-sweep", "norms", "learning-rate", "phase-diagram", "gradient-growth")  # the first to which one applies
OF_DIAGNOSTICS = {
    "diagnostics": ("What was looked at in training", gallery.LOOKED, "phase-diagram"),
    "growth": ("Growth a layer, theory beside measurement", gallery.GROWN, "gradient-growth"),
}
OWN_FIGURE = """\
import bnstudy
import matplotlib.pyplot as plt
from bnstudy.plugins import figures

results = bnstudy.Results.open("studies/data/init-sweep")
figure, (left, right) = plt.subplots(1, 2, figsize=(16, 5), layout="constrained")
figures["paired-seeds"].function(results, ax=left)
figures["forest"].function(results, ax=right)
figure.savefig("mine.png")
"""
HEAD = """# Gallery

Every figure that bnstudy draws, from the [published studies](../findings/index.md). `bnstudy figures DIR` draws all
that apply to a study, as SVG and PNG; each page shows the line that drew its picture. What is registered is asked by
`bnstudy list figures`; [a figure of your own](../howto/adding/figure.md) stands among them.
"""


def pages() -> dict[str, str]:
    """A page a figure, and cards that lead to them; the pictures are drawn where they are out of date."""
    shown = {**registered(), **OF_DIAGNOSTICS}
    made, cards = {}, ["::::{grid} 1 2 2 3", ":gutter: 3", ""]
    for name, (label, caption, study) in shown.items():
        line = f"bnstudy figures {DATA}/{study} --only {name}"
        draw(name, study, line)
        made[f"{FOLDER}/{name}.md"] = page(name, label, caption, line)
        cards += [f":::{{grid-item-card}} {label}", f":link: {name}", ":link-type: doc", f":img-top: images/{name}.png"]
        cards += [f":img-alt: {label}", ":::", ""]
    own = DOCS / FOLDER / "images" / "mine.png"
    if outdated(own):
        in_folder(lambda: exec(compile(OWN_FIGURE, "gallery", "exec"), {}), own)
    index = [HEAD, *cards, "::::", "", "## In a figure of your own", "", "A figure is a function of results, and draws"]
    index += ["into a figure of yours if it is given an axes:", "", "```python", OWN_FIGURE.rstrip(), "```", ""]
    index += ["![Paired seeds beside verdicts](images/mine.png)", "", *toctree(list(shown))]
    return made | {f"{FOLDER}/index.md": "\n".join(index)}


def registered() -> dict[str, tuple[str, str, str]]:
    """Label, caption and study of every registered figure."""
    opened = {study: Results.open(ROOT / DATA / study) for study in STUDIES}
    found = {}
    for name, entry in figures.items():
        study = next((study for study, results in opened.items() if entry.about["applies"](results)), None)
        if study is None:
            raise ValueError(f"no published study shows the figure {name}; name one in docs/generate/gallery.py")
        found[name] = (entry.label, entry.about["caption"], study)
    return found


def page(name: str, label: str, caption: str, line: str) -> str:
    """One figure: its picture, what it shows, and the line that drew it."""
    lines = [f"# {label}", "", plain(caption), "", "```bash", line, "```", "", f"```{{figure}} images/{name}.png"]
    lines += [f":alt: {label}. {' '.join(caption.split())}", f":target: ../_images/{name}.png", "```", ""]
    if name in figures:
        lines += [f'Its function is `figures["{name}"].function(results, ax=None)`, from `bnstudy.plugins`.']
    return "\n".join([*lines, ""])


def draw(name: str, study: str, line: str) -> None:
    """Run the line that is shown, in a folder that is thrown away but for the picture."""
    picture = DOCS / FOLDER / "images" / f"{name}.png"
    if outdated(picture):
        in_folder(lambda: command(line), picture, f"figures/{study}/{name}.png")


def command(line: str) -> None:
    """A command as a shell would run it."""
    only_png = mock.patch.object(style, "METADATA", {"png": style.METADATA["png"]})  # SVG would take as long again
    with only_png, contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        main(line.split()[1:])


def in_folder(call: Callable[[], None], target: Path, made: str = "mine.png") -> None:
    """Call something that writes a file into the current folder, and keep the file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(ROOT / "studies", Path(folder) / "studies")
        os.chdir(folder)
        try:
            call()
            shutil.copy(made, target)
        finally:
            os.chdir(before)


def outdated(picture: Path) -> bool:
    """Whether a picture is missing, or older than the data or the code it comes from."""
    if not picture.is_file():
        return True
    sources = [*(ROOT / DATA).glob("*/*.nc"), *(ROOT / "bnstudy" / "analysis").rglob("*.py")]
    return picture.stat().st_mtime < max(path.stat().st_mtime for path in sources)
