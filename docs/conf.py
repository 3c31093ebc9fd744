"""Sphinx's settings for the documentation: `make docs` builds it into docs/_build.

A link to a file outside of docs/ offers the file for download, so that the site needs no other host. Markdown
files outside of docs/ have a page that includes them (INCLUDED), and a link to such a file leads to its page.
"""

import os
import re
import tomllib
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parent
REPOSITORY = DOCS.parent
INCLUDED = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "reporting.md",
    "benchmarks/figures.md": "benchmarks/figures.md",
    "benchmarks/quality.md": "benchmarks/quality.md",
    "benchmarks/scale.md": "benchmarks/scale.md",
}
LINK = re.compile(r"\]\(([^)#\s:]+\.md)(?=[)#])")

project = "Nightshelf"
version = release = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "version"
]

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_heading_anchors = 4

html_theme = "furo"
html_title = f"Nightshelf {version}"
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_search_summary = False  # a browser does not let a page that is a file read other files


def setup(app: Sphinx) -> None:
    """Lets links to included files lead to their pages."""
    app.connect("source-read", _link_to_pages)


def _link_to_pages(app: Sphinx, page: str, source: list[str]) -> None:
    folder = (DOCS / page).parent

    def link(match: re.Match[str]) -> str:
        file = (folder / match[1]).resolve()
        if not file.is_relative_to(REPOSITORY) or file.is_relative_to(DOCS):
            return match[0]
        target = INCLUDED.get(str(file.relative_to(REPOSITORY)))
        return f"]({os.path.relpath(DOCS / target, folder)}" if target else match[0]

    source[0] = LINK.sub(link, source[0])
