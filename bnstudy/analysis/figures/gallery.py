"""Every figure of a study into a folder, with an index that says what each shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from bnstudy.analysis.figures import index, style
from bnstudy.analysis.figures.depth import growth_figure
from bnstudy.analysis.figures.describing import Description, describe, describe_drawn
from bnstudy.analysis.figures.layers_over_epochs import diagnostics_figure
from bnstudy.analysis.results import Judged, Results
from bnstudy.analysis.theory import growths
from bnstudy.storage import atomic
from bnstudy.storage.opening import has_diagnostics, name_of, open_diagnostics
from bnstudy.study.errors import InputError
from bnstudy.study.registry import figures

OF_DIAGNOSTICS = ("diagnostics", "growth")  # figures of what was looked at in training
LOOKED = (
    "Each layer's units and gradients before the first epoch and after each, on one batch. The effective learning rate "
    "is the rate over the squared norm of the weights: what counts where a norm makes their scale immaterial."
)
SVG_MARK = b"<dc:title>bnstudy</dc:title>"  # of style.METADATA
GROWN = (
    "By what factor signals (without a norm) and squared gradients (with Batch Normalization) change a layer before "
    "training, in networks of eight hidden layers or more, beside what theory predicts for wide ones."
)


@dataclass(frozen=True)
class Drawn:
    """One figure as drawn: its name, what it shows, what stands for it, and its files; beside them lie its numbers."""

    name: str
    label: str
    caption: str
    alt: str
    paths: tuple[Path, ...]


def draw_all(results: Judged, folder: Path, names: Sequence[str] | None = None) -> list[Drawn]:
    """Draw every figure that applies into `folder`, as SVG and PNG, with its numbers as a page of Markdown.

    Parameters
    ----------
    results : Judged
        Of a study, or of other runs.
    folder : Path
        Made if missing.
    names : sequence of str, optional
        Draw these alone; an unknown one is an InputError.
    """
    drawn = []
    refuse_others(folder, names)
    for name in names or list(figures):
        entry = figures[name]
        with style.house_style():
            figure = style.drawn(name, results)
            if figure is None:
                continue
            paths = style.save(figure, folder / name)
            told = describe(name, results, figure)
        drawn.append(_with_numbers(name, entry.label, entry.about["caption"], told, paths))
    return drawn


def refuse_others(folder: Path, names: Sequence[str] | None = None) -> None:
    """InputError where a file that one of these figures, or any, would be written to was not drawn here."""
    atomic.check_folder(folder)
    for name in names or list(figures):
        _refuse_others(folder, name, figures[name].label)


def _refuse_others(folder: Path, name: str, label: str) -> None:
    """InputError where a file that a figure would be written to was not drawn here: it may be the user's."""
    vector, numbers = folder / f"{name}.svg", folder / f"{name}.md"
    there = [path for path in (vector, folder / f"{name}.png", numbers) if path.is_file()]
    if there and not _begins(vector, SVG_MARK) and not _begins(numbers, f"# {label}\n".encode()):
        raise InputError(f"{there[0]} is there and was not drawn by bnstudy; choose another folder with --out", "out")


def _begins(path: Path, mark: bytes) -> bool:
    """Whether a mark is in the first lines of a file."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return mark in file.read(2000)


def _with_numbers(name: str, label: str, caption: str, told: Description, paths: list[Path]) -> Drawn:
    atomic.write_text(paths[0].with_name(f"{name}.md"), _page(label, caption, told))
    return Drawn(name, label, caption, told.alt, tuple(paths))


def _page(label: str, caption: str, told: Description) -> str:
    """The numbers of a figure, as a page of their own."""
    table = told.table
    lines = [[index.markdown(text) for text in row] for row in (table.header, *table.rows)]
    lines.insert(1, ["---" if i < table.labels else "--:" for i in range(len(table.header))])
    notes = [f"- {index.markdown(note, 1000)}" for note in table.notes]
    body = "\n".join(f"| {' | '.join(row)} |" for row in lines)
    return "\n".join([f"# {label}", "", caption, "", f"{index.markdown(table.title)}:", "", body, "", *notes, ""])


def draw_figures(
    source: str | Path | Judged | Iterable[str | Path], out: str | Path = "figures", *, only: Sequence[str] = ()
) -> list[Path]:
    """Draw figures as SVG and PNG, each with its numbers as a page of Markdown.

    Parameters
    ----------
    source : path, several paths, or results
        Study folders or netCDF files, whose figures go into ``out/NAME``, with ``out/README.md`` that shows them; or
        results (:class:`bnstudy.Results`, or what :func:`bnstudy.judge` gives), whose figures go into `out` itself.
    out : path
        Where to draw. Figures that were drawn there before are replaced, no other file; of sources, those of the same
        study alone.
    only : sequence of str
        Names of figures to draw, where they apply, as ``bnstudy list figures`` shows them; all by default.

    Returns
    -------
    list of Path
        What was written, but for the numbers.

    Raises
    ------
    InputError
        A source cannot be read, `out` cannot be written or holds other files of these names or another study's figures,
        or a name is unknown.

    Examples
    --------
    >>> import bnstudy
    >>> study = bnstudy.Study.make({"dataset": "digits", "models": "mlp", "hidden": "8", "seeds": 2, "epochs": 2})
    >>> _ = bnstudy.run(study, "results/small")
    >>> [path.as_posix() for path in bnstudy.draw_figures("results/small", only=["error-curves"])]
    ['figures/small/error-curves.svg', 'figures/small/error-curves.png', 'figures/README.md']
    """
    if isinstance(source, Judged):
        return [path for one in draw_all(source, Path(out), only or None) for path in one.paths]
    sources = [source] if isinstance(source, str | Path) else list(source)
    return draw_studies([Path(one) for one in sources], Path(out), only)


def draw_studies(
    sources: Iterable[Path],
    folder: Path,
    only: Sequence[str] = (),
    opened: Callable[[xr.Dataset, Path], None] | None = None,
) -> list[Path]:
    """Draw the figures of every study, each into ``folder/NAME``, and write ``folder/README.md``.

    What that page says of other studies stays.

    Parameters
    ----------
    sources : iterable of Path
        Study folders or netCDF files.
    folder : Path
        Where to draw.
    only : sequence of str
        Names of figures to draw, where they apply; all by default.
    opened : callable, optional
        Told of each study's dataset and source before its figures are drawn.

    Raises
    ------
    InputError
        A source cannot be read, `folder` cannot be written or holds another study's figures, or a name is unknown.
    """
    of_curves = [name for name in only if name not in OF_DIAGNOSTICS]
    for name in of_curves:
        figures[name]  # an unknown name is refused before anything is drawn
    there = index.sections_of(folder)
    found: dict[str, tuple[Path, Results]] = {}
    for source in sources:  # all of them before any is drawn
        results = Results.open(source)
        name = _folder_name(name_of(results.curves, source))
        while name in found:
            name += "-again"
        if name in there:
            index.refuse_another(folder / name, there[name], results.curves)
        found[name] = source, results
    written: list[Path] = []
    for name, (source, results) in found.items():
        if opened:
            opened(results.curves, source)
        try:
            drawn = draw_all(results, folder / name, of_curves or None) if of_curves or not only else []
        except OSError as error:
            raise InputError(f"{folder}: cannot be written: {error.strerror}", "out") from None
        if has_diagnostics(source):
            drawn += _draw_diagnostics(source, folder / name, only or OF_DIAGNOSTICS)
        there[name] = index.section(results.curves, name, source, drawn, only)
        written += [path for one in drawn for path in one.paths]
    return [*written, index.write(folder, there)]


def _folder_name(name: str) -> str:
    """A study's name as a folder may be called."""
    plain = style.shorten("".join(c if c.isalnum() or c in "-_." else "-" for c in name), 60)
    return f"{plain.lstrip('.')}-again" if plain.startswith(".") else plain


def _draw_diagnostics(source: Path, folder: Path, names: Sequence[str]) -> list[Drawn]:
    found, drawn = open_diagnostics(source), []
    with style.house_style():
        if "diagnostics" in names:
            drawn.append(
                _draw("diagnostics", "What was looked at in training", LOOKED, diagnostics_figure(found), folder)
            )
        if "growth" in names and (rows := growths(found)):
            figure = growth_figure(rows, style.source(found))
            drawn.append(_draw("growth", "Growth a layer, theory beside measurement", GROWN, figure, folder))
    return drawn


def _draw(name: str, label: str, caption: str, figure: Figure, folder: Path) -> Drawn:
    _refuse_others(folder, name, label)
    paths = style.save(figure, folder / name)
    return _with_numbers(name, label, caption, describe_drawn(label, figure), paths)
