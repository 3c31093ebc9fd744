"""The night reports, which the nights leave as files: a list of them, and one page for each."""

import base64
import hashlib
import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from serving.questions import Problem

LIST = "index"
NAME = re.compile(r"index|\d{4}-\d\d-\d\d", re.ASCII)
STYLE = re.compile(rb"<style>(.*?)</style>", re.DOTALL)
NONE_YET = HTMLResponse(
    '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>Nights</title>\n'
    "<h1>Nights</h1>\n<p>No night has left a report yet: run <code>nightshelf retrain</code>, or trigger the"
    " DAG <code>nightly</code>.</p>\n</html>\n"
)


def routes(folder: Path) -> list[Route]:
    """The routes of the reports in a folder: /nights, and /nights/2026-01-31 for each."""

    async def moved(request: Request) -> Response:
        return RedirectResponse("nights/")  # so that what the list links to lies beside it

    async def listed(request: Request) -> Response:
        return _page(folder / f"{LIST}.html") or NONE_YET

    async def shown(request: Request) -> Response:
        name = request.path_params["night"].removesuffix(".html")
        return (NAME.fullmatch(name) and _page(folder / f"{name}.html")) or _absent()

    return [Route("/nights", moved), Route("/nights/", listed), Route("/nights/{night}", shown)]


def _page(file: Path) -> Response | None:
    """A report that may load and run nothing, with its own style sheet alone; None where none is."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    return HTMLResponse(content, headers=_headers(content))


def _headers(content: bytes) -> dict[str, str]:
    style = STYLE.search(content)
    digest = base64.b64encode(hashlib.sha256(style[1] if style else b"").digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return {
        "Content-Security-Policy": f"{policy}; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "DENY",
    }


def _absent() -> Response:
    return JSONResponse(
        Problem(404, "not_found", "there is no report of such a night; see /nights").body, 404
    )
