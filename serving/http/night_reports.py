"""The night reports, which the nights leave as files: a list of them, and one page for each."""

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
<title>Nights</title>
<style>body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 2rem auto; padding: 0 1rem; }
:root { color-scheme: light dark; }</style>
<h1>Nights</h1>
<p>No night has left a report yet: run <code>nightshelf retrain</code>, or trigger <code>nightly</code> in
Airflow.</p>
</html>
"""


def routes(folder: Path) -> list[Route]:
    """The routes of the reports in a folder: /nights, and /nights/2026-01-31 for each."""

    async def moved(request: Request) -> Response:
        return RedirectResponse("nights/")  # so that what the list links to lies beside it

    async def listed(request: Request) -> Response:
        return _page(folder / f"{INDEX}.html") or _answer(NO_REPORTS)

    async def shown(request: Request) -> Response:
        name = request.path_params["night"].removesuffix(".html")
        return (REPORT_NAME.fullmatch(name) and _page(folder / f"{name}.html")) or _not_found()

    return [Route("/nights", moved), Route("/nights/", listed), Route("/nights/{night}", shown)]


def _page(file: Path) -> Response | None:
    """A report as an answer; None where there is none."""
    try:
        return _answer(file.read_bytes())
    except FileNotFoundError:
        return None


def _answer(content: bytes) -> Response:
    """A page that may load and run nothing, and is styled by the sheet in it alone."""
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
        Problem(404, "not_found", "there is no report of such a night; see /nights").body, 404
    )
