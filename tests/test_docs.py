"""The documentation builds without a warning, loads nothing from other hosts, and has no broken links."""

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from typer.main import get_command

from pipelines.cli import app
from serving.http.routes import ROUTES
from serving.observe.masking import display_path
from serving.settings import PROJECT

OUTSIDE_PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
LINK = re.compile(r"\]\(([^)\s]+)\)")
LOADING = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src"}
BROKEN = {  # targets, and the part of each that the build's error names
    "guides/no-page.md": "guides/no-page.md",
    "http.md#no-anchor": "no-anchor",
    "../pipelines/no_file.py": "no_file.py",
    "../NO_FILE.md": "NO_FILE",
}
REMOTE_CSS = re.compile(r"(?:@import\s|url\()\s*['\"]?(?:https?:)?//")

pytestmark = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("sphinx", "myst_parser", "furo")),
    reason="sphinx, myst-parser and furo are not installed: run `make setup`",
)


class Loads(HTMLParser):
    """Collects the addresses that a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value for name, value in attrs if name == LOADING.get(tag) and value]


def build(source: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Builds as `make docs` does."""
    command = [sys.executable, "-m", "sphinx", "-q", "-n", "-W", "--keep-going", str(source), str(site)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation, built once."""
    folder = tmp_path_factory.mktemp("site")
    result = build(PROJECT / "docs", folder)
    assert result.returncode == 0, result.stderr
    return folder


def test_has_every_page(site: Path) -> None:
    sources = (path.relative_to(PROJECT / "docs") for path in (PROJECT / "docs").rglob("*.md"))
    assert [path for path in sources if not (site / path.with_suffix(".html")).exists()] == []


def test_loads_nothing_from_other_hosts(site: Path) -> None:
    remote = []
    for page in site.rglob("*.html"):
        parser = Loads()
        parser.feed(page.read_text())
        remote += [(page.name, url) for url in parser.addresses if urlsplit(url).netloc]
    assert remote == []
    assert [css.name for css in site.rglob("*.css") if REMOTE_CSS.search(css.read_text())] == []


def test_the_search_index_is_a_script_that_a_page_may_load_from_a_file(site: Path) -> None:
    index = (site / "searchindex.js").read_text()
    assert index.startswith("Search.setIndex(")
    assert "quarantin" in index
    assert 'src="searchindex.js"' in (site / "search.html").read_text()


def test_broken_links_fail_the_build(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    shutil.copy(PROJECT / "docs" / "conf.py", docs)
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    links = "\n\n".join(f"[link]({target})" for target in BROKEN)
    (docs / "index.md").write_text(f"# Start\n\n{links}\n\n![picture](no.png)\n\n```{{toctree}}\nhttp\n```\n")
    (docs / "http.md").write_text("# HTTP\n")
    result = build(docs, tmp_path / "site")
    assert result.returncode != 0
    assert [name for name in (*BROKEN.values(), "no.png") if name not in result.stderr] == []


def test_the_reference_names_every_route() -> None:
    text = (PROJECT / "docs" / "http.md").read_text()
    routes = [f"`{route.method} {display_path(route.path)}`" for route in ROUTES]
    assert [route for route in routes if route not in text] == []


def test_every_command_is_documented() -> None:
    text = (PROJECT / "docs" / "commands.md").read_text()
    names = [command.name for command in get_command(app).commands.values() if not command.hidden]
    assert [
        name for name in names if name and f"`{name}`" not in text and f"`nightshelf {name}" not in text
    ] == []


@pytest.mark.parametrize("page", OUTSIDE_PAGES)
def test_links_of_the_pages_outside_lead_to_files(page: str) -> None:
    links = [link for link in LINK.findall((PROJECT / page).read_text()) if not urlsplit(link).scheme]
    assert [link for link in links if not (PROJECT / link.partition("#")[0]).exists()] == []
