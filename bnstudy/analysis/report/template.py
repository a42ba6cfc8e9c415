"""Templates of pages: filled, with the styles and scripts that may run named by their hashes."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
from collections.abc import Sequence
from importlib.resources import files as resources
from typing import Any

import jinja2
from markupsafe import Markup

RELOAD = "reload.js"


def fill(name: str, scripts: Sequence[str], **values: Any) -> str:
    """A template with these values, its own style sheet, and these scripts.

    The template finds the style in `style`, the scripts in `scripts`, and in `policy` what a browser may take from it.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bnstudy.analysis.report"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    style, texts = _asset("page.css"), [_asset(script) for script in scripts]
    hashes = " ".join(f"'{_hash(text)}'" for text in texts) or "'none'"
    policy = f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src {hashes}"
    return environment.get_template(name).render(
        style=Markup(style),
        scripts=[Markup(text) for text in texts],
        policy=Markup(f"{policy}; base-uri 'none'; form-action 'none'"),
        version=importlib.metadata.version("bnstudy"),
        **values,
    )


def _asset(name: str) -> str:
    return (resources("bnstudy.analysis.report") / "templates" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """What a content security policy calls an inline style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
