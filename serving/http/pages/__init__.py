"""The pages for people: storefront, how each route is asked, sign-in. They load nothing from outside."""

from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from serving.access import session
from serving.access.guard import Keyring
from serving.http.pages import docs, sign_in
from serving.http.pages.frame import page

HERE = Path(__file__).parent
TYPES = {".css": "text/css", ".js": "text/javascript"}


def routes(document: dict[str, Any], ring: Keyring | None) -> list[Route]:
    """The routes of all pages. document: OpenAPI's. ring: the keys that may be asked for, if any."""
    files = {path.name: _file(path) for path in HERE.iterdir() if path.suffix in TYPES}
    storefront, described = (HERE / "storefront.html").read_text(), docs.render(document)
    openapi = JSONResponse(document)

    async def shop_window(request: Request) -> Response:
        return page("Nightshelf", storefront, signed_in=session.COOKIE in request.cookies)

    async def explained(request: Request) -> Response:
        return described

    async def file(request: Request) -> Response:
        return files.get(request.path_params["file"]) or PlainTextResponse("there is no such file", 404)

    async def told(request: Request) -> Response:
        return openapi

    return [
        Route("/", shop_window),
        Route("/docs", explained),
        Route("/v1/openapi.json", told),
        Route("/pages/{file}", file),
        *sign_in.routes(ring),
    ]


def _file(path: Path) -> Response:
    return Response(path.read_bytes(), media_type=TYPES[path.suffix])
