"""Look at every link of the built pages: ``python docs/generate/check_links.py docs/_build/html``.

Pages, files and anchors that a link within them names have to be there; so has the alternative text of every picture.
What leads elsewhere is left to ``make linkcheck``, which needs a network.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The anchors of a page, its links, and pictures without an alternative text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.mute: list[str] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what the tag has."""
        about = dict(attrs)
        self.anchors |= {about[key] or "" for key in ("id", "name") if key in about}
        self.links += [about[key] or "" for key in ("href", "src") if key in about]
        if tag == "img" and not about.get("alt"):
            self.mute.append(about.get("src") or "")


def problems(folder: Path) -> Iterator[str]:
    """What is wrong, a line each."""
    pages = {path: Page(path) for path in sorted(folder.rglob("*.html")) if "_static" not in path.parts}
    for path, page in pages.items():
        name = path.relative_to(folder)
        yield from (f"{name}: the picture {source} has no alternative text" for source in page.mute)
        for link in dict.fromkeys(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                yield f"{name}: {link} leads nowhere"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors | {"top"}:
                yield f"{name}: {link} names no anchor of that page"


def main() -> None:
    """Tell every problem, and end with 1 if there is one."""
    found = list(problems(Path(sys.argv[1]).resolve()))
    sys.stdout.writelines(f"{problem}\n" for problem in found)
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
