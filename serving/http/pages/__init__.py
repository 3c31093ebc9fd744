"""The HTML pages: storefront, documentation of the routes, sign-in. They load nothing from other hosts."""

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


def routes(document: dict[str, Any], keyring: Keyring | None) -> list[Route]:
    """Returns the routes of all pages.

    document: the OpenAPI document. keyring: the API keys that sign-in accepts.
    """
    files = {path.name: _file(path) for path in HERE.iterdir() if path.suffix in TYPES}
    storefront, docs_page = (HERE / "storefront.html").read_text(), docs.render(document)
    openapi = JSONResponse(document)

    async def show_storefront(request: Request) -> Response:
        return page("Nightshelf", storefront, signed_in=session.secret(request.scope) is not None)

    async def show_docs(request: Request) -> Response:
        return docs_page

    async def send_file(request: Request) -> Response:
        return files.get(request.path_params["file"]) or PlainTextResponse(
            "there is no file of this name", 404
        )

    async def show_document(request: Request) -> Response:
        return openapi

    return [
        Route("/", show_storefront),
        Route("/docs", show_docs),
        Route("/v1/openapi.json", show_document),
        Route("/pages/{file}", send_file),
        *sign_in.routes(keyring),
    ]


def _file(path: Path) -> Response:
    return Response(path.read_bytes(), media_type=TYPES[path.suffix])
