"""The session of a signed-in browser: its API key in a cookie, and the check for the service's own pages."""

from urllib.parse import quote, unquote

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

COOKIE = "nightshelf_key"
LONGEST_COOKIE = 8192  # of the whole header, in characters: browsers send at most 4096 per cookie
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def secret(scope: Scope) -> str | None:
    """Returns the API key in a request's cookie, None if it has no such cookie.

    `http.cookies` isn't used: before Python 3.11.10 and 3.12.6 it takes quadratic time (CVE-2024-7592).
    """
    header = Headers(scope=scope).get("cookie", "")
    if len(header) > LONGEST_COOKIE:
        return None
    pairs = (pair.strip().partition("=") for pair in header.split(";"))
    return next((unquote(value) for name, _, value in pairs if name == COOKIE and value), None)


def sign_in(scope: Scope, response: Response, secret: str) -> None:
    """Puts an API key into a cookie that ends with the browser session; other sites' pages can't send it."""
    value = quote(secret, safe="")
    response.set_cookie(COOKIE, value, httponly=True, samesite="strict", secure=is_secure(scope))


def is_same_origin(scope: Scope) -> bool:
    """Returns whether a request changes nothing or comes from one of the service's own pages.

    Browsers send the header Origin with every POST.
    """
    headers = Headers(scope=scope)
    return scope["method"] in SAFE_METHODS or origin_host(headers) == headers.get("host", "")


def origin_host(headers: Headers) -> str | None:
    """Returns host and port in the header Origin, None without one. A proxy may have changed the scheme."""
    return headers.get("origin", "").partition("://")[2] or None


def is_secure(scope: Scope) -> bool:
    """Returns whether the browser used HTTPS, to the service or to a proxy in front of it."""
    return "https" in (scope["scheme"], Headers(scope=scope).get("x-forwarded-proto"))
