"""The session of a signed-in browser: its API key in a cookie, and the check for the service's own pages."""

from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

COOKIE = "nightshelf_key"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def secret(scope: Scope) -> str | None:
    """Returns the API key in a request's cookie, None if it has no such cookie."""
    try:
        cookie = SimpleCookie(Headers(scope=scope).get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return cookie.value if cookie else None


def is_same_origin(scope: Scope) -> bool:
    """Returns whether a request changes nothing or comes from one of the service's own pages.

    Browsers send the header Origin with every POST. Its scheme is ignored: a proxy may have ended TLS.
    """
    headers = Headers(scope=scope)
    origin = urlsplit(headers.get("origin", "")).netloc
    return scope["method"] in SAFE_METHODS or (bool(origin) and origin == headers.get("host"))


def is_secure(scope: Scope) -> bool:
    """Returns whether the browser used HTTPS, to the service or to a proxy in front of it."""
    return "https" in (scope["scheme"], Headers(scope=scope).get("x-forwarded-proto"))
