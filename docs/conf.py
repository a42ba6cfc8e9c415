"""How the documentation is built: ``make docs``. Nothing is fetched from a network."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version as version_of
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import generate  # noqa: E402
from generate import commands, entries, gallery, python_names, study_files  # noqa: E402

project = "bnstudy"
author = "The bnstudy maintainers"
copyright = author
release = version = version_of("bnstudy")

extensions = ["myst_nb", "sphinx.ext.autodoc", "numpydoc", "sphinx_design", "sphinx_copybutton"]
exclude_patterns = ["_build", "generate"]
smartquotes = False  # options begin with two hyphens
suppress_warnings = ["mystnb.unknown_mime_type"]  # of widgets, which also come as text
templates_path: list[str] = []

# ------------------------------------------------------------------ pages in MyST, and notebooks that run
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_execution_timeout = 180
nb_merge_streams = True
# Notebooks call bnstudy as this process would, on this copy of the package.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(generate.ROOT), os.environ.get("PYTHONPATH")]))

# ------------------------------------------------------------------ Python
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
autodoc_typehints = "none"  # numpydoc says them
python_display_short_literal_types = True
add_module_names = False

# ------------------------------------------------------------------ links
linkcheck_timeout = 20
linkcheck_workers = 2
linkcheck_ignore = [r"http://localhost.*", r"\.\./_images/"]  # the second: within the site, by generate/check_links.py

# ------------------------------------------------------------------ how it looks
html_theme = "pydata_sphinx_theme"
html_title = "bnstudy"
html_favicon = "_static/favicon.svg"
html_context = {"default_mode": "auto"}
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_extra_path = ["../studies/study.schema.json"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": True,
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
copybutton_exclude = ".linenos, .gp, .go"


def setup(app: object) -> None:
    """Make the pages that are not written by hand, before Sphinx looks for pages."""
    made: dict[str, str] = {}
    for module in (commands, python_names, entries, study_files, gallery):
        made |= module.pages()
    generate.write(made)
