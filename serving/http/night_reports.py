"""The pages of the night reports: an index, and one page for each nightly run."""

import base64
import hashlib
import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from serving.errors import Problem

INDEX = "index"
REPORT_NAME = re.compile(r"index|\d{4}-\d\d-\d\d", re.ASCII)
STYLE = re.compile(rb"<style>(.*?)</style>", re.DOTALL)
NO_REPORTS = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Night reports</title>
<style>body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 2rem auto; padding: 0 1rem; }
:root { color-scheme: light dark; }</style>
<h1>Night reports</h1>
<p>There is no report yet. Run <code>nightshelf retrain</code>, or trigger the DAG <code>nightly</code> in
Airflow.</p>
</html>
"""


def routes(folder: Path) -> list[Route]:
    """Returns the routes of the reports in a folder: /nights/ is the index, /nights/2026-01-31 one report."""

    async def redirect(request: Request) -> Response:
        return RedirectResponse("nights/")  # the index links to the reports relative to its own path

    async def index(request: Request) -> Response:
        return _page(folder / f"{INDEX}.html") or _html(NO_REPORTS)

    async def report(request: Request) -> Response:
        name = request.path_params["night"].removesuffix(".html")
        return (REPORT_NAME.fullmatch(name) and _page(folder / f"{name}.html")) or _not_found()

    return [Route("/nights", redirect), Route("/nights/", index), Route("/nights/{night}", report)]


def _page(file: Path) -> Response | None:
    """Returns the page of a report file; None if the file does not exist."""
    try:
        return _html(file.read_bytes())
    except FileNotFoundError:
        return None


def _html(content: bytes) -> Response:
    """Returns a page whose policy allows its own style sheet, no scripts, and no requests."""
    style = STYLE.search(content)
    digest = base64.b64encode(hashlib.sha256(style[1] if style else b"").digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    headers = {
        "Content-Security-Policy": f"{policy}; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "DENY",
    }
    return HTMLResponse(content, headers=headers)


def _not_found() -> Response:
    return JSONResponse(
        Problem(404, "not_found", "there is no report of this name; /nights lists the reports").body, 404
    )
